//! While deployments run, what they rest on may change: who no longer qualifies gets nothing more (SEMANTICS 3,
//! "While it runs").

use std::collections::BTreeSet;

use windlass_protocol::ids::{DeploymentId, TargetId};

use super::{Draft, progress};
use crate::authorise::still_qualifies;
use crate::event::Event;
use crate::model::{Deployment, DeploymentEnd, DeploymentState};

/// Checks a target's part in every deployment that runs.
pub(super) fn target(draft: &mut Draft<'_>, id: TargetId) {
    let running: Vec<_> =
        running(draft).into_iter().filter(|deployment| deployment.work.contains_key(&id)).collect();
    for deployment in running {
        check(draft, deployment.id, &[id]);
    }
}

/// Takes a target out of every deployment that runs: it is about to be deleted. What that ends may let another one
/// start, with this very target: so it goes on until none is left that has it.
pub(super) fn remove(draft: &mut Draft<'_>, id: TargetId, reason: &str) {
    let has_it =
        |deployment: &Deployment| deployment.work.get(&id).is_some_and(|work| work.removed.is_none());
    while let Some(deployment) = running(draft).into_iter().find(|deployment| has_it(deployment)) {
        let reason = reason.to_owned();
        draft.emit(Event::ScopeRemoved { deployment: deployment.id, target: id, reason });
        progress::advance(draft, deployment.id);
    }
}

/// Checks every target of every deployment that runs: definitions changed, and any of them may rest on them.
pub(super) fn everything_running(draft: &mut Draft<'_>) {
    for deployment in running(draft) {
        let targets: Vec<_> = deployment.work.keys().copied().collect();
        check(draft, deployment.id, &targets);
    }
}

/// Cancels what is queued for tenants that are disabled; what runs for them finishes (SEMANTICS 2).
pub(super) fn queued_for_disabled_tenants(draft: &mut Draft<'_>) {
    let space = draft.space();
    let disabled = |id| space.tenants.get(id).is_some_and(|tenant| !tenant.enabled);
    let lanes = space.indexes.lanes.iter().filter(|((_, _, tenant), _)| tenant.is_some_and(disabled));
    let queued = |id: &&DeploymentId| {
        space.deployments.get(*id).is_some_and(|found| found.state == DeploymentState::Queued)
    };
    let queued: Vec<_> = lanes.flat_map(|(_, lane)| lane.iter().filter(queued)).copied().collect();
    for deployment in queued {
        let reason = "the tenant was disabled".to_owned();
        draft.emit(Event::DeploymentEnded { deployment, end: DeploymentEnd::Cancelled, reason });
    }
}

fn running(draft: &Draft<'_>) -> Vec<std::sync::Arc<Deployment>> {
    let space = draft.space();
    let ids: BTreeSet<_> = space.indexes.running.iter().map(|(_, id)| *id).collect();
    ids.iter().filter_map(|id| space.deployments.get(id)).cloned().collect()
}

fn check(draft: &mut Draft<'_>, id: DeploymentId, targets: &[TargetId]) {
    for target in targets {
        let Some(deployment) = draft.space().deployments.get(&id).cloned() else { return };
        if deployment.is_over() || deployment.work.get(target).is_none_or(|work| work.removed.is_some()) {
            continue;
        }
        if let Err(reason) = still_qualifies(draft.space(), &deployment, *target, draft.now()) {
            draft.emit(Event::ScopeRemoved { deployment: id, target: *target, reason });
        }
    }
    progress::advance(draft, id);
}
