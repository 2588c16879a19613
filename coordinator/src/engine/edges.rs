//! The machine's clocks and its randomness: read here and nowhere else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use windlass_protocol::Timestamp;

/// What this machine's clock says, whether it can be believed or not.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it; the watch judges it")]
pub(super) fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    #[cfg(test)]
    let since = since + ahead::get();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Time since the machine's start, sleep included.
pub(super) fn passed() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// So many random bytes of the operating system.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A clock that jumps, in tests that have a process of their own.
#[cfg(test)]
pub(crate) mod ahead {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static SECONDS: AtomicU64 = AtomicU64::new(0);

    /// From now on the clock is so many seconds ahead of the machine's.
    pub(crate) fn set(seconds: u64) {
        SECONDS.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn get() -> Duration {
        Duration::from_secs(SECONDS.load(Ordering::Relaxed))
    }
}
