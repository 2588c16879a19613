//! Points in time, as they travel and as they are recorded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC. This crate reads no clock: a time is always somebody's argument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time that is `milliseconds` after 1970-01-01 UTC.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// How long it is from an earlier time to this one; nothing, if that is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The time `seconds` later; the end of time where that is beyond it.
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        let milliseconds = seconds.saturating_mul(1000);
        Self(self.0.saturating_add_unsigned(milliseconds))
    }
}
