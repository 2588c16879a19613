//! What is given up: because its target is offline for longer than it is waited for, because nobody told its end, or
//! because it cannot be made into an assignment.
//!
//! Offline is only what has no session (SEMANTICS 3, machine policy). Whoever holds the sessions tells which targets with
//! work are lost, and which are back; a target that is connected is waited for, however busy it is.

use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, TargetId};

use super::{Draft, Reply, progress, reports};
use crate::authorise::still_qualifies;
use crate::event::{DeploymentEvent, TargetEvent};
use crate::matching::{self, Waits};
use crate::model::{Failure, RunEnd, RunOutcome, Unknown};
use crate::state::{Assigned, WorkItem};

/// What is given up in one record; the rest is in the next ones.
const MOST: usize = 1000;

pub(super) fn give_up(draft: &mut Draft<'_>) -> Result<Reply, Problem> {
    let now = draft.now();
    let deadlines = &draft.space().indexes.deadlines;
    let overdue: Vec<_> =
        deadlines.iter().take_while(|(deadline, _, _)| *deadline < now).take(MOST).copied().collect();
    for (_, target, assignment) in overdue {
        if draft.is_full() {
            break;
        }
        let Some(item) = draft.space().work_item(target, assignment).copied() else { continue };
        let outcome = overdue_outcome(draft, target, &item);
        progress::or_end(draft, item.deployment, |draft| end(draft, target, &item, outcome));
        progress::advance(draft, item.deployment);
    }
    Ok(Reply::Done)
}

/// Who no longer belongs to the deployment is taken out of it; else what has begun ends by itself, with what it was given
/// then.
pub(super) fn undeliverable(
    draft: &mut Draft<'_>,
    target: TargetId,
    reasons: &[(AssignmentId, String)],
) -> Result<Reply, Problem> {
    let mut touched = BTreeSet::new();
    for (assignment, reason) in reasons {
        let item = draft.space().work_item(target, *assignment).copied();
        let Some(item) = item else { continue };
        let deployment = item.deployment;
        match draft.deployment(deployment).map(|of| still_qualifies(draft.space(), &of, target, draft.now()))
        {
            Some(Err(why)) => draft.emit(DeploymentEvent::ScopeRemoved { deployment, target, why }),
            _ if item.started => continue,
            _ => {
                let outcome = RunOutcome::Failed(Failure::Undeliverable(reason.clone()));
                progress::or_end(draft, deployment, |draft| end(draft, target, &item, outcome));
            }
        }
        touched.insert(deployment);
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

/// The coordinator was away: nobody could report, or come back, until now. Where nobody has work, it is no news.
pub(super) fn coordinator_back(draft: &mut Draft<'_>) -> Reply {
    if !draft.space().indexes.work.is_empty() {
        draft.emit(TargetEvent::CoordinatorBack);
    }
    Reply::Done
}

/// Writes down who is lost and who is back, as far as it is news. Only who has work can be lost.
pub(super) fn presence(
    draft: &mut Draft<'_>,
    lost: &[TargetId],
    back: &[TargetId],
) -> Result<Reply, Problem> {
    for target in back {
        if draft.space().lost.contains_key(target) {
            draft.emit(TargetEvent::Back { target: *target });
        }
    }
    for target in lost {
        let space = draft.space();
        // One that was deleted has work until that is looked at again, and comes back no more.
        let may = space.targets.get(*target).is_some() && space.work_of(*target).next().is_some();
        if may && !space.lost.contains_key(target) {
            draft.emit(TargetEvent::Lost { target: *target });
        }
    }
    Ok(Reply::Done)
}

/// How work ends that is over its deadline: what has begun may have come to any end, or to none.
fn overdue_outcome(draft: &Draft<'_>, target: TargetId, item: &WorkItem) -> RunOutcome {
    let space = draft.space();
    let waits = space.targets.get(target).and_then(|known| matching::waits(known, draft.now()));
    match (waits, space.lost.contains_key(&target), item.started) {
        (Some(Waits::CertificateExpired), _, true) => RunOutcome::Unknown(Unknown::CertificateExpired),
        (Some(Waits::CertificateExpired), _, false) => RunOutcome::Failed(Failure::CertificateExpired),
        (None, true, true) => RunOutcome::Unknown(Unknown::Offline),
        (None, true, false) => RunOutcome::Failed(Failure::Offline),
        (None, false, true) => RunOutcome::Unknown(Unknown::NotTold),
        (None, false, false) => RunOutcome::Failed(Failure::Expired),
    }
}

fn end(draft: &mut Draft<'_>, target: TargetId, item: &WorkItem, outcome: RunOutcome) {
    reports::ended(draft, Assigned::of(target, item), RunEnd::of(outcome), std::collections::BTreeMap::new());
}
