//! How often a machine may have something done that stays: a record of what it says of itself, a line of the log.

use std::collections::HashMap;
use std::time::Duration;

use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;

/// Times in one period: more than anybody who sets a machine up needs, and few enough to be read.
const MOST: u32 = 20;
const PERIOD: Duration = Duration::from_secs(3600);

/// What each target took in its present period.
pub(super) struct Allowance {
    most: u32,
    period: Duration,
    taken: HashMap<TargetId, (Timestamp, u32)>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(MOST, PERIOD)
    }
}

impl Allowance {
    /// So many times in each period.
    pub(super) fn new(most: u32, period: Duration) -> Self {
        Self { most, period, taken: HashMap::new() }
    }

    /// Whether there is one left.
    pub(super) fn is_left(&self, target: TargetId, now: Timestamp) -> bool {
        let taken = self.taken.get(&target);
        taken.is_none_or(|(since, count)| now.since(*since) > self.period || *count < self.most)
    }

    /// Takes one; whether there was one left.
    pub(super) fn take(&mut self, target: TargetId, now: Timestamp) -> bool {
        let (since, count) = self.taken.entry(target).or_insert((now, 0));
        if now.since(*since) > self.period {
            (*since, *count) = (now, 0);
        }
        let left = *count < self.most;
        *count += u32::from(left);
        left
    }

    /// Gives one back that was taken: it was none.
    pub(super) fn give_back(&mut self, target: TargetId) {
        if let Some((_, count)) = self.taken.get_mut(&target) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.taken.remove(&target);
            }
        }
    }

    /// Forgets a target that was deleted.
    pub(super) fn forget(&mut self, target: TargetId) {
        self.taken.remove(&target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_so_many_a_period_and_what_is_none_costs_none() {
        let (mut allowance, target) = (Allowance::default(), TargetId::from_bytes([1; 16]));
        let start = Timestamp::from_milliseconds(1_700_000_000_000);
        for _ in 0..1000 {
            assert!(allowance.take(target, start));
            allowance.give_back(target);
        }
        assert!(allowance.taken.is_empty(), "who changes nothing takes no room");
        for second in 0..u64::from(MOST) {
            assert!(allowance.take(target, start.plus_seconds(second)), "{second}");
        }
        assert!(!allowance.take(target, start.plus_seconds(3600)));
        assert!(allowance.take(TargetId::from_bytes([2; 16]), start), "each target for itself");
        assert!(allowance.take(target, start.plus_seconds(3601)), "another period");
    }
}
