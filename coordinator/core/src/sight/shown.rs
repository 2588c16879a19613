//! Of whom an answer tells, once it is made: what is still on its way ends when they are not seen any more.

use windlass_protocol::ids::{SpaceId, TenantId};

use super::Sight;
use crate::authorise::PersonPermit;
use crate::catalogue::Catalogue;
use crate::model::Tenant;
use crate::query::Empty;
use crate::state::State;

/// Whom a [`Sight`] showed, and whether they are seen still: found out once for each state, by what has changed since the
/// last. It outlives the sight, and is one for all answers to a token that tell of the same.
#[derive(Clone)]
pub struct Shown {
    space: SpaceId,
    /// The tenants in the order of their ids, for who is limited to some; none for who saw all.
    tenants: Option<Box<[TenantId]>>,
    /// The state that was looked at last, by its number, and everybody who was there.
    number: u64,
    there: Catalogue<Tenant>,
    /// Whether nobody else was seen in it.
    is_all: bool,
    /// Somebody was not seen any more. It stays so: what was told while they were is not told further.
    is_lost: bool,
}

impl Sight {
    /// Whom it shows.
    pub fn shown(&self) -> Shown {
        let seen = self.seen.as_deref();
        let tenants = seen.map(|seen| seen.tenants.iter().map(|tenant| tenant.id).collect());
        Shown {
            space: self.space,
            tenants,
            number: self.state.number,
            there: seen.map(|_| self.whole().tenants.clone()).unwrap_or_default(),
            is_all: true,
            is_lost: false,
        }
    }
}

impl Shown {
    /// Whether all of it is seen in this state, with this permit, which is of the same token (SEMANTICS 10), and was in
    /// each that was asked about before: a token's limits stay what they are. A tenant that was deleted is seen by nobody,
    /// so that who is limited has lost it. What is known of a newer state holds.
    pub fn is_seen(&mut self, state: &State, permit: &PersonPermit) -> bool {
        if state.number > self.number {
            self.is_lost = self.is_lost || !self.is_left(state, permit);
            self.number = state.number;
        }
        !self.is_lost
    }

    /// Whether what was seen in the state before is seen in this one.
    fn is_left(&mut self, state: &State, permit: &PersonPermit) -> bool {
        let limits = permit.limits();
        let Some(tenants) = &self.tenants else { return limits.is_empty() };
        let Some(space) = state.space(self.space) else { return false };
        let mut changed = Vec::new();
        if !self.there.is_shared_with(&space.tenants) {
            self.there.changed_into(&space.tenants, &mut changed);
        }
        for id in changed {
            let admits = |tenant| {
                limits.iter().all(|limit| limit.tenants.matches(tenant, Empty::MeansNobody).is_some())
            };
            match (tenants.binary_search(&id).is_ok(), space.tenants.get(id).is_some_and(admits)) {
                (true, false) => return false,
                (false, true) => self.is_all = false,
                _ => {}
            }
        }
        self.there = space.tenants.clone();
        true
    }

    /// Whether it is all that this sight shows, which is no older than what was asked about before.
    pub fn is_all_of(&mut self, sight: &Sight) -> bool {
        let is_there = self.tenants.is_none() || self.space == sight.space;
        is_there
            && self.number <= sight.state.number
            && self.is_seen(&sight.state, &sight.permit)
            && self.is_all
    }

    /// Whether this sight shows all of it too.
    pub fn is_within(&self, sight: &Sight) -> bool {
        match &self.tenants {
            None => sight.is_whole(),
            Some(tenants) => {
                self.space == sight.space && tenants.iter().all(|id| sight.space().tenants.get(*id).is_some())
            }
        }
    }

    /// Bytes that it takes, beside what it shares with states.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.tenants.as_deref().map_or(0, size_of_val)
    }
}
