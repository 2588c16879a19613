//! Turns to pull: how many pulls are served at once, and whose turn is next.
//!
//! Whoever waits gets a turn in its round: space by space, in each tenant by tenant, in each in order. However many
//! machines one tenant has, another one waits for one turn. A pull over a slow link may take hours, and is not cut off for
//! that: an interrupted one repeats up to a segment, which on such a link is an hour's work. But others need not wait for
//! it. While somebody waits, a slow pull gives its turn back and goes on *aside*, where there are as many places as there
//! are turns; so does any pull of a tenant that has several turns while another one waits and has none. When the places
//! are taken too, the slowest of those aside ends, and comes again where it stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use windlass_coordinator_core::fair::Fair;
use windlass_protocol::ids::{SpaceId, TargetId, TenantId};

use super::pace::Pace;

/// Pulls of one target, waiting ones and those aside included, so that no machine takes the turns of the others.
const PULLS_OF_TARGET: usize = 4;

/// Whose pull it is: all that is untenanted in a space is one flow.
pub(super) type Flow = (SpaceId, Option<TenantId>);

pub(super) struct Turns {
    /// How many there are; and as many places aside.
    count: usize,
    queue: Mutex<Queue>,
    aside: Mutex<Vec<Arc<Aside>>>,
    of_target: Mutex<HashMap<TargetId, usize>>,
}

/// Who has a turn, and who waits for one.
struct Queue {
    free: usize,
    /// Turns that are taken, by flow; none of them zero.
    taken: BTreeMap<Flow, usize>,
    waiting: Fair<SpaceId, Option<TenantId>, Arc<Ticket>>,
}

/// What one who waits is told by.
#[derive(Default)]
struct Ticket {
    granted: AtomicBool,
    told: Notify,
}

/// A turn, or a place in the queue for one. Dropped, it is another's.
struct Claim<'a> {
    turns: &'a Turns,
    flow: Flow,
    ticket: Arc<Ticket>,
}

/// A turn to pull.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    _of_target: TargetPull<'a>,
    place: Mutex<PullSlot<'a>>,
}

enum PullSlot<'a> {
    /// With the pace that was measured last.
    Turn {
        claim: Claim<'a>,
        pace: Option<Pace>,
    },
    Aside(AsideSlot<'a>),
}

/// A place aside, for as long as the pull lasts.
struct AsideSlot<'a> {
    turns: &'a Turns,
    aside: Arc<Aside>,
}

/// A slow pull that goes on without a turn.
struct Aside {
    /// Its [`Pace`], as it was measured last.
    pace: AtomicU64,
    /// It was the slowest when another one needed the place.
    ended: AtomicBool,
}

struct TargetPull<'a> {
    turns: &'a Turns,
    target: TargetId,
}

impl Turns {
    /// `count` turns.
    pub(super) fn new(count: usize) -> Self {
        let queue = Queue { free: count, taken: BTreeMap::new(), waiting: Fair::default() };
        Self { count, queue: Mutex::new(queue), aside: Mutex::default(), of_target: Mutex::default() }
    }

    /// Waits for a turn; none where the target has as many pulls under way as one may have. Whoever drops this does not
    /// wait any more.
    pub(super) async fn take(&self, flow: Flow, target: TargetId) -> Option<Turn<'_>> {
        let own = self.count(target)?;
        let claim = self.claim(flow);
        while !claim.ticket.granted.load(Ordering::Acquire) {
            claim.ticket.told.notified().await;
        }
        let place = Mutex::new(PullSlot::Turn { claim, pace: None });
        Some(Turn { turns: self, _of_target: own, place })
    }

    fn claim(&self, flow: Flow) -> Claim<'_> {
        let ticket = Arc::new(Ticket::default());
        let mut queue = self.queue.lock();
        queue.waiting.push(flow.0, flow.1, Arc::clone(&ticket));
        queue.grant();
        Claim { turns: self, flow, ticket }
    }

    fn count(&self, target: TargetId) -> Option<TargetPull<'_>> {
        let mut counts = self.of_target.lock();
        let count = counts.entry(target).or_default();
        if *count >= PULLS_OF_TARGET {
            return None;
        }
        *count += 1;
        Some(TargetPull { turns: self, target })
    }

    /// A place aside for a pull of this pace. Where there is none left, the slowest one loses its own, and that may be
    /// this very pull.
    fn step_aside(&self, pace: Pace) -> AsideSlot<'_> {
        let new = Arc::new(Aside { pace: AtomicU64::new(pace.0), ended: AtomicBool::new(false) });
        let mut aside = self.aside.lock();
        aside.push(Arc::clone(&new));
        if aside.len() > self.count {
            let slowest = (0..aside.len()).min_by_key(|index| aside[*index].pace.load(Ordering::Relaxed));
            let slowest = aside.remove(slowest.expect("one was just put there"));
            slowest.ended.store(true, Ordering::Relaxed);
        }
        AsideSlot { turns: self, aside: new }
    }
}

