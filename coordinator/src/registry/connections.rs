//! How many connections a machine has in memory, whether they are open or not, and how often it may come: each keeps what
//! the machine did not acknowledge, for as long as it likes to (THREATS G6). Each address of a certificate has a share of
//! its own, so that a copy of a machine does not keep the machine out (THREATS A3).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_protocol::ids::TargetId;

use super::Registry;
use super::allowance::Allowance;
use crate::slots::Origin;

/// Connections of one machine that may be in memory, beside one of each address that has none.
const MOST: usize = 12;
/// Addresses of one machine of which each may have one.
const ORIGINS: usize = 16;
/// And those of one address: one is open, and of an honest machine the others are so for less than a second, or until a
/// network that broke is known to have.
const OF_ORIGIN: usize = 8;
/// And how often it may come in a minute from one address: agents come back ever more slowly, and less than twenty times.
const A_MINUTE: u32 = 60;

/// The connections of all machines.
pub(super) struct Connections {
    held: HashMap<TargetId, HashMap<Origin, usize>>,
    taken: Allowance<(TargetId, Origin)>,
}

impl Default for Connections {
    fn default() -> Self {
        Self { held: HashMap::new(), taken: Allowance::new(A_MINUTE, Duration::from_secs(60)) }
    }
}

impl Connections {
    /// A machine has come once more; whether it may stay, as far as is known before it says anything.
    pub(super) fn came(&mut self, target: TargetId, origin: Origin, now: Instant) -> bool {
        self.taken.take((target, origin), now) && self.is_left(target, origin)
    }

    fn is_left(&self, target: TargetId, origin: Origin) -> bool {
        self.held.get(&target).is_none_or(|held| match held.get(&origin) {
            None => held.len() < ORIGINS,
            Some(own) => *own < OF_ORIGIN && held.values().sum::<usize>() < MOST,
        })
    }

    pub(super) fn hold(&mut self, target: TargetId, origin: Origin) -> bool {
        let is_left = self.is_left(target, origin);
        if is_left {
            *self.held.entry(target).or_default().entry(origin).or_default() += 1;
        }
        is_left
    }

    fn give_back(&mut self, target: TargetId, origin: Origin) {
        let Some(held) = self.held.get_mut(&target) else { return };
        if let Some(own) = held.get_mut(&origin) {
            *own -= 1;
        }
        held.retain(|_, own| *own > 0);
        if held.is_empty() {
            self.held.remove(&target);
        }
    }
}

/// A connection that counts as one of its machine's. Dropped, it does so no longer.
pub(crate) struct Counted {
    pub(super) registry: Arc<Registry>,
    pub(super) target: TargetId,
    pub(super) origin: Origin,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.registry.inner.lock().connections.give_back(self.target, self.origin);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_machine_has_so_many_connections_at_once_and_a_minute_and_each_of_its_addresses_some_of_them() {
        let (registry, now) = (Arc::<Registry>::default(), Instant::now());
        let [one, other] = [1, 2].map(|byte| TargetId::from_bytes([byte; 16]));
        let [here, there] = [1, 2].map(|last| Origin::from(IpAddr::from([192, 0, 2, last])));
        let came = |target, origin, now| registry.inner.lock().connections.came(target, origin, now);
        let hold = |target, origin| registry.hold_connection(target, origin);
        let mut held: Vec<_> = (0..OF_ORIGIN).map(|_| hold(one, here)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(!came(one, here, now) && hold(one, here).is_none());
        assert!(came(other, here, now), "each machine for itself");
        for number in OF_ORIGIN..MOST {
            assert!(came(one, there, now), "{number}");
            held.push(hold(one, there));
        }
        assert!(!came(one, there, now) && hold(one, there).is_none(), "all of them are bounded");
        for last in 3..=u8::try_from(ORIGINS).unwrap() {
            let elsewhere = Origin::from(IpAddr::from([192, 0, 2, last]));
            assert!(came(one, elsewhere, now), "who has none has one, {last}");
            held.push(hold(one, elsewhere));
            assert!(hold(one, elsewhere).is_none(), "and no second one, {last}");
        }
        assert!(
            hold(one, Origin::from(IpAddr::from([192, 0, 2, 99]))).is_none(),
            "addresses are bounded too"
        );
        held.clear();
        assert!(registry.inner.lock().connections.held.is_empty(), "nothing is kept of who has gone");
        for number in 1..A_MINUTE {
            assert!(came(one, here, now), "{number}");
        }
        assert!(!came(one, here, now), "so often a minute");
        assert!(came(one, there, now), "each address for itself");
        assert!(came(one, here, now + Duration::from_secs(61)), "another minute");
    }
}
