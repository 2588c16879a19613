//! Turns to pull: how many pulls are served at once, over all agents and for each.
//!
//! A pull over a slow link may take hours, and is not cut off for that: an interrupted one repeats up to a segment,
//! which on such a link is an hour's work. But others need not wait for it. While somebody waits, a slow pull gives its
//! turn back and goes on *aside*, where there are as many places as there are turns. When these are taken too, the
//! slowest of those aside ends, and comes again where it stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use windlass_protocol::ids::TargetId;

use super::pace::Pace;

/// Pulls of one target, waiting ones and those aside included, so that no machine takes the turns of the others.
const PULLS_OF_TARGET: usize = 4;

/// The turns.
pub(super) struct Turns {
    all: Semaphore,
    /// How many there are; and as many places aside.
    count: usize,
    waiting: AtomicUsize,
    aside: Mutex<Vec<Arc<Aside>>>,
    of_target: Mutex<HashMap<TargetId, usize>>,
}

/// A turn to pull. Dropped, it is another's.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    _own: Own<'a>,
    place: Mutex<Place<'a>>,
    /// Bytes that the agent has taken.
    taken: AtomicU64,
}

enum Place<'a> {
    Turn(SemaphorePermit<'a>, Option<Pace>),
    Aside(Arc<Aside>),
}

/// A slow pull that goes on without a turn.
struct Aside {
    /// Its [`Pace`], as it was measured last.
    pace: AtomicU64,
    /// It was the slowest when another one needed the place.
    ended: AtomicBool,
}

/// One of the pulls of a target.
struct Own<'a> {
    turns: &'a Turns,
    target: TargetId,
}

/// One who waits for a turn.
struct Waiting<'a>(&'a AtomicUsize);

impl Turns {
    /// `count` turns.
    pub(super) fn new(count: usize) -> Self {
        Self {
            all: Semaphore::new(count),
            count,
            waiting: AtomicUsize::new(0),
            aside: Mutex::default(),
            of_target: Mutex::default(),
        }
    }

    /// Waits for a turn; none where the target has as many pulls under way as one may have.
    pub(super) async fn take(&self, target: TargetId) -> Option<Turn<'_>> {
        let own = self.count(target)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        let permit = self.all.acquire().await.ok()?;
        drop(waiting);
        let place = Mutex::new(Place::Turn(permit, None));
        Some(Turn { turns: self, _own: own, place, taken: AtomicU64::new(0) })
    }

    fn count(&self, target: TargetId) -> Option<Own<'_>> {
        let mut counts = self.of_target.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(target).or_default();
        if *count >= PULLS_OF_TARGET {
            return None;
        }
        *count += 1;
        Some(Own { turns: self, target })
    }

    fn aside(&self) -> MutexGuard<'_, Vec<Arc<Aside>>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place aside for a pull of this pace. Where there is none left, the slowest one loses its own, and that may be
    /// this very pull.
    fn step_aside(&self, pace: Pace) -> Arc<Aside> {
        let new = Arc::new(Aside { pace: AtomicU64::new(pace.0), ended: AtomicBool::new(false) });
        let mut aside = self.aside();
        aside.push(Arc::clone(&new));
        if aside.len() > self.count {
            let slowest = (0..aside.len()).min_by_key(|index| aside[*index].pace.load(Ordering::Relaxed));
            let slowest = aside.remove(slowest.expect("one was just put there"));
            slowest.ended.store(true, Ordering::Relaxed);
        }
        new
    }
}

impl Turn<'_> {
    /// Counts bytes that the agent has taken.
    pub(super) fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes that the agent has taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Notes how quick the pull was.
    pub(super) fn measured(&self, pace: Pace) {
        match &mut *self.place() {
            Place::Turn(_, known) => *known = Some(pace),
            Place::Aside(aside) => aside.pace.store(pace.0, Ordering::Relaxed),
        }
    }

    /// Lets others pass, if this is slow and somebody waits. False where it has no place aside either.
    pub(super) fn give_way(&self) -> bool {
        let mut place = self.place();
        if let Place::Turn(_, Some(pace)) = &*place
            && pace.is_slow()
            && self.turns.waiting.load(Ordering::Relaxed) > 0
        {
            *place = Place::Aside(self.turns.step_aside(*pace));
        }
        match &*place {
            Place::Turn(..) => true,
            Place::Aside(aside) => !aside.ended.load(Ordering::Relaxed),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place<'_>> {
        todo!()
    }
}
