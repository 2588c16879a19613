//! A target's work: what it has to do now, the new parts of it signed.

use windlass_coordinator_core::authorise::SessionPermit;
use windlass_protocol::message::{Answer, Assignments, Generation};

use super::super::{Sessions, delivery};

/// Bytes of assignments in one answer; the rest is asked for again.
const ANSWER_BYTES: usize = 1 << 20;

pub(super) fn answer(
    sessions: &Sessions,
    permit: &SessionPermit,
    since: Option<Generation>,
) -> Option<Answer> {
    let state = sessions.engine.state();
    let space = state.space(permit.space())?;
    let target = permit.target();
    let mut work: Vec<_> = space.work_of(target).map(|(id, item)| (*id, *item)).collect();
    work.sort_by_key(|(id, item)| (item.generation, *id));
    let active = work.iter().map(|(id, _)| *id).collect();
    let mut new = Vec::new();
    let (mut bytes, mut more) = (0, false);
    for (_, item) in work.iter().filter(|(_, item)| Some(item.generation) > since) {
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
            more = true;
            break;
        }
        new.push(signed);
    }
    let generation = space.generations.get(&target).copied().unwrap_or_default();
    Some(Answer::Assignments(Assignments { generation, active, new, more }))
}
