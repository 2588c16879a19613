//! While deployments run or wait, what they rest on may change: who no longer qualifies gets nothing more (SEMANTICS 3,
//! "While it runs"). Rights are asked for at every read, so nobody gets anything in between; here it is written down.

use std::collections::BTreeSet;

use windlass_protocol::ids::{DeploymentId, TargetId};

use super::{Draft, progress};
use crate::authorise::still_qualifies;
use crate::event::DeploymentEvent;
use crate::model::{DeploymentEnd, DeploymentState, EndReason};

/// What one pass looks at: a record stays small, and nobody waits long for it.
const MOST: usize = 1000;

/// What a command looks at by itself; what is more is left to passes of its own.
const MOST_AT_ONCE: usize = 64;

/// Looks again at what a command has unsettled, where that is little.
pub(super) fn at_once(draft: &mut Draft<'_>) {
    if draft.space().unsettled.len() <= MOST_AT_ONCE {
        sweep(draft);
    }
}

/// Looks again at what is unsettled, a part of it at a time.
pub(super) fn sweep(draft: &mut Draft<'_>) {
    let unsettled: Vec<_> = draft.space().unsettled.iter().take(MOST).copied().collect();
    let mut last = None;
    for (deployment, target) in unsettled.iter().copied() {
        if draft.is_full() {
            break;
        }
        progress::or_end(draft, deployment, |draft| match target {
            Some(target) => part(draft, deployment, target),
            None => waiting(draft, deployment),
        });
        last = Some((deployment, target));
    }
    let Some((deployment, target)) = last else { return };
    draft.emit(DeploymentEvent::Reviewed { deployment, target });
    let reviewed: BTreeSet<_> = unsettled.iter().map(|(id, _)| *id).filter(|id| *id <= deployment).collect();
    for id in reviewed {
        progress::advance(draft, id);
    }
}

/// A target's part in a deployment that runs.
fn part(draft: &mut Draft<'_>, id: DeploymentId, target: TargetId) {
    let Some(deployment) = draft.deployment(id) else { return };
    let removed = deployment.parts.get(&target).is_none_or(|part| part.removed.is_some());
    if deployment.state != DeploymentState::Running || removed {
        return;
    }
    if let Err(why) = still_qualifies(draft.space(), &deployment, target, draft.now()) {
        draft.emit(DeploymentEvent::ScopeRemoved { deployment: id, target, why });
    }
}

/// A deployment that waits for a tenant that has been disabled: it gets no new ones (SEMANTICS 2).
fn waiting(draft: &mut Draft<'_>, id: DeploymentId) {
    let Some(deployment) = draft.deployment(id) else { return };
    let tenant = deployment.tenant.and_then(|tenant| draft.space().tenants.get(tenant));
    if deployment.state == DeploymentState::Queued && tenant.is_some_and(|tenant| !tenant.enabled) {
        progress::end(draft, id, DeploymentEnd::Cancelled, EndReason::TenantDisabled);
    }
}
