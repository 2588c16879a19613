//! Turns to pull: how many pulls are served at once, and whose turn is next.
//!
//! Whoever waits gets a turn in its round: space by space, in each tenant by tenant, in each in order. However many
//! machines one tenant has, another one waits for one turn. A pull over a slow link may take hours, and is not cut off for
//! that: an interrupted one repeats up to a segment, which on such a link is an hour's work. But others need not wait for
//! it. While somebody waits, a slow pull gives its turn back and goes on *aside*, where there are as many places as there
//! are turns; so does any pull of a tenant that has several turns while another one waits and has none. When the places
//! are taken too, the slowest of those aside ends, and comes again where it stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use windlass_protocol::ids::{SpaceId, TargetId, TenantId};

use super::pace::Pace;
use super::queue::{Claim, Queue};

/// Pulls of one target, waiting ones and those aside included, so that no machine takes the turns of the others.
const PULLS_OF_TARGET: usize = 4;

/// Whose pull it is: all that is untenanted in a space is one flow.
pub(super) type Flow = (SpaceId, Option<TenantId>);

pub(super) struct Turns {
    /// How many there are; and as many places aside.
    count: usize,
    queue: Arc<Queue<Option<TenantId>>>,
    aside: Mutex<Vec<Arc<Aside>>>,
    of_target: Mutex<HashMap<TargetId, usize>>,
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
        claim: Claim<Option<TenantId>>,
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
        let queue = Queue::new(count, usize::MAX);
        Self { count, queue, aside: Mutex::default(), of_target: Mutex::default() }
    }

    /// Waits for a turn; none where the target has as many pulls under way as one may have. Whoever drops this does not
    /// wait any more.
    pub(super) async fn take(&self, flow: Flow, target: TargetId) -> Option<Turn<'_>> {
        let own = self.count(target)?;
        let claim = self.queue.take(flow.0, flow.1).await;
        let place = Mutex::new(PullSlot::Turn { claim, pace: None });
        Some(Turn { turns: self, _of_target: own, place })
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
                claim.is_in_the_way(pace.is_slow()).then_some(*pace)
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
