//! How many connections a machine has in memory, whether they are open or not: each keeps what the machine did not
//! acknowledge, for as long as it likes to (THREATS G6).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;

use super::Registry;
use super::allowance::Allowance;

/// Connections of one machine that may be in memory: one is open, and of an honest machine the others are so for less
/// than a second, or until a network that broke is known to have.
const MOST: usize = 8;
/// And those that it may have in a minute: agents come back ever more slowly, and less than twenty times.
const A_MINUTE: u32 = 60;

/// The connections of all machines.
pub(super) struct Connections {
    held: HashMap<TargetId, usize>,
    taken: Allowance,
}

impl Default for Connections {
    fn default() -> Self {
        Self { held: HashMap::new(), taken: Allowance::new(A_MINUTE, Duration::from_secs(60)) }
    }
}

impl Connections {
    pub(super) fn are_left(&self, target: TargetId, now: Timestamp) -> bool {
        self.held.get(&target).is_none_or(|held| *held < MOST) && self.taken.is_left(target, now)
    }

    pub(super) fn take(&mut self, target: TargetId, now: Timestamp) -> bool {
        let taken = self.are_left(target, now) && self.taken.take(target, now);
        if taken {
            *self.held.entry(target).or_default() += 1;
        }
        taken
    }

    fn give_back(&mut self, target: TargetId) {
        if let Some(held) = self.held.get_mut(&target) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&target);
            }
        }
    }

    /// Forgets how often a target came that was deleted. What it has in memory stays counted.
    pub(super) fn forget(&mut self, target: TargetId) {
        self.taken.forget(target);
    }
}

/// A connection that counts as one of its machine's. Dropped, it does so no longer.
pub(crate) struct Counted {
    pub(super) registry: Arc<Registry>,
    pub(super) target: TargetId,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.registry.inner.lock().connections.give_back(self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_so_many_connections_at_once_and_a_minute_and_each_for_itself() {
        let (registry, now) = (Arc::<Registry>::default(), Timestamp::from_milliseconds(1_700_000_000_000));
        let [one, other] = [1, 2].map(|byte| TargetId::from_bytes([byte; 16]));
        let mut counted: Vec<_> = (0..MOST).map(|_| registry.count_connection(one, now)).collect();
        assert!(counted.iter().all(Option::is_some));
        assert!(!registry.has_connections_left(one, now) && registry.count_connection(one, now).is_none());
        assert!(registry.count_connection(other, now).is_some(), "each target for itself");
        counted.pop();
        let left = u32::try_from(MOST).unwrap();
        for number in left..A_MINUTE {
            assert!(registry.count_connection(one, now).is_some(), "{number}");
        }
        assert!(!registry.has_connections_left(one, now) && registry.count_connection(one, now).is_none());
        assert!(registry.has_connections_left(one, now.plus_seconds(61)), "another minute");
        drop(counted);
        assert!(registry.inner.lock().connections.held.is_empty(), "nothing is kept of who has gone");
    }
}
