//! Whether the machine's clock can be believed.
//!
//! Deadlines, expiries and rights follow it, and a record that is dated too late would hold all of them still until the
//! world has caught up. So a clock that jumps ahead of the time that has passed stops commands, and a journal that is
//! dated later than the clock stops the start; an operator who says that the clock is right now lifts both.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use windlass_protocol::Timestamp;

use super::edges::clock;

/// How far a clock may be ahead of what has passed: adjustments and pauses stay below it.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// Watches the clock of one process.
pub struct Watch {
    /// The clock and the time since the machine's start, at the last look.
    last: Mutex<(Timestamp, Duration)>,
}

/// The clock jumped ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock has jumped ahead by {seconds} s; nothing is done until it is right again, or the coordinator \
     is started anew with --accept-clock"
)]
pub struct Jumped {
    /// By how much.
    pub seconds: u64,
}

impl Watch {
    /// Begins to watch.
    pub fn begin() -> Self {
        Self { last: Mutex::new((clock(), passed())) }
    }

    /// Looks at the clock: it may have gone on as much as time has passed, and a little. A clock that was put right again
    /// is believed again.
    pub fn look(&self) -> Result<(), Jumped> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (clock(), passed());
        judge(*last, now)?;
        *last = now;
        Ok(())
    }
}

/// Time since the machine's start, sleep included.
fn passed() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

fn judge(last: (Timestamp, Duration), now: (Timestamp, Duration)) -> Result<(), Jumped> {
    let milliseconds = now.0.milliseconds().saturating_sub(last.0.milliseconds());
    let went = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    let ahead = went.saturating_sub(now.1.saturating_sub(last.1));
    if ahead < TOLERATED { Ok(()) } else { Err(Jumped { seconds: ahead.as_secs() }) }
}

/// Refuses a journal whose last record is dated later than the clock.
pub fn refuse_future(recorded: Timestamp) -> Result<(), String> {
    let ahead = recorded.milliseconds().saturating_sub(clock().milliseconds());
    if u128::try_from(ahead).unwrap_or(0) < TOLERATED.as_millis() {
        return Ok(());
    }
    Err(format!(
        "the journal's last record is dated {} s later than this machine's clock; put the clock right, or start with \
         --accept-clock if it is right: then time stands still until it has caught up",
        ahead / 1000
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_go_on_as_time_passes_and_run_back_but_not_jump_ahead() {
        let at = |clock: i64, passed: u64| {
            (Timestamp::from_milliseconds(clock * 1000), Duration::from_secs(passed))
        };
        let last = at(1_000_000, 50);
        for (now, jumped) in [
            (at(1_000_000, 50), None),
            (at(1_000_299, 50), None),
            (at(1_086_400, 50 + 86_400), None),
            (at(900_000, 60), None),
            (at(1_000_300, 50), Some(300)),
            (at(1_003_700, 150), Some(3600)),
        ] {
            assert_eq!(judge(last, now).err().map(|jumped| jumped.seconds), jumped, "{now:?}");
        }
    }

    #[test]
    fn a_journal_from_the_future_is_refused() {
        assert!(refuse_future(clock().plus_seconds(200)).is_ok());
        let why = refuse_future(clock().plus_seconds(3600)).unwrap_err();
        assert!(why.contains("--accept-clock"), "{why}");
    }
}
