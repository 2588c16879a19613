//! The life of a deployment that runs: what its graph has ready is assigned, and when nothing is open it is judged.
//!
//! ```text
//! Queued ──its turn──> Running ──assign what is ready──> reports ──> … ──nothing open: verdict──> Ended
//!    │                                                                        │
//!    └── no longer allowed, nothing to do ────────────────────────────────────┴── cancelled
//! ```

use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_protocol::ids::DeploymentId;

use super::{Draft, Reply};
use crate::authorise::still_qualifies;
use crate::event::DeploymentEvent;
use crate::graph::{Verdict, WorkKind};
use crate::model::{Deployment, DeploymentEnd, DeploymentState, EndReason};

/// How long an assignment may wait on its target to be begun: a machine that is busy is waited for, and one that is
/// offline is given up much earlier. What was recorded and kept back for longer than that is worth nothing.
pub(super) const ASSIGNMENT_SECONDS: u64 = 7 * 24 * 3600;

/// Does something to one of many deployments. Where that cannot be recorded, the deployment ends instead, and says why:
/// nothing that the coordinator comes to by itself stands in the way of what comes after it.
pub(super) fn or_end<'a>(draft: &mut Draft<'a>, id: DeploymentId, act: impl FnOnce(&mut Draft<'a>)) {
    let Err(problem) = draft.attempt(act) else { return };
    let end_it = |draft: &mut Draft<'_>| end(draft, id, DeploymentEnd::Failed, EndReason::Unfit { problem });
    if draft.deployment(id).is_some_and(|deployment| !deployment.is_over()) {
        // What cannot be ended either is left as it is.
        drop(draft.attempt(end_it));
    }
}

/// Goes on with a deployment of which nothing is open any more: assigns what is ready, or ends it.
pub(super) fn advance(draft: &mut Draft<'_>, id: DeploymentId) {
    or_end(draft, id, |draft| go_on(draft, id));
}

fn go_on(draft: &mut Draft<'_>, id: DeploymentId) {
    while !draft.is_broken()
        && let Some(deployment) = draft.deployment(id)
    {
        // What is to be looked at again is, before anything rests on it: a part of it at a time, and then it goes on.
        let waits = !deployment.graph.open().is_empty() || draft.space().is_unsettled(id);
        if deployment.state != DeploymentState::Running || waits {
            return;
        }
        if let Some(verdict) = deployment.graph.verdict() {
            let (how, why) = ended(&deployment, &verdict);
            return end(draft, id, how, why);
        }
        let ready = deployment.graph.ready();
        if ready.is_empty() {
            return;
        }
        if remove_unqualified(draft, &deployment, &ready) {
            continue;
        }
        let expires = draft.now().plus_seconds(ASSIGNMENT_SECONDS);
        for node in ready {
            draft.emit(DeploymentEvent::Assigned { deployment: id, node, expires });
        }
    }
}

/// Takes out who no longer belongs to what would be assigned now. Whatever a target rests on is looked at again when it
/// changes; what is assigned rests on it all the same.
fn remove_unqualified(draft: &mut Draft<'_>, deployment: &Deployment, ready: &[usize]) -> bool {
    let nodes = ready.iter().filter_map(|node| deployment.graph.node(*node));
    let targets: BTreeSet<_> = nodes.flat_map(|node| deployment.graph.left(node)).collect();
    let (space, now) = (draft.space(), draft.now());
    let why = |target| Some((target, still_qualifies(space, deployment, target, now).err()?));
    let removed: Vec<_> = targets.into_iter().filter_map(why).collect();
    let any = !removed.is_empty();
    for (target, why) in removed {
        draft.emit(DeploymentEvent::ScopeRemoved { deployment: deployment.id, target, why });
    }
    any
}

/// Most targets that a reason names; how many more there are, it counts.
const LISTED: usize = 5;

fn ended(deployment: &Deployment, verdict: &Verdict<'_>) -> (DeploymentEnd, EndReason) {
    let why = match verdict {
        Verdict::Succeeded => return (DeploymentEnd::Succeeded, EndReason::Done),
        Verdict::Failed(node, target, outcome) => {
            let (target, outcome) = (*target, (*outcome).clone());
            match node.plot.work {
                WorkKind::Fetch => EndReason::FetchFailed { target, outcome },
                WorkKind::Run(step) => EndReason::StepFailed { step, target, outcome },
            }
        }
        Verdict::NoTargetLeft(node) => {
            let WorkKind::Run(step) = node.plot.work else {
                return (DeploymentEnd::Failed, EndReason::NothingToDo);
            };
            let why = |target: &_| Some((*target, deployment.parts.get(target)?.removed?));
            let removed = node.plot.targets.iter().filter_map(why).take(LISTED).collect();
            EndReason::NoTargetLeft { step, removed, more: node.plot.targets.len().saturating_sub(LISTED) }
        }
    };
    (DeploymentEnd::Failed, why)
}

pub(super) fn cancel(draft: &mut Draft<'_>, id: DeploymentId) -> Result<Reply, Problem> {
    let deployment = draft.space().deployments.get(&id);
    let deployment =
        deployment.ok_or_else(|| Problem::not_found(format!("there is no deployment `{id}`")))?;
    if deployment.is_over() {
        return Err(Problem::conflict(format!("the deployment `{id}` is over already")));
    }
    end(draft, id, DeploymentEnd::Cancelled, EndReason::Cancelled);
    Ok(Reply::Done)
}

/// Ends a deployment. What waits for it is started by the next pass.
pub(super) fn end(draft: &mut Draft<'_>, deployment: DeploymentId, end: DeploymentEnd, why: EndReason) {
    draft.emit(DeploymentEvent::Ended { deployment, end, why });
}
