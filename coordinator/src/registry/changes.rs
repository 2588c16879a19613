//! How often a machine may say something else of itself than before: each time is a record.

use std::collections::HashMap;
use std::time::Duration;

use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;

/// Changes that a machine may tell in one period: more than anybody who sets one up makes, and few enough to be read.
const MOST: u32 = 20;
const PERIOD: Duration = Duration::from_secs(3600);

/// The changes that each target told in its present period.
#[derive(Default)]
pub(super) struct Changes {
    told: HashMap<TargetId, (Timestamp, u32)>,
}

impl Changes {
    /// Takes one change; whether there was one left.
    pub(super) fn take(&mut self, target: TargetId, now: Timestamp) -> bool {
        let (since, count) = self.told.entry(target).or_insert((now, 0));
        if now.since(*since) > PERIOD {
            (*since, *count) = (now, 0);
        }
        let left = *count < MOST;
        *count += u32::from(left);
        left
    }

    /// Gives one back that was taken: nothing had changed.
    pub(super) fn give_back(&mut self, target: TargetId) {
        if let Some((_, count)) = self.told.get_mut(&target) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.told.remove(&target);
            }
        }
    }

    /// Forgets a target that was deleted.
    pub(super) fn forget(&mut self, target: TargetId) {
        self.told.remove(&target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_so_many_changes_a_period_and_what_is_none_costs_none() {
        let (mut changes, target) = (Changes::default(), TargetId::from_bytes([1; 16]));
        let start = Timestamp::from_milliseconds(1_700_000_000_000);
        for _ in 0..1000 {
            assert!(changes.take(target, start));
            changes.give_back(target);
        }
        assert!(changes.told.is_empty(), "who changes nothing takes no room");
        for second in 0..u64::from(MOST) {
            assert!(changes.take(target, start.plus_seconds(second)), "{second}");
        }
        assert!(!changes.take(target, start.plus_seconds(3600)));
        assert!(changes.take(TargetId::from_bytes([2; 16]), start), "each target for itself");
        assert!(changes.take(target, start.plus_seconds(3601)), "another period");
    }
}
