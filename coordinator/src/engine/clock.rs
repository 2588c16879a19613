//! Whether the machine's clock can be believed.
//!
//! Deadlines, expiries and rights follow it, and a record that is dated too late would hold all of them still until the
//! world has caught up. So a clock that jumps ahead of the time that has passed stops commands, and a journal that is
//! dated later than the clock stops the start; an operator who says that the clock is right now lifts both.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;
use windlass_api::error::{Problem, ProblemKind};
use windlass_protocol::Timestamp;

use super::edges::clock;

/// How far a clock may be ahead of what has passed: adjustments and pauses stay below it.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// Watches the clock of one process.
pub struct Watch {
    /// The latest that the clock ever said the machine's start was. A clock that ran back does not lower it: to be put
    /// right again is no jump, and no record is dated earlier than that anyway.
    started: Mutex<Timestamp>,
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

impl From<Jumped> for Problem {
    fn from(jumped: Jumped) -> Self {
        Self::new(ProblemKind::Unavailable, jumped.to_string())
    }
}

impl Watch {
    /// One whose clock has jumped.
    #[cfg(test)]
    pub(super) fn jumped() -> Self {
        Self::began(Timestamp::from_milliseconds(0), passed())
    }

    /// Begins to watch.
    pub fn begin() -> Self {
        Self::began(clock(), passed())
    }

    fn began(clock: Timestamp, passed: Duration) -> Self {
        Self { started: Mutex::new(before(clock, passed)) }
    }

    /// Looks at the clock: it may have gone on as much as time has passed, and a little. A clock that was put right again
    /// is believed again.
    pub fn look(&self) -> Result<(), Jumped> {
        self.judge(clock(), passed())
    }

    /// Judges what the clock says when so much time has passed since the machine's start.
    fn judge(&self, clock: Timestamp, passed: Duration) -> Result<(), Jumped> {
        let mut started = self.started.lock();
        let starts = before(clock, passed);
        let ahead = starts.since(*started);
        if ahead >= TOLERATED {
            return Err(Jumped { seconds: ahead.as_secs() });
        }
        *started = starts.max(*started);
        Ok(())
    }
}

/// Time since the machine's start, sleep included.
fn passed() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The time so long before a moment.
fn before(moment: Timestamp, passed: Duration) -> Timestamp {
    let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_milliseconds(moment.milliseconds().saturating_sub(passed))
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
    fn a_clock_may_go_on_as_time_passes_run_back_and_be_put_right_but_not_jump_ahead() {
        // What the clock says, and how long the machine runs, in seconds; and by how much it has jumped.
        let sequences: [&[(i64, u64, Option<u64>)]; 7] = [
            &[(1000, 0, None), (1000, 0, None), (1299, 0, None)],
            &[(1000, 0, None), (87_400, 86_400, None)],
            &[(1000, 0, None), (1300, 0, Some(300)), (1010, 10, None)],
            &[(1000, 0, None), (4700, 100, Some(3600)), (4710, 110, Some(3600))],
            // It ran back and was put right.
            &[(1000, 0, None), (400, 10, None), (1020, 20, None), (1400, 30, Some(370))],
            &[(1000, 0, None), (400, 10, None), (700, 20, None), (1030, 30, None), (1330, 30, Some(300))],
            // Small steps ahead are taken for granted, one after the other.
            &[(1000, 0, None), (1200, 0, None), (1400, 0, None), (900, 0, None), (1699, 0, None)],
        ];
        for sequence in sequences {
            let at = |clock: i64, passed| {
                (Timestamp::from_milliseconds(clock * 1000), Duration::from_secs(passed))
            };
            let (clock, passed) = at(sequence[0].0, sequence[0].1);
            let watch = Watch::began(clock, passed);
            for &(clock, passed, jumped) in sequence {
                let (now, passed) = at(clock, passed);
                let found = watch.judge(now, passed).err().map(|jumped| jumped.seconds);
                assert_eq!(found, jumped, "{clock} after {} s in {sequence:?}", passed.as_secs());
            }
        }
    }

    #[test]
    fn a_journal_from_the_future_is_refused() {
        assert!(refuse_future(clock().plus_seconds(200)).is_ok());
        let why = refuse_future(clock().plus_seconds(3600)).unwrap_err();
        assert!(why.contains("--accept-clock"), "{why}");
    }
}
