//! Which deployments that are over stay in memory to be looked at. Older ones are in the journal alone.
//!
//! What somebody is shown must not tell how busy others are, and nobody's noise may push out what others want to look
//! at: each flow keeps its newest whatever the others do, and what is remembered beyond that is taken from the flow that
//! holds most of it.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{DeploymentId, TenantId};

use super::indexes::{Flow, take};

/// How many finished deployments of a flow are remembered for certain, the newest: what who is limited to its tenant is
/// shown, since more of them would be there or not by what others do.
pub const REMEMBERED_OF_FLOW: usize = 20;

/// How many are remembered of all flows together, unless what is certain for each of them is more.
pub const REMEMBERED: usize = 10_000;

/// Who has a share in what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    /// A tenant, or what is untenanted.
    Flow(Flow),
    /// All tenants that were deleted. Nothing is certain for them, or each that ever was would take some memory for good.
    Deleted,
}

/// Finished deployments that are remembered, in the order in which they ended. A snapshot holds them as a list, and of
/// whom each is follows from the rest of the space.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<DeploymentId>", into = "Vec<DeploymentId>")]
pub struct Finished {
    /// By a number that is larger the later it ended. It means nothing else, and a snapshot counts anew.
    in_order: OrdMap<u64, DeploymentId>,
    shares: OrdMap<Share, OrdMap<u64, DeploymentId>>,
    /// Shares that hold more than what is certain, by how much.
    excess: OrdSet<(usize, Share)>,
}

impl From<Vec<DeploymentId>> for Finished {
    fn from(stored: Vec<DeploymentId>) -> Self {
        Self { in_order: (0_u64..).zip(stored).collect(), ..Self::default() }
    }
}

impl From<Finished> for Vec<DeploymentId> {
    fn from(finished: Finished) -> Self {
        finished.in_order.values().copied().collect()
    }
}

impl Finished {
    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = DeploymentId> {
        self.in_order.values().copied()
    }

    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Those of a flow that are remembered for certain, the newest first.
    pub fn certain(&self, flow: Flow) -> impl Iterator<Item = DeploymentId> {
        let share = self.shares.get(&Share::Flow(flow)).into_iter();
        share.flat_map(|share| share.values().rev()).take(REMEMBERED_OF_FLOW).copied()
    }

    /// A deployment ended. `exists`: its tenant is there, if it has one.
    pub(super) fn push(&mut self, flow: Flow, exists: bool, id: DeploymentId) {
        let place = self.in_order.get_max().map_or(0, |(last, _)| last + 1);
        self.in_order.insert(place, id);
        let share = if exists { Share::Flow(flow) } else { Share::Deleted };
        self.change(share, |share| _ = share.insert(place, id));
    }

    /// A tenant was deleted: nothing is certain for it any more.
    pub(super) fn orphan(&mut self, tenant: TenantId) {
        let share = Share::Flow(Some(tenant));
        let Some(theirs) = self.shares.get(&share).cloned() else { return };
        self.change(share, |share| share.clear());
        self.change(Share::Deleted, |share| share.extend(theirs));
    }

    /// Takes out one that there is no more room for, the oldest of the share that holds most beyond what is certain.
    pub(super) fn pop(&mut self) -> Option<DeploymentId> {
        self.pop_beyond(REMEMBERED)
    }

    fn pop_beyond(&mut self, bound: usize) -> Option<DeploymentId> {
        let (_, share) = self.excess.get_max().copied().filter(|_| self.len() > bound)?;
        let (place, id) = self.shares.get(&share)?.get_min().copied()?;
        self.in_order.remove(&place);
        self.change(share, |share| _ = share.remove(&place));
        Some(id)
    }

    /// Finds out whose they are, as after reading a snapshot.
    pub(super) fn index(&mut self, share_of: impl Fn(DeploymentId) -> (Flow, bool)) {
        let listed: Vec<_> = self.iter().collect();
        *self = Self::default();
        for id in listed {
            let (flow, exists) = share_of(id);
            self.push(flow, exists, id);
        }
    }

