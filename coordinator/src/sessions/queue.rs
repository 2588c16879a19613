//! A queue for few places: who waits gets one in turn, space by space, in each flow by flow, in each in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use windlass_coordinator_core::fair::Fair;
use windlass_protocol::ids::SpaceId;

/// Places, and who waits for them, by the flow `F` of a space.
pub(super) struct Queue<F> {
    /// Places that one flow may have at once.
    of_flow: usize,
    pub(super) inner: Mutex<Inner<F>>,
}

pub(super) struct Inner<F> {
    pub(super) free: usize,
    /// Places that are taken; no space is empty, and no flow has none.
    pub(super) taken: BTreeMap<SpaceId, BTreeMap<F, usize>>,
    pub(super) waiting: Fair<SpaceId, F, Arc<Ticket>>,
}

/// What one who waits is told by.
#[derive(Default)]
pub(super) struct Ticket {
    granted: AtomicBool,
    told: Notify,
}

/// A place, or one in the queue for it. Dropped, it is another's.
pub(super) struct Claim<F: Ord + Copy> {
    queue: Arc<Queue<F>>,
    space: SpaceId,
    flow: F,
    ticket: Arc<Ticket>,
}

impl<F: Ord + Copy> Queue<F> {
    /// `count` places, `of_flow` of them for one flow at most.
    pub(super) fn new(count: usize, of_flow: usize) -> Arc<Self> {
        let inner = Inner { free: count, taken: BTreeMap::new(), waiting: Fair::default() };
        Arc::new(Self { of_flow, inner: Mutex::new(inner) })
    }

    /// Waits for a place. Whoever drops this does not wait any more.
    pub(super) async fn take(self: &Arc<Self>, space: SpaceId, flow: F) -> Claim<F> {
        let ticket = Arc::new(Ticket::default());
        {
            let mut inner = self.inner.lock();
            inner.waiting.push(space, flow, Arc::clone(&ticket));
            inner.grant(self.of_flow);
        }
        let claim = Claim { queue: Arc::clone(self), space, flow, ticket };
        while !claim.ticket.granted.load(Ordering::Acquire) {
            claim.ticket.told.notified().await;
        }
        claim
    }
}

impl<F: Ord + Copy> Inner<F> {
    /// Places of a flow.
    fn of(taken: &BTreeMap<SpaceId, BTreeMap<F, usize>>, space: SpaceId, flow: F) -> usize {
        taken.get(&space).and_then(|flows| flows.get(&flow)).copied().unwrap_or_default()
    }

    /// Gives out what is free.
    fn grant(&mut self, of_flow: usize) {
        let Self { free, taken, waiting } = self;
        while *free > 0
            && let Some((space, flow, ticket)) =
                waiting.take(|space, flow, _| Self::of(taken, *space, *flow) < of_flow)
        {
            *free -= 1;
            *taken.entry(space).or_default().entry(flow).or_default() += 1;
            ticket.granted.store(true, Ordering::Release);
            ticket.told.notify_one();
        }
    }

    fn give_back(&mut self, space: SpaceId, flow: F) {
        if let Some(flows) = self.taken.get_mut(&space) {
            if let Some(count) = flows.get_mut(&flow) {
                *count -= 1;
            }
            flows.retain(|_, count| *count > 0);
            if flows.is_empty() {
                self.taken.remove(&space);
            }
        }
        self.free += 1;
    }

    /// Whether a flow has several places while another one of its space waits and has none, or its space has while
    /// another space does.
    fn has_too_many(&self, space: SpaceId, flow: F) -> bool {
        let of_space: usize = self.taken.get(&space).into_iter().flat_map(BTreeMap::values).sum();
        let has_none = |waits: &F| Self::of(&self.taken, space, *waits) == 0;
        (of_space > 1 && self.waiting.groups().any(|waits| !self.taken.contains_key(waits)))
            || (Self::of(&self.taken, space, flow) > 1 && self.waiting.flows(&space).any(has_none))
    }
}

impl<F: Ord + Copy> Claim<F> {
    /// Whether somebody has to wait for what has this place, who should not: whoever it is where this is slow.
    pub(super) fn is_in_the_way(&self, is_slow: bool) -> bool {
        let inner = self.queue.inner.lock();
        !inner.waiting.is_empty() && (is_slow || inner.has_too_many(self.space, self.flow))
    }
}

impl<F: Ord + Copy> Drop for Claim<F> {
    fn drop(&mut self) {
        let mut inner = self.queue.inner.lock();
        // Places are granted under this lock: either it was, or it still waits.
        if self.ticket.granted.load(Ordering::Acquire) {
            inner.give_back(self.space, self.flow);
        } else {
            inner.waiting.remove(&self.space, &self.flow, |ticket| Arc::ptr_eq(ticket, &self.ticket));
        }
        inner.grant(self.queue.of_flow);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    const SPACE: SpaceId = SpaceId::from_bytes([1; 16]);

    #[tokio::test]
    async fn a_flow_has_no_more_than_its_places_and_keeps_nobody_waiting_with_the_rest() {
        let queue = Queue::new(2, 1);
        let first = queue.take(SPACE, 'a').now_or_never().expect("it is free");
        let mut second = Box::pin(queue.take(SPACE, 'a'));
        assert!(poll!(&mut second).is_pending(), "it has one");
        let other = queue.take(SPACE, 'b').now_or_never().expect("another's place is free");
        let mut third = Box::pin(queue.take(SPACE, 'c'));
        assert!(poll!(&mut third).is_pending(), "all are taken");
        drop(first);
        assert!(poll!(&mut second).is_pending(), "it had its turn");
        assert!(poll!(&mut third).is_ready());
        drop((second, third, other));
        let left = queue.inner.lock();
        assert!(left.free == 2 && left.taken.is_empty() && left.waiting.is_empty());
    }
}
