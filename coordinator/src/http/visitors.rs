//! How many connections one address has at the operators' door.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of each address.
pub(super) struct Visitors {
    counts: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
}

/// One connection of an address. Dropped, there is room for another one.
pub(super) struct Visit {
    visitors: Arc<Visitors>,
    origin: IpAddr,
}

impl Visitors {
    /// At most `most` connections for each address.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), most })
    }

    /// A place for one more connection from there, if there is one.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Visit> {
        let origin = origin(address);
        let mut counts = self.counts();
        let count = counts.entry(origin).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Visit { visitors: Arc::clone(self), origin })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut counts = self.visitors.counts();
        if let Some(count) = counts.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.origin);
            }
        }
    }
}

/// Whom an address counts for: one machine of IPv6 has as many addresses as it likes, all in one network of 64 bits.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        version_4 => version_4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_connections_and_no_more() {
        let visitors = Visitors::new(2);
        let enter = |text: &str| visitors.enter(text.parse().unwrap());
        let first = enter("192.0.2.1").unwrap();
        let _second = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none(), "it is the same address, however it is written");
        assert!(enter("192.0.2.2").is_some());
        drop(first);
        let again = enter("192.0.2.1").unwrap();
        let _one = enter("2001:db8::1").unwrap();
        let _two = enter("2001:db8::ffff:1").unwrap();
        assert!(enter("2001:db8::2:1").is_none(), "one network of IPv6 counts as one");
        assert!(enter("2001:db8:0:1::1").is_some());
        drop((again, _second, _one, _two));
        assert!(visitors.counts().is_empty(), "nothing is kept of who has gone");
    }
}
