//! Whether the machine's clock can be believed.
//!
//! Deadlines, expiries and rights follow it, and a record that is dated too late would hold all of them still until the
//! world has caught up. So a clock that jumps ahead of the time that has passed stops commands, and a journal that is
//! dated later than the clock stops the start; an operator who says that the clock is right now lifts both. What agents
//! are told, and what else has to go on meanwhile, goes by the time that has passed since the clock was right: agents keep
//! the latest time that they were told, and would take nothing of an earlier one.
//!
//! A clock that was ahead when something was recorded, and is right again, is behind what it said. Time does not run back,
//! and must not stand still, or nothing would ever be due: it goes on at half its pace until the clock has caught up.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use windlass_api::error::{Problem, ProblemKind};
use windlass_protocol::Timestamp;

use super::edges::{clock, passed};
use crate::trouble::Trouble;

/// How far a clock may be ahead of what has passed: adjustments and pauses stay below it.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// The watch of this process.
static WATCH: LazyLock<Arc<Watch>> = LazyLock::new(|| Arc::new(Watch::begin()));

/// The time of the newest record that this process knows. Rights are judged by the same time as records are dated, and it
/// never runs back, whatever the machine's clock does.
static NEWEST: Newest = Newest { at: Mutex::new(None), behind: Trouble::none() };

/// Now: by this machine's clock as far as it can be believed, and never earlier than what was recorded.
pub fn now() -> Timestamp {
    NEWEST.goes_on(believed(), passed())
}

/// What this machine's clock says, as far as it can be believed: what other machines judge by their own clocks is dated
/// by it.
pub fn believed() -> Timestamp {
    WATCH.believed(clock(), passed())
}

/// The latest that it may be: whether a person's right has ended. A machine that slept was right to jump, and one whose
/// clock is wrong refuses people until it is put right, and keeps nothing of it.
pub fn latest() -> Timestamp {
    now().max(clock())
}

/// Something was recorded at this time.
pub(super) fn recorded(time: Timestamp) {
    NEWEST.recorded(time, passed());
}

/// The time of the newest record, as it goes on.
struct Newest {
    /// It, and how long the machine ran when this process came to know of it.
    at: Mutex<Option<(Timestamp, Duration)>>,
    /// Whether the clock was behind it when it was looked at last: that it is, and that it is over, is logged once.
    behind: Trouble,
}

impl Newest {
    fn recorded(&self, time: Timestamp, passed: Duration) {
        let mut at = self.at.lock();
        if slewed(*at, passed).is_none_or(|known| time > known) {
            *at = Some((time, passed));
        }
    }

    /// The time that it is when the clock is believed to say this and the machine ran so long.
    fn goes_on(&self, clock: Timestamp, passed: Duration) -> Timestamp {
        let Some(newest) = slewed(*self.at.lock(), passed) else { return clock };
        let behind = newest.since(clock);
        if behind >= TOLERATED && self.behind.begins() {
            tracing::warn!(
                "this machine's clock is {} s behind the newest record; until it has caught up, time goes on at half its pace",
                behind.as_secs()
            );
        }
        if behind.is_zero() && self.behind.ends() {
            tracing::info!("this machine's clock has caught up with the record");
        }
        newest.max(clock)
    }
}

/// What a moment has become at half the pace of what has passed since.
fn slewed(at: Option<(Timestamp, Duration)>, passed: Duration) -> Option<Timestamp> {
    let (time, then) = at?;
    let since = i64::try_from(passed.saturating_sub(then).as_millis() / 2).unwrap_or(i64::MAX);
    Some(Timestamp::from_milliseconds(time.milliseconds().saturating_add(since)))
}

/// Watches the clock of one process.
pub struct Watch {
    /// The latest that the clock ever said the machine's start was. A clock that ran back does not lower it: to be put
    /// right again is no jump, and no record is dated earlier than that anyway.
    started: Mutex<Timestamp>,
    /// Whether it had jumped when it was looked at last: that it has, and that it is over, is logged once.
    jumped: Trouble,
}

