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
    /// With the pace that was measured last.
    Turn {
        _permit: SemaphorePermit<'a>,
        pace: Option<Pace>,
    },
    Aside(AsidePlace<'a>),
}

/// A place aside, for as long as the pull lasts.
struct AsidePlace<'a> {
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
        let place = Mutex::new(Place::Turn { _permit: permit, pace: None });
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
    fn step_aside(&self, pace: Pace) -> AsidePlace<'_> {
        let new = Arc::new(Aside { pace: AtomicU64::new(pace.0), ended: AtomicBool::new(false) });
        let mut aside = self.aside();
        aside.push(Arc::clone(&new));
        if aside.len() > self.count {
            let slowest = (0..aside.len()).min_by_key(|index| aside[*index].pace.load(Ordering::Relaxed));
            let slowest = aside.remove(slowest.expect("one was just put there"));
            slowest.ended.store(true, Ordering::Relaxed);
        }
        AsidePlace { turns: self, aside: new }
    }
}

impl<'a> Turn<'a> {
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
            Place::Turn { pace: known, .. } => *known = Some(pace),
            Place::Aside(place) => place.aside.pace.store(pace.0, Ordering::Relaxed),
        }
    }

    /// Lets others pass, if this is slow and somebody waits. False where it has no place aside either.
    pub(super) fn give_way(&self) -> bool {
        let mut place = self.place();
        if let Place::Turn { pace: Some(pace), .. } = *place
            && pace.is_slow()
            && self.turns.waiting.load(Ordering::Relaxed) > 0
        {
            *place = Place::Aside(self.turns.step_aside(pace));
        }
        match &*place {
            Place::Turn { .. } => true,
            Place::Aside(place) => !place.aside.ended.load(Ordering::Relaxed),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place<'a>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AsidePlace<'_> {
    fn drop(&mut self) {
        self.turns.aside().retain(|aside| !Arc::ptr_eq(aside, &self.aside));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        let mut counts = self.turns.of_target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.target) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const SLOW: Pace = Pace(100);

    fn target(number: u8) -> TargetId {
        TargetId::from_bytes([number; 16])
    }

    /// What a future is when it is looked at once.
    fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_target_has_its_turns_and_no_more() {
        let (turns, one, other) = (Turns::new(64), target(1), target(2));
        let mut taken = Vec::new();
        for _ in 0..PULLS_OF_TARGET {
            taken.push(turns.take(one).await.expect("a turn"));
        }
        assert!(turns.take(one).await.is_none());
        assert!(turns.take(other).await.is_some(), "what one target takes is not another's");
        taken.pop();
        assert!(turns.take(one).await.is_some(), "a turn that is over can be taken again");
        drop(taken);
        assert!(turns.of_target.lock().expect("no panic").is_empty(), "nothing is kept of who has gone");
    }

    #[tokio::test]
    async fn a_slow_pull_gives_its_turn_back_when_somebody_waits_and_goes_on() {
        let turns = Turns::new(1);
        let slow = turns.take(target(1)).await.expect("a turn");
        slow.measured(SLOW);
        assert!(slow.give_way());
        let mut next = pin!(turns.take(target(2)));
        assert!(look(next.as_mut()).is_pending(), "nobody waited, so the turn was kept");
        assert!(slow.give_way(), "it goes on");
        let Poll::Ready(Some(next)) = look(next) else { panic!("the turn was not given back") };
        assert!(slow.give_way() && next.give_way());
    }

    #[tokio::test]
    async fn a_quick_pull_and_one_that_was_not_measured_keep_their_turns() {
        let turns = Turns::new(2);
        let unmeasured = turns.take(target(1)).await.expect("a turn");
        let quick = turns.take(target(2)).await.expect("a turn");
        quick.measured(SLOW);
        quick.measured(Pace(10 << 20));
        let mut next = pin!(turns.take(target(3)));
        assert!(look(next.as_mut()).is_pending());
        assert!(unmeasured.give_way() && quick.give_way());
        assert!(look(next.as_mut()).is_pending());
        drop(quick);
        assert!(look(next).is_ready());
    }

    #[tokio::test]
    async fn where_there_is_no_room_aside_the_slowest_ends() {
        let turns = Turns::new(1);
        let first = turns.take(target(1)).await.expect("a turn");
        first.measured(SLOW);
        let mut second = pin!(turns.take(target(2)));
        assert!(look(second.as_mut()).is_pending() && first.give_way());
        let Poll::Ready(Some(second)) = look(second) else { panic!("the turn was not given back") };
        second.measured(Pace(SLOW.0 + 1));
        let mut third = pin!(turns.take(target(3)));
        assert!(look(third.as_mut()).is_pending());
        assert!(second.give_way(), "it is slow, but not the slowest");
        assert!(!first.give_way());
        let Poll::Ready(Some(third)) = look(third) else { panic!("the turn was not given back") };
        second.measured(Pace(2));
        third.measured(Pace(1));
        let mut fourth = pin!(turns.take(target(4)));
        assert!(look(fourth.as_mut()).is_pending());
        assert!(!third.give_way(), "the newest may be the slowest");
        assert!(second.give_way() && look(fourth).is_ready());
        drop((first, second, third));
        assert!(turns.aside().is_empty(), "nothing is kept of who has gone");
    }

    #[tokio::test]
    async fn who_stops_waiting_keeps_nobody_out() {
        let turns = Turns::new(1);
        let slow = turns.take(target(1)).await.expect("a turn");
        slow.measured(SLOW);
        {
            let mut gone = pin!(turns.take(target(2)));
            assert!(look(gone.as_mut()).is_pending());
        }
        assert!(slow.give_way());
        assert!(turns.aside().is_empty(), "it kept its turn");
    }
}
