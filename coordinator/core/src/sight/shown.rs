//! Of whom an answer tells, once it is made: what is still on its way ends when they are not seen any more.

use windlass_protocol::ids::{SpaceId, TenantId};

use super::Sight;
use crate::authorise::PersonPermit;
use crate::query::Empty;
use crate::state::State;

/// Whom a [`Sight`] showed. It outlives the sight, and holds no state.
#[derive(Debug, Clone)]
pub struct Shown {
    space: SpaceId,
    /// The tenants, for who is limited to some; none for who saw all.
    tenants: Option<Vec<TenantId>>,
}

impl Sight {
    /// Whom it shows.
    pub fn shown(&self) -> Shown {
        let tenants = self.seen.as_ref().map(|seen| seen.tenants.iter().map(|tenant| tenant.id).collect());
        Shown { space: self.space, tenants }
    }
}

impl Shown {
    /// Whether all of it is seen in this state, with this permit (SEMANTICS 10). A tenant that was deleted is seen by
    /// nobody, so that who is limited has lost it.
    pub fn is_seen(&self, state: &State, permit: &PersonPermit) -> bool {
        let limits = permit.limits();
        let Some(tenants) = &self.tenants else { return limits.is_empty() };
        let Some(space) = state.space(self.space) else { return false };
        tenants.iter().all(|id| {
            let admits = |tenant| {
                limits.iter().all(|limit| limit.tenants.matches(tenant, Empty::MeansNobody).is_some())
            };
            space.tenants.get(*id).is_some_and(admits)
        })
    }
}