impl Queue {
    /// Gives out what is free.
    fn grant(&mut self) {
        while self.free > 0
            && let Some((space, tenant, ticket)) = self.waiting.take(|_, _, _| true)
        {
            self.free -= 1;
            *self.taken.entry((space, tenant)).or_default() += 1;
            ticket.granted.store(true, Ordering::Release);
            ticket.told.notify_one();
        }
    }

    /// Takes a turn back.
    fn give_back(&mut self, flow: Flow) {
        if let Some(taken) = self.taken.get_mut(&flow) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(&flow);
            }
        }
        self.free += 1;
        self.grant();
    }

    /// Whether somebody has to wait for a pull of this flow and pace, who should not.
    fn has_to_wait(&self, (space, tenant): Flow, pace: Pace) -> bool {
        if self.waiting.is_empty() || pace.is_slow() {
            return !self.waiting.is_empty();
        }
        let of_space =
            |space: SpaceId| self.taken.range((space, None)..).take_while(move |(flow, _)| flow.0 == space);
        let of_tenant = |tenant| self.taken.get(&(space, tenant)).copied().unwrap_or_default();
        let turns: usize = of_space(space).map(|(_, taken)| taken).sum();
        (turns > 1 && self.waiting.groups().any(|waits| of_space(*waits).next().is_none()))
            || (of_tenant(tenant) > 1 && self.waiting.flows(&space).any(|waits| of_tenant(*waits) == 0))
    }
}

impl<'a> Turn<'a> {
    /// Notes how quick the pull was.
    pub(super) fn measured(&self, pace: Pace) {
        match &mut *self.place.lock() {
            PullSlot::Turn { pace: known, .. } => *known = Some(pace),
            PullSlot::Aside(place) => place.aside.pace.store(pace.0, Ordering::Relaxed),
        }
    }

    /// Lets others pass, where they have to wait for this. False where it has no place aside either.
    pub(super) fn give_way(&self) -> bool {
        let mut place = self.place.lock();
        let in_the_way = match &*place {
            PullSlot::Turn { claim, pace: Some(pace) } => {
                self.turns.queue.lock().has_to_wait(claim.flow, *pace).then_some(*pace)
            }
            _ => None,
        };
        if let Some(pace) = in_the_way {
            *place = PullSlot::Aside(self.turns.step_aside(pace));
        }
        match &*place {
            PullSlot::Turn { .. } => true,
            PullSlot::Aside(place) => !place.aside.ended.load(Ordering::Relaxed),
        }
    }
}

impl Drop for AsideSlot<'_> {
    fn drop(&mut self) {
        self.turns.aside.lock().retain(|aside| !Arc::ptr_eq(aside, &self.aside));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue.lock();
        // Turns are granted under this lock: either it was, or it still waits.
        if self.ticket.granted.load(Ordering::Acquire) {
            queue.give_back(self.flow);
        } else {
            let (space, tenant) = &self.flow;
            queue.waiting.remove(space, tenant, |ticket| Arc::ptr_eq(ticket, &self.ticket));
        }
    }
}

impl Drop for TargetPull<'_> {
    fn drop(&mut self) {
        let mut counts = self.turns.of_target.lock();
        if let Some(count) = counts.get_mut(&self.target) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
#[path = "turns/tests.rs"]
mod tests;
