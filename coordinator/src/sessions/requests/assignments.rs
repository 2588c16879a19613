//! A target's work: what it has to do now, the new parts of it signed.

use tokio_util::sync::CancellationToken;
use windlass_coordinator_core::authorise::SessionPermit;
use windlass_coordinator_core::state::WorkItem;
use windlass_protocol::ids::{AssignmentId, DeploymentId};
use windlass_protocol::message::{Answer, AssignmentPlace, Assignments, Denied, Generation};

use super::super::Sessions;
use super::super::delivery::{self, DeliveryError};
use super::answering::Asker;
use super::work_out;

/// Bytes of assignments in one answer; the rest is asked for again.
const ANSWER_BYTES: usize = 1 << 20;

pub(super) async fn answer(
    asker: &Asker,
    permit: SessionPermit,
    since: Option<Generation>,
    after: Option<AssignmentPlace>,
) -> Result<Answer, Denied> {
    let collecting = move |sessions: &Sessions, gone: &CancellationToken| {
        let mut undelivered = Undelivered::default();
        (collect(sessions, &permit, since, after, &mut undelivered, gone), undelivered)
    };
    let (answer, undelivered) = work_out(asker, permit.space(), collecting).await?;
    let (target, never) = (permit.target(), undelivered.never);
    if let Some((deployment, why)) = undelivered.first
        && asker.takes_line()
    {
        if why.passes() {
            tracing::warn!(%target, %deployment, %why, "an assignment cannot be made now");
        } else {
            tracing::error!(%target, %deployment, %why, of = never.len(), "an assignment cannot be made");
        }
    }
    if !never.is_empty() {
        delivery::give_up(&asker.sessions, permit.space(), target, never).await;
    }
    answer
}

/// What cannot be made into assignments.
#[derive(Default)]
struct Undelivered {
    /// The first of it, with its deployment: a request has one line of the log.
    first: Option<(DeploymentId, DeliveryError)>,
    /// What never can be, with why not.
    never: Vec<(AssignmentId, String)>,
}

/// The answer; what can't be made into an assignment goes to `undelivered`. What may be made at the next
/// try is asked for again: the generation that an answer carries says that everything up to it was told.
fn collect(
    sessions: &Sessions,
    permit: &SessionPermit,
    since: Option<Generation>,
    after: Option<AssignmentPlace>,
    undelivered: &mut Undelivered,
    gone: &CancellationToken,
) -> Result<Answer, Denied> {
    let state = sessions.engine.state();
    let space = state.space(permit.space()).ok_or(Denied::NotFound)?;
    let target = permit.target();
    let mut work: Vec<_> = space.work_of(target).map(|(id, item)| (*id, *item)).collect();
    work.sort_by_key(|(id, item)| (item.generation, *id));
    let active = work.iter().map(|(id, _)| *id).collect();
    let mut new = Vec::new();
    let (mut bytes, mut last, mut next) = (0, after, None);
    let place = |(id, item): &(_, WorkItem)| (item.generation, *id);
    let asked = |work: &&_| Some(place(work).0) > since && Some(place(work)) > after;
    for (id, item) in work.iter().filter(asked) {
        if gone.is_cancelled() {
            return Err(Denied::Busy);
        }
        let assignment = delivery::assignment(sessions, space, target, item);
        let signed = match assignment.and_then(|assignment| Ok(sessions.signer.sign(&assignment)?)) {
            Ok(signed) => signed,
            Err(why) => {
                let passes = why.passes();
                if !passes {
                    undelivered.never.push((*id, why.reason()));
                }
                undelivered.first.get_or_insert((item.deployment, why));
                if passes {
                    return Err(Denied::Busy);
                }
                continue;
            }
        };
        bytes += signed.body.len() + 128;
        if bytes > ANSWER_BYTES && !new.is_empty() {
            next = last;
            break;
        }
        last = Some((item.generation, *id));
        new.push(signed);
    }
    let generation = space.generations.get(&target).copied().unwrap_or_default();
    Ok(Answer::Assignments(Assignments { generation, active, new, next }))
}
