//! The clock and the randomness that come into commands: read here and nowhere else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use windlass_protocol::Timestamp;

/// The time of the newest record that this process knows. Rights are judged by the same time as records are dated, and it
/// never runs back, whatever the machine's clock does.
static NEWEST: AtomicI64 = AtomicI64::new(0);

/// Now: by this machine's clock, and never earlier than what was recorded.
pub fn now() -> Timestamp {
    Timestamp::from_milliseconds(clock().milliseconds().max(NEWEST.load(Ordering::Relaxed)))
}

/// What this machine's clock says.
pub(super) fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Something was recorded at this time.
pub(super) fn recorded(time: Timestamp) {
    NEWEST.fetch_max(time.milliseconds(), Ordering::Relaxed);
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
