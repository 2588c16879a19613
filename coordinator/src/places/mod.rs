//! Places for who is nobody yet, or is somebody and holds many: connections, shared out by whom they come from.
//!
//! Free ones are anybody's. When all are taken, whoever holds most loses its oldest, so that nobody can keep the
//! others out, and a fleet behind one address comes back as fast as it can be served (THREATS G6).

mod shares;

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use shares::{Admission, Shares};

/// So long a stranger's place is not another's of the same address: an honest handshake is over by then.
pub const SETTLED: Duration = Duration::from_secs(2);

/// The places, shared out by `K`.
pub struct Places<K>(Mutex<Shares<K, CancellationToken>>);

/// A place. Dropped, it is free.
pub struct Place<K: Copy + Eq + Hash> {
    places: Arc<Places<K>>,
    number: u64,
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// `most` places; one that is younger than `settled` is not lost to another of the same `K`.
    pub fn new(most: usize, settled: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Shares::new(most, settled))))
    }

    /// A place for somebody. `evicted` is cancelled when the place is lost.
    pub fn admit(self: &Arc<Self>, by: K, evicted: &CancellationToken) -> Option<Place<K>> {
        match self.shares().admit(by, Instant::now(), evicted.clone()) {
            Admission::Place { number, evicted } => {
                if let Some(evicted) = evicted {
                    evicted.cancel();
                }
                Some(Place { places: Arc::clone(self), number })
            }
            Admission::Refused => None,
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.shares().taken()
    }

    fn shares(&self) -> MutexGuard<'_, Shares<K, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.places.shares().leave(self.number);
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
        let places = Places::new(2, SETTLED);
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let _one = places.admit('a', &first).unwrap();
        let two = places.admit('a', &second).unwrap();
        let three = places.admit('b', &CancellationToken::new()).unwrap();
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert!(places.admit('b', &CancellationToken::new()).is_none(), "its own is hardly there");
        assert!(!second.is_cancelled());
        drop((two, three));
        assert_eq!(places.taken(), 0);
    }
}
