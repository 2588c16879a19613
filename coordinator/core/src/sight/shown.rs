//! Of whom an answer tells, once it is made: what is still on its way ends when they are not seen any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_protocol::ids::{SpaceId, TenantId};

use super::Sight;
use crate::authorise::PersonPermit;
use crate::query::Empty;
use crate::state::{Space, State};

/// Whom one [`Sight`] or more showed. It outlives them, and holds no state.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The tenants and their spaces, for who is limited to some; none for who saw all.
    tenants: Option<BTreeSet<(SpaceId, TenantId)>>,
}

impl Sight {
    /// Whom it shows.
    pub fn shown(&self) -> Shown {
        let of_space =
            |seen: &Arc<Space>| seen.tenants.iter().map(|tenant| (self.space, tenant.id)).collect();
        Shown { tenants: self.seen.as_ref().map(of_space) }
    }
}

impl Shown {
    /// Whom another sight showed was shown as well.
    pub fn join(&mut self, other: Self) {
        self.tenants = self.tenants.take().zip(other.tenants).map(|(mut tenants, others)| {
            tenants.extend(others);
            tenants
        });
    }

    /// Whether all of it is seen in this state, with this permit (SEMANTICS 10). A tenant that was deleted is seen by
    /// nobody, so that who is limited has lost it.
    pub fn is_seen(&self, state: &State, permit: &PersonPermit) -> bool {
        let limits = permit.limits();
        let Some(tenants) = &self.tenants else { return limits.is_empty() };
        tenants.iter().all(|(space, id)| {
            let admits = |tenant| {
                limits.iter().all(|limit| limit.tenants.matches(tenant, Empty::MeansNobody).is_some())
            };
            state.space(*space).and_then(|space| space.tenants.get(*id)).is_some_and(admits)
        })
    }
}
