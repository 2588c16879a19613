//! Who gets a slot and who loses one: pure, told the time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The slots that are taken. `S` is how whoever took one is told that it lost it.
pub(super) struct Shares<K, S> {
    most: usize,
    settled: Duration,
    next: u64,
    taken: BTreeMap<u64, Taken<K, S>>,
    /// The numbers of each, the oldest first.
    held: HashMap<K, BTreeSet<u64>>,
}

struct Taken<K, S> {
    by: K,
    since: Instant,
    signal: S,
}

/// What became of somebody who came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<S> {
    /// It has the slot of this number; who lost it for that is to be told.
    Slot { number: u64, evicted: Option<S> },
    /// All slots are taken, and nobody holds more of them, or for long.
    Refused,
}

impl<K: Copy + Eq + Hash, S> Shares<K, S> {
    /// `most` slots. Who holds most of them loses to its own kind only one that it has had for `settled`.
    pub(super) fn new(most: usize, settled: Duration) -> Self {
        Self { most, settled, next: 0, taken: BTreeMap::new(), held: HashMap::new() }
    }

    pub(super) fn admit(&mut self, by: K, now: Instant, signal: S) -> Admission<S> {
        let mut evicted = None;
        if self.taken.len() >= self.most {
            let Some(number) = self.to_evict(by, now) else { return Admission::Refused };
            evicted = self.leave(number);
        }
        let number = self.next;
        self.next += 1;
        self.taken.insert(number, Taken { by, since: now, signal });
        self.held.entry(by).or_default().insert(number);
        Admission::Slot { number, evicted }
    }

    /// The oldest of whoever holds most. Somebody who holds as many displaces its own oldest, but none that is hardly
    /// there: a fleet behind one address that comes back at once would otherwise cut off each other's handshakes, and
    /// nobody's would ever be finished.
    fn to_evict(&self, by: K, now: Instant) -> Option<u64> {
        let fullest = self.held.values().max_by_key(|held| (held.len(), Reverse(held.first())))?;
        let Some(own) = self.held.get(&by).filter(|own| own.len() >= fullest.len()) else {
            return fullest.first().copied();
        };
        let oldest = own.first()?;
        let since = self.taken.get(oldest)?.since;
        (now.saturating_duration_since(since) >= self.settled).then_some(*oldest)
    }

    /// Gives a slot back. One that was lost already is nobody's.
    pub(super) fn leave(&mut self, number: u64) -> Option<S> {
        let left = self.taken.remove(&number)?;
        if let Some(held) = self.held.get_mut(&left.by) {
            held.remove(&number);
            if held.is_empty() {
                self.held.remove(&left.by);
            }
        }
        Some(left.signal)
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLED: Duration = Duration::from_secs(2);

    struct Room {
        shares: Shares<char, u64>,
        begun: Instant,
    }

    impl Room {
        fn new(most: usize) -> Self {
            Self { shares: Shares::new(most, SETTLED), begun: Instant::now() }
        }

        /// The number that was given, and the one that was lost for it. Each one's signal is its own number.
        fn come(&mut self, by: char, second: u64) -> Option<(u64, Option<u64>)> {
            let signal = self.shares.next;
            match self.shares.admit(by, self.begun + Duration::from_secs(second), signal) {
                Admission::Slot { number, evicted } => Some((number, evicted)),
                Admission::Refused => None,
            }
        }
    }

    #[test]
    fn free_places_are_anybodys() {
        let mut room = Room::new(3);
        for number in 0..3 {
            assert_eq!(room.come('a', 0), Some((number, None)));
        }
        room.shares.leave(1);
        assert_eq!(room.come('a', 0), Some((3, None)), "also for who holds all others");
        assert_eq!(room.shares.taken(), 3);
    }

    #[test]
    fn when_all_are_taken_who_holds_most_loses_its_oldest() {
        let mut room = Room::new(4);
        for by in ['b', 'a', 'a', 'a'] {
            room.come(by, 0);
        }
        assert_eq!(room.come('c', 0), Some((4, Some(1))));
        assert_eq!(room.come('d', 0), Some((5, Some(2))), "two are still more than one");
        assert_eq!(room.come('e', 0), Some((6, Some(0))), "all hold one: the oldest of all goes");
        assert_eq!(room.shares.taken(), 4);
    }

    #[test]
    fn who_holds_most_itself_displaces_its_own_oldest_but_none_that_is_hardly_there() {
        let mut room = Room::new(3);
        for by in ['b', 'a', 'a'] {
            room.come(by, 0);
        }
        assert_eq!(room.come('a', 1), None);
        assert_eq!(room.come('a', 2), Some((3, Some(1))));
        assert_eq!(room.come('b', 2), Some((4, Some(2))), "one is less than two: nothing has to settle");
        assert_eq!(room.come('b', 2), Some((5, Some(0))));
    }

    #[test]
    fn whoever_fills_all_places_keeps_nobody_out_and_nothing_is_kept_of_who_has_gone() {
        let mut room = Room::new(64);
        for _ in 0..1000 {
            room.come('a', 0);
        }
        for by in 'b'..='z' {
            let (number, evicted) = room.come(by, 0).unwrap();
            assert!(evicted.is_some());
            assert_eq!(room.shares.leave(number), Some(number));
            assert_eq!(room.shares.leave(number), None);
            room.come('a', 0);
        }
        for number in 0..room.shares.next {
            room.shares.leave(number);
        }
        assert_eq!(room.shares.taken(), 0);
        assert!(room.shares.held.is_empty());
    }
}
