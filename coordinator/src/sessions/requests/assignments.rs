//! A target's work: what it has to do now, the new parts of it signed.

use windlass_coordinator_core::authorise::SessionPermit;
use windlass_coordinator_core::state::WorkItem;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Answer, AssignmentPlace, Assignments, Denied, Generation};

use super::super::{Sessions, delivery};
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
    let collecting = move |sessions: &Sessions| {
        let mut undeliverable = Vec::new();
        (collect(sessions, &permit, since, after, &mut undeliverable), undeliverable)
    };
    let (answer, undeliverable) = work_out(asker, collecting).await?;
    if !undeliverable.is_empty() {
        delivery::give_up(&asker.sessions, permit.space(), permit.target(), undeliverable).await;
    }
    answer
}

/// The answer; what can't be made into an assignment goes to `undeliverable`, with why not. What may be made at the next
/// try is asked for again: the generation that an answer carries says that everything up to it was told.
fn collect(
    sessions: &Sessions,
    permit: &SessionPermit,
    since: Option<Generation>,
    after: Option<AssignmentPlace>,
    undeliverable: &mut Vec<(AssignmentId, String)>,
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
        let assignment = delivery::assignment(sessions, space, target, item);
        let signed = match assignment.and_then(|assignment| Ok(sessions.signer.sign(&assignment)?)) {
            Ok(signed) => signed,
            Err(why) if why.passes() => {
                tracing::warn!(%target, deployment = %item.deployment, %why, "an assignment cannot be made now");
                return Err(Denied::Busy);
            }
            Err(why) => {
                tracing::error!(%target, deployment = %item.deployment, %why, "an assignment cannot be made");
                undeliverable.push((*id, why.reason()));
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