    fn change(&mut self, share: Share, change: impl FnOnce(&mut OrdMap<u64, DeploymentId>)) {
        let excess = |all: &Self| Some((all.excess_of(share), share)).filter(|(excess, _)| *excess > 0);
        if let Some(before) = excess(self) {
            self.excess.remove(&before);
        }
        self.shares.entry(share).or_default();
        take(&mut self.shares, share, change);
        self.excess.extend(excess(self));
    }

    fn excess_of(&self, share: Share) -> usize {
        let certain = if share == Share::Deleted { 0 } else { REMEMBERED_OF_FLOW };
        self.shares.get(&share).map_or(0, OrdMap::len).saturating_sub(certain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: usize = 100;

    fn id(number: u8, flow: u8) -> DeploymentId {
        DeploymentId::from_bytes([number, flow, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn flow(number: u8) -> Flow {
        (number > 0).then(|| TenantId::from_bytes([number; 16]))
    }

    /// What a snapshot would make of it, with tenants of numbers from `deleted` on deleted.
    fn read_back(finished: &Finished, deleted: u8) -> Finished {
        let text = serde_json::to_string(finished).unwrap();
        let mut read: Finished = serde_json::from_str(&text).unwrap();
        read.index(|id| {
            let number = id.as_bytes()[1];
            (flow(number), number < deleted)
        });
        read
    }

    fn assert_alike(one: &Finished, two: &Finished) {
        let shares = |of: &Finished| -> Vec<(Share, Vec<DeploymentId>)> {
            of.shares.iter().map(|(share, ids)| (*share, ids.values().copied().collect())).collect()
        };
        assert_eq!(shares(one), shares(two));
        assert_eq!(one.excess, two.excess);
        assert!(one.iter().eq(two.iter()));
    }

    #[test]
    fn each_flow_keeps_its_newest_and_who_holds_most_gives_way() {
        let mut finished = Finished::default();
        let push = |finished: &mut Finished, of: u8, count: u8| {
            for number in 0..count {
                finished.push(flow(of), true, id(number, of));
                while finished.pop_beyond(BOUND).is_some() {}
                assert_alike(finished, &read_back(finished, u8::MAX));
            }
        };
        push(&mut finished, 1, 30);
        push(&mut finished, 2, 10);
        push(&mut finished, 0, 200);
        let held = |finished: &Finished, of: u8| finished.iter().filter(|id| id.as_bytes()[1] == of).count();
        assert_eq!([0, 1, 2].map(|of| held(&finished, of)), [60, 30, 10]);
        let oldest = finished.iter().find(|id| id.as_bytes()[1] == 0);
        assert_eq!(oldest, Some(id(140, 0)), "the oldest of it went");
        // What is certain for each is more than there is room for: then that is what there is.
        for of in 3..10 {
            push(&mut finished, of, 25);
        }
        let counts: Vec<_> = (0..10).map(|of| held(&finished, of)).collect();
        assert_eq!(counts, [20, 20, 10, 20, 20, 20, 20, 20, 20, 20]);
        let newest: Vec<_> = finished.certain(flow(9)).collect();
        assert_eq!((newest.len(), newest[0], newest[19]), (20, id(24, 9), id(5, 9)));
    }

    #[test]
    fn nothing_is_certain_for_tenants_that_were_deleted() {
        let mut finished = Finished::default();
        for number in 0..20 {
            finished.push(flow(2), true, id(number, 2));
            finished.push(flow(1), true, id(number, 1));
        }
        finished.orphan(TenantId::from_bytes([2; 16]));
        finished.push(flow(2), false, id(20, 2));
        assert_alike(&finished, &read_back(&finished, 2));
        assert_eq!(finished.certain(flow(2)).count(), 0);
        let mut gone: Vec<u8> = Vec::new();
        while let Some(id) = finished.pop_beyond(0) {
            gone.push(id.as_bytes()[1]);
        }
        assert_eq!((gone, finished.len()), (vec![2; 21], 20));
    }
}