/// The clock jumped ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock has jumped ahead by {seconds} s, and nothing is done: if it is wrong, put it right; if it is \
     right, start the coordinator anew with `serve --accept-clock`"
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

    /// That of this process.
    pub(super) fn of_process() -> Arc<Self> {
        Arc::clone(&WATCH)
    }

    /// Begins to watch.
    pub(super) fn begin() -> Self {
        Self::began(clock(), passed())
    }

    fn began(clock: Timestamp, passed: Duration) -> Self {
        Self { started: Mutex::new(before(clock, passed)), jumped: Trouble::none() }
    }

    /// Looks at the clock: it may have gone on as much as time has passed, and a little. A clock that was put right again
    /// is believed again.
    pub fn look(&self) -> Result<(), Jumped> {
        self.judge(clock(), passed())
    }

    /// The time by what the clock says now that so much time has passed since the machine's start.
    fn believed(&self, clock: Timestamp, passed: Duration) -> Timestamp {
        if self.judge(clock, passed).is_ok() {
            return clock;
        }
        let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_milliseconds(self.started.lock().milliseconds().saturating_add(passed))
    }

    /// Judges what the clock says when so much time has passed since the machine's start.
    fn judge(&self, clock: Timestamp, passed: Duration) -> Result<(), Jumped> {
        let mut started = self.started.lock();
        let starts = before(clock, passed);
        let ahead = starts.since(*started);
        if ahead >= TOLERATED {
            let jumped = Jumped { seconds: ahead.as_secs() };
            if self.jumped.begins() {
                tracing::error!("{jumped}");
            }
            return Err(jumped);
        }
        *started = starts.max(*started);
        if self.jumped.ends() {
            tracing::info!("this machine's clock is believed again; what waited for it goes on");
        }
        Ok(())
    }
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
         --accept-clock if it is right: then time goes on at half its pace until it has caught up",
        ahead / 1000
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::lines_of;

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
                // While it is not believed, time goes on as it passes.
                let ahead = i64::try_from(jumped.unwrap_or(0)).expect("it is small");
                let right = Timestamp::from_milliseconds((clock - ahead) * 1000);
                assert_eq!(watch.believed(now, passed), right, "{clock} in {sequence:?}");
            }
        }
    }

    #[test]
    fn that_the_clock_jumped_and_that_it_is_right_again_is_each_one_line_of_the_log() {
        let at = |seconds: i64| Timestamp::from_milliseconds(seconds * 1000);
        let lines = lines_of(|| {
            let watch = Watch::began(at(1000), Duration::ZERO);
            for clock in [1000, 5000, 5000, 5001, 1001, 1000, 9000, 9000] {
                let _ = watch.judge(at(clock), Duration::ZERO);
                watch.believed(at(clock), Duration::ZERO);
            }
        });
        let said = ["--accept-clock", "believed again", "--accept-clock"];
        assert_eq!(lines.len(), said.len(), "{lines:?}");
        for (line, said) in lines.iter().zip(said) {
            assert!(line.contains(said), "{said} in {line}");
        }
    }

    #[test]
    fn what_was_recorded_too_late_holds_nothing_still() {
        let at = |seconds: i64| Timestamp::from_milliseconds(seconds * 1000);
        let newest = Newest { at: Mutex::new(None), behind: Trouble::none() };
        // What the clock says, how long the machine runs, and the time that it is; what it is, is recorded each time.
        let steps = [
            (1000, 0, 1000),
            (1100, 100, 1100),
            // It was ahead for one record, and is right again.
            (9000, 110, 9000),
            (1120, 120, 9005),
            (1121, 121, 9005),
            (1320, 320, 9105),
            (16_000, 15_000, 16_445),
            (16_889, 15_889, 16_889),
            (17_000, 16_000, 17_000),
        ];
        let lines = lines_of(|| {
            for (clock, passed, expected) in steps {
                let passed = Duration::from_secs(passed);
                let time = newest.goes_on(at(clock), passed);
                assert_eq!(time.milliseconds() / 1000, expected, "{clock}");
                newest.recorded(time, passed);
            }
            // However often: a half of a millisecond is not lost each time.
            let steps = (0..10_000).map(|step| Duration::from_secs(16_000) + Duration::from_millis(step));
            let last = steps.map(|passed| {
                let time = newest.goes_on(at(1000), passed);
                newest.recorded(time, passed);
                time
            });
            assert_eq!(last.last(), Some(Timestamp::from_milliseconds(17_004_999)));
        });
        let said = ["s behind", "caught up", "s behind"];
        assert!(
            lines.len() == said.len() && lines.iter().zip(said).all(|(line, said)| line.contains(said)),
            "{lines:?}"
        );
    }

    #[test]
    fn a_journal_from_the_future_is_refused() {
        assert!(refuse_future(clock().plus_seconds(200)).is_ok());
        let why = refuse_future(clock().plus_seconds(3600)).unwrap_err();
        assert!(why.contains("--accept-clock"), "{why}");
    }
}
