//! The course of a running step towards its end: pure, the time is an argument.

use std::time::{Duration, Instant};

use crate::limits;

/// What has to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing before [`Course::wake_at`].
    Wait,
    /// Ask the step's session to end.
    Terminate,
    /// Kill the step's session.
    Kill,
    /// All is read: write the end down.
    Finish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running { until: Option<Instant> },
    Terminating { kill_at: Option<Instant> },
    Killing { again_at: Instant },
    Draining { until: Instant },
}

/// Where a step is between its start and its end.
#[derive(Debug)]
pub struct Course {
    phase: Phase,
    grace: Duration,
    timed_out: bool,
    stopped: bool,
}

impl Course {
    /// A step that started at `now` and may run for `timeout`; asked to end, it has `grace` to do so.
    pub fn new(now: Instant, timeout: Duration, grace: Duration) -> Self {
        // A sum beyond the end of time means that there is no limit.
        let phase = Phase::Running { until: now.checked_add(timeout) };
        Self { phase, grace, timed_out: false, stopped: false }
    }

    /// Somebody wants the step to end.
    pub fn stop(&mut self, now: Instant) -> Order {
        let Phase::Running { .. } = self.phase else { return Order::Wait };
        self.stopped = true;
        self.terminate(now)
    }

    /// The main process has ended: what else the step started ends with it.
    pub fn main_ended(&mut self, now: Instant) -> Order {
        if let Phase::Draining { .. } = self.phase {
            return Order::Wait;
        }
        self.phase = Phase::Draining { until: now + limits::DRAIN };
        Order::Kill
    }

    /// Looks at the time. `output_open`: whether more output may come.
    pub fn tick(&mut self, now: Instant, output_open: bool) -> Order {
        match self.phase {
            Phase::Running { until: Some(until) } if now >= until => {
                self.timed_out = true;
                self.terminate(now)
            }
            Phase::Terminating { kill_at: Some(at) } | Phase::Killing { again_at: at } if now >= at => {
                self.phase = Phase::Killing { again_at: now + limits::KILL_AGAIN };
                Order::Kill
            }
            Phase::Draining { until } if now >= until || !output_open => Order::Finish,
            _ => Order::Wait,
        }
    }

    /// When [`Course::tick`] has something to do at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Running { until } => until,
            Phase::Terminating { kill_at } => kill_at,
            Phase::Killing { again_at } => Some(again_at),
            Phase::Draining { until } => Some(until),
        }
    }

    /// Whether the step was ended because its time was over.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Whether the step was ended because somebody wanted it.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    fn terminate(&mut self, now: Instant) -> Order {
        self.phase = Phase::Terminating { kill_at: now.checked_add(self.grace) };
        Order::Terminate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_step_that_ends_by_itself_is_drained_and_finished() {
        let start = Instant::now();
        let mut course = Course::new(start, 10 * SECOND, SECOND);
        assert_eq!(course.tick(start + 9 * SECOND, true), Order::Wait);
        assert_eq!(course.main_ended(start + 9 * SECOND), Order::Kill);
        assert_eq!(course.main_ended(start + 9 * SECOND), Order::Wait);
        assert_eq!(course.tick(start + 10 * SECOND, true), Order::Wait);
        assert_eq!(course.tick(start + 10 * SECOND, false), Order::Finish);
        assert_eq!(course.tick(start + 9 * SECOND + limits::DRAIN, true), Order::Finish);
        assert!(!course.timed_out() && !course.stopped());
    }

    #[test]
    fn a_step_that_takes_too_long_is_asked_then_killed_until_it_is_gone() {
        let start = Instant::now();
        let mut course = Course::new(start, 10 * SECOND, 5 * SECOND);
        assert_eq!(course.wake_at(), Some(start + 10 * SECOND));
        assert_eq!(course.tick(start + 10 * SECOND, true), Order::Terminate);
        assert_eq!(course.stop(start + 11 * SECOND), Order::Wait, "it is ending already");
        assert_eq!(course.tick(start + 14 * SECOND, true), Order::Wait);
        assert_eq!(course.tick(start + 15 * SECOND, true), Order::Kill);
        assert_eq!(course.tick(start + 15 * SECOND, true), Order::Wait);
        assert_eq!(course.tick(start + 15 * SECOND + limits::KILL_AGAIN, true), Order::Kill);
        assert_eq!(course.main_ended(start + 16 * SECOND), Order::Kill);
        assert!(course.timed_out() && !course.stopped());
    }

    #[test]
    fn a_step_that_is_stopped_has_its_grace() {
        let start = Instant::now();
        let mut course = Course::new(start, Duration::MAX, SECOND);
        assert_eq!(course.wake_at(), None);
        assert_eq!(course.stop(start), Order::Terminate);
        assert_eq!(course.stop(start), Order::Wait);
        assert_eq!(course.wake_at(), Some(start + SECOND));
        assert_eq!(course.tick(start + SECOND, true), Order::Kill);
        assert!(course.stopped() && !course.timed_out());
    }
}
