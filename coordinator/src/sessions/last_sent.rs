//! What an agent was told last, so that it is told again only what is new.

use std::sync::Arc;

use windlass_coordinator_core::authorise::SessionPermit;
use windlass_coordinator_core::catalogue::Catalogue;
use windlass_coordinator_core::model::{Environment, Target};
use windlass_coordinator_core::scope;
use windlass_coordinator_core::state::State;
use windlass_protocol::message::{EffectiveScope, Generation};

/// What an agent knows from this session.
pub(super) struct LastSent {
    pub(super) generation: Generation,
    pub(super) scope: Scope,
    /// Whether it was told to renew its certificate.
    pub(super) renew: bool,
}

/// What a target's effective scope in names follows from. It is shared with the state, so to keep it costs little, and
/// to see that nothing has changed costs next to nothing.
pub(super) struct Scope {
    target: Arc<Target>,
    environments: Catalogue<Environment>,
}

impl Scope {
    /// The scope as it is in this state.
    pub(super) fn of(state: &State, permit: &SessionPermit) -> Option<Self> {
        let space = state.space(permit.space())?;
        let target = space.targets.share(permit.target())?;
        Some(Self { target, environments: space.environments.clone() })
    }

    /// Whether an agent would be told the same.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let untouched =
            Arc::ptr_eq(&self.target, &other.target) && self.environments.is_shared_with(&other.environments);
        untouched || self.effective() == other.effective()
    }

    pub(super) fn target_name(&self) -> String {
        self.target.name.to_string()
    }

    /// The effective scope in names, as `windlass-agent status` shows it.
    pub(super) fn effective(&self) -> EffectiveScope {
        let target = &self.target;
        let environments = scope::environments(&self.environments, target).into_iter();
        let environments = environments.filter_map(|id| self.environments.get(id));
        // Names of tenants beyond those that the machine itself named are not its business: it learns them when it
        // is given their work.
        let narrows = target.advertised.tenants.is_some() || target.advertised.tenant_tags.is_some();
        let tenants = match (scope::takes_part(target, true), narrows) {
            (false, _) => "none",
            (true, false) => "those that its grant admits",
            (true, true) => "those of its configuration that its grant admits",
        };
        EffectiveScope {
            roles: scope::roles(target).iter().cloned().collect(),
            environments: environments.map(|environment| environment.name.to_string()).collect(),
            tenants: tenants.to_owned(),
            participation: scope::participation(target),
        }
    }
}
