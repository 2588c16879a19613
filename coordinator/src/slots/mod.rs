//! Slots for who is nobody yet, or is somebody and holds many: connections, shared out by whom they come from.
//!
//! Free ones are anybody's. When all are taken, whoever holds most loses its oldest, so that nobody can keep the
//! others out, and a fleet behind one address comes back as fast as it can be served (THREATS G6).

mod shares;

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use shares::{Admission, Shares};

/// So long a stranger's slot is not another's of the same address: an honest handshake is over by then.
pub const SETTLED: Duration = Duration::from_secs(2);

/// The slots, shared out by `K`.
pub struct Slots<K>(Mutex<Shares<K, CancellationToken>>);

/// A slot. Dropped, it is free.
pub struct Slot<K: Copy + Eq + Hash> {
    slots: Arc<Slots<K>>,
    number: u64,
}

impl<K: Copy + Eq + Hash> Slots<K> {
    /// `most` slots; one that is younger than `settled` is not lost to another of the same `K`.
    pub fn new(most: usize, settled: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Shares::new(most, settled))))
    }

    /// A slot for somebody. `evicted` is cancelled when the slot is lost.
    pub fn admit(self: &Arc<Self>, by: K, evicted: &CancellationToken) -> Option<Slot<K>> {
        match self.0.lock().admit(by, Instant::now(), evicted.clone()) {
            Admission::Slot { number, evicted } => {
                if let Some(evicted) = evicted {
                    evicted.cancel();
                }
                Some(Slot { slots: Arc::clone(self), number })
            }
            Admission::Refused => None,
        }
    }

    pub fn taken(&self) -> usize {
        self.0.lock().taken()
    }
}

impl<K: Copy + Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        self.slots.0.lock().leave(self.number);
    }
}

/// Whom an address counts for: one machine of IPv6 has as many addresses as it likes, all in one network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            version_4 => version_4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_address_counts_for_its_machine() {
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"), "however it is written");
        assert_ne!(origin("192.0.2.2"), origin("192.0.2.1"));
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"), "one network of IPv6");
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
    }

    #[test]
    fn who_loses_its_place_is_told_and_who_leaves_is_not() {
        let slots = Slots::new(2, SETTLED);
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let _one = slots.admit('a', &first).unwrap();
        let two = slots.admit('a', &second).unwrap();
        let three = slots.admit('b', &CancellationToken::new()).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert!(slots.admit('b', &CancellationToken::new()).is_none(), "its own is hardly there");
        assert!(!second.is_cancelled());
        drop((two, three));
        assert_eq!(slots.taken(), 0);
    }
}
