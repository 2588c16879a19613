//! A target's work: what it has to do now, the new parts of it signed.

use windlass_coordinator_core::authorise::SessionPermit;
use windlass_coordinator_core::state::WorkItem;
use windlass_protocol::message::{Answer, AssignmentPlace, Assignments, Generation};

use super::super::{Sessions, delivery};

/// Bytes of assignments in one answer; the rest is asked for again.
const ANSWER_BYTES: usize = 1 << 20;

pub(super) fn answer(
    sessions: &Sessions,
    permit: &SessionPermit,
    since: Option<Generation>,
    after: Option<AssignmentPlace>,
) -> Option<Answer> {
    let state = sessions.engine.state();
    let space = state.space(permit.space())?;
    let target = permit.target();
    let mut work: Vec<_> = space.work_of(target).map(|(id, item)| (*id, *item)).collect();
    work.sort_by_key(|(id, item)| (item.generation, *id));
    let active = work.iter().map(|(id, _)| *id).collect();
    let mut new = Vec::new();
    let (mut bytes, mut last, mut next) = (0, after, None);
    let place = |(id, item): &(_, WorkItem)| (item.generation, *id);
    let asked = |work: &&_| Some(place(work).0) > since && Some(place(work)) > after;
    for (id, item) in work.iter().filter(asked) {
        let assignment = match delivery::assignment(sessions, space, target, item) {
            Ok(assignment) => assignment,
            Err(why) => {
                tracing::error!(%target, deployment = %item.deployment, %why, "an assignment cannot be made");
                continue;
            }
        };
        let signed = sessions.signer.sign(&assignment);
        bytes += signed.body.len() + 128;
        if bytes > ANSWER_BYTES && !new.is_empty() {
            next = last;
            break;
        }
        last = Some((item.generation, *id));
        new.push(signed);
    }
    let generation = space.generations.get(&target).copied().unwrap_or_default();
    Some(Answer::Assignments(Assignments { generation, active, new, next }))
}
