//! How quickly somebody takes what is sent: measured over windows of time, by bytes that were really taken.

use std::time::{Duration, Instant};

/// What a pace is measured over: long enough that a link which stutters is not called slow.
const WINDOW: Duration = Duration::from_secs(10);
/// Bytes taken in a [`WINDOW`] by who is not slow: 64 KiB a second.
const QUICK_BYTES: u64 = 640 << 10;
/// Who takes nothing for so long has gone.
const STALL: Duration = Duration::from_secs(60);

/// Bytes that were taken in one [`WINDOW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pace(pub(super) u64);

impl Pace {
    /// Whether others should not have to wait for this.
    pub(super) const fn is_slow(self) -> bool {
        self.0 < QUICK_BYTES
    }
}

/// What a look at the count of bytes tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Between,
    /// A window is over: this much was taken in it.
    Measured(Pace),
    /// Nothing was taken for too long.
    Stalled,
}

/// Measures one pull. The clock and the count are its caller's.
pub(super) struct Gauge {
    window: (Instant, u64),
    progress: (Instant, u64),
}

impl Gauge {
    pub(super) const fn new(now: Instant, taken: u64) -> Self {
        Self { window: (now, taken), progress: (now, taken) }
    }

    /// Looks at how many bytes have been taken altogether.
    pub(super) fn look(&mut self, now: Instant, taken: u64) -> Look {
        if taken != self.progress.1 {
            self.progress = (now, taken);
        }
        if now.duration_since(self.progress.0) > STALL {
            return Look::Stalled;
        }
        let (began, before) = self.window;
        if now.duration_since(began) < WINDOW {
            return Look::Between;
        }
        self.window = (now, taken);
        Look::Measured(Pace(taken - before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_measured_by_what_was_taken_in_it() {
        let start = Instant::now();
        let mut gauge = Gauge::new(start, 100);
        assert_eq!(gauge.look(start + WINDOW / 2, 700), Look::Between);
        assert_eq!(gauge.look(start + WINDOW, 1100), Look::Measured(Pace(1000)));
        assert_eq!(gauge.look(start + WINDOW + WINDOW / 2, 1100), Look::Between);
        assert_eq!(gauge.look(start + 2 * WINDOW, 1101), Look::Measured(Pace(1)));
        assert!(Pace(QUICK_BYTES - 1).is_slow() && !Pace(QUICK_BYTES).is_slow());
    }

    #[test]
    fn one_byte_in_a_minute_is_no_stall_and_none_is() {
        let start = Instant::now();
        let mut gauge = Gauge::new(start, 0);
        let second = Duration::from_secs(1);
        assert_ne!(gauge.look(start + STALL - second, 1), Look::Stalled);
        assert_ne!(gauge.look(start + STALL + STALL - second, 1), Look::Stalled);
        assert_eq!(gauge.look(start + STALL + STALL, 1), Look::Stalled);
    }
}
