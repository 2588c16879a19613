//! Where a release may go: phases, and each tenant along its own connected environments (SEMANTICS 4).

use std::collections::BTreeSet;

use windlass_protocol::ids::{EnvironmentId, ProjectId, ReleaseId, TenantId};

use crate::model::{Lifecycle, PhaseRule, Tenant};

/// What promotion reads of the past: successes only, and they are never taken back.
pub trait Successes {
    /// Whether the release has ever succeeded in the environment for this tenant, or untenanted.
    fn succeeded(&self, release: ReleaseId, environment: EnvironmentId, tenant: Option<TenantId>) -> bool;
    /// Whether it has ever succeeded there for anybody, or untenanted.
    fn succeeded_for_anybody(&self, release: ReleaseId, environment: EnvironmentId) -> bool;
}

/// A phase with its environments resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedPhase {
    pub name: String,
    pub environments: Vec<EnvironmentId>,
    /// When it is complete.
    pub rule: PhaseRule,
}

/// The phases of a lifecycle. `environments` are all of the space, in their order.
pub fn phases(
    lifecycle: &Lifecycle,
    environments: &[EnvironmentId],
    name: impl Fn(EnvironmentId) -> String,
) -> Vec<ResolvedPhase> {
    if lifecycle.phases.is_empty() {
        let phase = |id: &EnvironmentId| ResolvedPhase {
            name: name(*id),
            environments: vec![*id],
            rule: PhaseRule::All,
        };
        return environments.iter().map(phase).collect();
    }
    let mut named = BTreeSet::new();
    let mut resolved = Vec::new();
    for phase in &lifecycle.phases {
        let of_phase: Vec<_> = if phase.environments.is_empty() && !phase.unseen {
            environments.iter().copied().filter(|id| !named.contains(id)).collect()
        } else {
            phase.environments.clone()
        };
        named.extend(of_phase.iter().copied());
        resolved.push(ResolvedPhase { name: phase.name.clone(), environments: of_phase, rule: phase.rule });
    }
    resolved
}

/// Why a release may not go to an environment yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// The lifecycle does not have the environment.
    NotInLifecycle,
    /// Earlier phases first: the first one that is not complete, and what it still needs.
    Needs {
        phase: String,
        /// Environments of it without a success.
        missing: Vec<EnvironmentId>,
        needed: usize,
        /// Whether the phase is waited for because the tenant is connected nowhere in it, so that the untenanted
        /// lifecycle decides.
        untenanted: bool,
    },
}

/// Whether `release` may go to `environment`, for `tenant` or untenanted. Whether the tenant is connected there, and
/// whether the project takes untenanted deployments, are other rules.
pub fn check(
    phases: &[ResolvedPhase],
    successes: &impl Successes,
    project: ProjectId,
    release: ReleaseId,
    environment: EnvironmentId,
    tenant: Option<&Tenant>,
) -> Result<(), Blocked> {
    let place = phases.iter().position(|phase| phase.environments.contains(&environment));
    let place = place.ok_or(Blocked::NotInLifecycle)?;
    for phase in &phases[..place] {
        if phase.rule == PhaseRule::Optional {
            continue;
        }
        let own: Vec<_> = match tenant {
            Some(tenant) => {
                let connected = |id: &EnvironmentId| tenant.is_connected(project, *id);
                phase.environments.iter().copied().filter(connected).collect()
            }
            None => Vec::new(),
        };
        let untenanted = own.is_empty();
        let (relevant, succeeded): (_, Box<dyn Fn(EnvironmentId) -> bool>) = match tenant {
            Some(tenant) if !untenanted => {
                (own, Box::new(|id| successes.succeeded(release, id, Some(tenant.id))))
            }
            _ => (phase.environments.clone(), Box::new(|id| successes.succeeded_for_anybody(release, id))),
        };
        let needed = match phase.rule {
            PhaseRule::AtLeast(minimum) => relevant.len().min(minimum as usize),
            PhaseRule::All | PhaseRule::Optional => relevant.len(),
        };
        let missing: Vec<_> = relevant.iter().copied().filter(|id| !succeeded(*id)).collect();
        if relevant.len() - missing.len() < needed {
            let untenanted = untenanted && tenant.is_some();
            let needed = needed - (relevant.len() - missing.len());
            return Err(Blocked::Needs { phase: phase.name.clone(), missing, needed, untenanted });
        }
    }
    Ok(())
}
