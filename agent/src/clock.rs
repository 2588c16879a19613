//! The time by which a coordinator's certificate is judged: the coordinator's own, as far as it is known here.
//!
//! A machine's clock may be dead, or be set to anything. Since a session of this process told the time, it has gone on as
//! the machine has run, whatever the machine's clock says meanwhile. Before that there is the machine's own clock. And it
//! is never earlier than the latest that any session was told (SEMANTICS 3).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use windlass_protocol::Timestamp;

/// The coordinator's clock, as it is known here.
#[derive(Debug)]
pub(super) struct CoordinatorClock(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// The latest time that was told to this process or an earlier one.
    latest: Timestamp,
    /// What was told last to this process, and how long the machine had run then.
    told: Option<(Timestamp, Duration)>,
}

impl CoordinatorClock {
    /// A clock that begins with the latest time that was told to an earlier process.
    pub(super) const fn new(latest: Timestamp) -> Self {
        Self(Mutex::new(Known { latest, told: None }))
    }

    /// The coordinator told the time.
    pub(super) fn told(&self, time: Timestamp) {
        self.known().told(time, run());
    }

    /// The latest time that any session was told.
    pub(super) fn latest(&self) -> Timestamp {
        self.known().latest
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeProvider for CoordinatorClock {
    fn current_time(&self) -> Option<UnixTime> {
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(UnixTime::since_unix_epoch(self.known().now(machine, run())))
    }
}

impl Known {
    fn told(&mut self, time: Timestamp, run: Duration) {
        self.latest = self.latest.max(time);
        self.told = Some((time, run));
    }

    /// The time since 1970 when the machine's clock says this and the machine has run for so long.
    fn now(&self, machine: Duration, run: Duration) -> Duration {
        let now = self.told.map_or(machine, |(time, then)| since_1970(time) + run.saturating_sub(then));
        now.max(since_1970(self.latest))
    }
}

fn since_1970(time: Timestamp) -> Duration {
    time.since(Timestamp::from_milliseconds(0))
}

/// How long the machine has run, sleep included.
fn run() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_coordinators_as_soon_as_it_told_one_and_never_earlier_than_that() {
        let seconds = Duration::from_secs;
        let at = |seconds: i64| Timestamp::from_milliseconds(seconds * 1000);
        // The latest that was stored; what was told in this process and how long the machine ran then; the machine's
        // clock; the time that it is when the machine has run for 100 s.
        for (latest, told, machine, now) in [
            (0, None, 5000, 5000),
            (4000, None, 5000, 5000),
            // A dead clock.
            (4000, None, 0, 4000),
            (4000, Some((6000, 40)), 0, 6060),
            // One that was set to anything.
            (4000, Some((6000, 40)), 9_000_000, 6060),
            (4000, Some((6000, 100)), 5000, 6000),
            // A coordinator whose own clock ran back.
            (4000, Some((1000, 40)), 5000, 4000),
            (4000, Some((3990, 40)), 5000, 4050),
        ] {
            let mut known = Known { latest: at(latest), told: None };
            if let Some((time, run)) = told {
                known.told(at(time), seconds(run));
            }
            let found = known.now(seconds(machine), seconds(100));
            assert_eq!(found, seconds(now), "{latest} {told:?} {machine}");
        }
        let mut known = Known { latest: at(0), told: None };
        known.told(at(6000), seconds(10));
        known.told(at(2000), seconds(20));
        assert_eq!(known.now(seconds(0), seconds(20)), seconds(6000), "what was told is kept");
    }
}
