//! Strangers that were refused, on QUIC and on HTTP, and tokens that were used for more than they may: counted by reason
//! and address, recorded now and then. Whoever comes from ever more addresses is counted with the others, so that nobody
//! can fill the journal, and nothing of what was sent is kept.

mod times;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;
use windlass_coordinator_core::decide::{Command, Refusals, Refused};

use crate::engine::{Engine, now};
pub(crate) use times::{OTHERS, Times};

/// Addresses that are named for each stranger's reason, or token, in one record; the rest are counted under [`OTHERS`].
const ORIGINS: usize = 16;

/// The counts since they were last recorded.
#[derive(Default)]
pub struct Strangers {
    counts: Mutex<BTreeMap<(Refused, String), Times>>,
    pub(crate) news: tokio::sync::Notify,
}

impl Strangers {
    /// Counts one that was refused. Where it came from may not be known.
    pub fn refused(&self, who: Refused, address: Option<IpAddr>) {
        let now = now();
        let origin = address.map_or_else(|| OTHERS.to_owned(), network);
        self.add(who, origin, Times { count: 1, bytes: 0, first: now, last: now });
        self.news.notify_one();
    }

    /// Records what was counted so far. What cannot be recorded now is counted on.
    pub(crate) async fn record(&self, engine: &Engine) {
        let counted: Vec<_> = std::mem::take(&mut *self.counts.lock())
            .into_iter()
            .map(|((refused, origin), Times { count, first, last, .. })| Refusals {
                refused,
                origin,
                count,
                first,
                last,
            })
            .collect();
        if counted.is_empty() {
            return;
        }
        let command = Command::RecordRefusals(counted.clone());
        if let Err(why) = engine.submit(Engine::own_envelope(), command).await {
            tracing::error!(%why, "requests that were refused could not be recorded");
            for Refusals { refused, origin, count, first, last } in counted {
                self.add(refused, origin, Times { count, bytes: 0, first, last });
            }
            self.news.notify_one();
        }
    }

    fn add(&self, who: Refused, origin: String, times: Times) {
        let mut counts = self.counts.lock();
        let mut what = (who, origin);
        let named = counts.range((who, String::new())..).take_while(|((of, _), _)| *of == who).count();
        if named >= ORIGINS && !counts.contains_key(&what) {
            what.1 = OTHERS.to_owned();
        }
        counts.entry(what).and_modify(|known| known.add(times)).or_insert(times);
    }
}

/// Whom an address counts for: one machine of IPv6 has as many addresses as it likes, all in one network of 64 bits.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        version_4 => version_4.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use windlass_coordinator_core::event::StrangerReason;

    use super::*;

    #[test]
    fn strangers_are_counted_by_reason_and_network_and_from_more_addresses_take_no_more_room() {
        let strangers = Strangers::default();
        let refused =
            |reason, from: &str| strangers.refused(Refused::Stranger(reason), Some(from.parse().unwrap()));
        for number in 0..1000 {
            refused(StrangerReason::UnknownToken, &format!("10.0.{}.{}", number / 250, number % 250));
            refused(StrangerReason::UnknownEnrolment, &format!("2001:db8::{number:x}"));
        }
        refused(StrangerReason::UnknownEnrolment, "::ffff:10.0.0.1");
        strangers.refused(Refused::Stranger(StrangerReason::MalformedEnrolment), None);
        let counts = strangers.counts.lock();
        let of = |reason| -> Vec<(String, u64)> {
            let of = counts.iter().filter(|((of, _), _)| *of == Refused::Stranger(reason));
            of.map(|((_, origin), times)| (origin.clone(), times.count)).collect()
        };
        let tokens = of(StrangerReason::UnknownToken);
        assert_eq!(tokens.len(), ORIGINS + 1);
        assert_eq!(tokens.last(), Some(&(OTHERS.to_owned(), 1000 - ORIGINS as u64)));
        let enrolments = [("10.0.0.1".to_owned(), 1), ("2001:db8::/64".to_owned(), 1000)];
        assert_eq!(of(StrangerReason::UnknownEnrolment), enrolments);
        assert_eq!(of(StrangerReason::MalformedEnrolment), [(OTHERS.to_owned(), 1)]);
    }
}
