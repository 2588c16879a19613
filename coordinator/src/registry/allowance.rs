//! How often somebody may have something done: a connection in a minute, a line of the log in an hour.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Of so many it is looked who has begun a new period without taking anything since.
const FEW: usize = 1024;

/// What each one took in its present period, as time passes: what the clock says has nothing to do with it.
pub(super) struct Allowance<K> {
    most: u32,
    period: Duration,
    taken: HashMap<K, (Instant, u32)>,
    /// How many there are when it is looked next whose period is over.
    full: usize,
}

impl<K: Copy + Eq + Hash> Allowance<K> {
    /// So many times in each period.
    pub(super) fn new(most: u32, period: Duration) -> Self {
        Self { most, period, taken: HashMap::new(), full: FEW }
    }

    /// Takes one; whether there was one left.
    pub(super) fn take(&mut self, key: K, now: Instant) -> bool {
        let (since, count) = self.taken.entry(key).or_insert((now, 0));
        if now.duration_since(*since) > self.period {
            (*since, *count) = (now, 0);
        }
        let left = *count < self.most;
        *count += u32::from(left);
        if self.taken.len() >= self.full {
            self.taken.retain(|_, (since, _)| now.duration_since(*since) <= self.period);
            self.full = FEW.max(2 * self.taken.len());
        }
        left
    }

    /// Gives one back that was taken: it was none.
    pub(super) fn give_back(&mut self, key: K) {
        if let Some((_, count)) = self.taken.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.taken.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 20;
    const PERIOD: Duration = Duration::from_secs(3600);

    #[test]
    fn each_has_so_many_a_period_and_what_is_none_costs_none() {
        let (mut allowance, start) = (Allowance::new(MOST, PERIOD), Instant::now());
        for _ in 0..1000 {
            assert!(allowance.take(1, start));
            allowance.give_back(1);
        }
        assert!(allowance.taken.is_empty(), "who changes nothing takes no room");
        for second in 0..MOST {
            assert!(allowance.take(1, start + Duration::from_secs(second.into())), "{second}");
        }
        assert!(!allowance.take(1, start + PERIOD));
        assert!(allowance.take(2, start), "each for itself");
        assert!(allowance.take(1, start + PERIOD + Duration::from_secs(1)), "another period");
    }

    #[test]
    fn whose_period_is_over_is_not_kept() {
        let (mut allowance, start) = (Allowance::new(MOST, PERIOD), Instant::now());
        for key in 0..FEW - 1 {
            allowance.take(key, start);
        }
        allowance.take(FEW, start + 2 * PERIOD);
        assert_eq!(allowance.taken.keys().collect::<Vec<_>>(), [&FEW]);
    }
}
