//! From a job to a running program, with the durable `started` in between.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use windlass_segments::fail;

use crate::child::{Child, Failure, Prepared, Report};
use crate::error::sentence;
use crate::job::Job;
use crate::marks::{Recorder, Started};
use crate::signals::Signals;
use crate::{clock, processes};

/// What became of a job.
pub enum Launched {
    /// Its program runs, or is just about to report why it cannot.
    Running(Child),
    /// Nothing of it ran or will.
    NotStarted {
        /// Why, in one sentence.
        reason: String,
        /// Whether because somebody wanted it to end.
        stopped: bool,
    },
}

/// Makes the process, marks it as started, and lets it go, in this order: whatever dies in between, the program has
/// not run without its mark.
pub fn launch(recorder: &mut Recorder, job: &Job, signals: &Signals) -> Launched {
    let refused = |reason| Launched::NotStarted { reason, stopped: false };
    let prepared = match Prepared::new(job) {
        Ok(prepared) => prepared,
        Err(error) => return refused(sentence(&error)),
    };
    let mut child = match Child::fork(&prepared) {
        Ok(child) => child,
        Err(error) => return refused(format!("the step's process cannot be made: {error}")),
    };
    drop(prepared);
    fail::point("supervisor-after-fork");
    match wait_until_ready(&mut child, job, signals) {
        Ok(None) => {}
        Ok(Some(refusal)) => return refusal,
        Err(error) => return refused(format!("the step's process cannot be prepared: {error}")),
    }
    fail::point("supervisor-before-started");
    if let Err(reason) = mark(recorder, &child) {
        return refused(reason);
    }
    fail::point("supervisor-after-started");
    child.open_gate();
    fail::point("supervisor-after-gate");
    Launched::Running(child)
}

/// Waits for the child's first report, as long as the job may run. `None`: it is ready.
fn wait_until_ready(child: &mut Child, job: &Job, signals: &Signals) -> io::Result<Option<Launched>> {
    let refused = |reason, stopped| Ok(Some(Launched::NotStarted { reason, stopped }));
    let until = Instant::now().checked_add(job.timeout);
    loop {
        if signals.take()?.stop {
            return refused("the step was stopped before it began".to_owned(), true);
        }
        let mut files = [
            PollFd::new(child.reports(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut files, timeout(until)) {
            Ok(0) if until.is_some_and(|until| Instant::now() >= until) => {
                return refused("the step's process was not ready in time".to_owned(), false);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !files[0].any().unwrap_or_default() {
            continue;
        }
        return match child.report() {
            Some(Report::Ready) => Ok(None),
            Some(Report::Failed(failure)) => refused(failure_sentence(failure, job), false),
            None => refused("the step's process ended before it began".to_owned(), false),
        };
    }
}

/// What a failure says, with the job's own words.
fn failure_sentence(failure: Failure, job: &Job) -> String {
    let program = job.program.first().map_or("", String::as_str);
    let folder = job.working_folder.display().to_string();
    failure.sentence(program, &folder, job.account.map(|account| account.uid))
}

/// The time until `until` as poll takes it, rounded up so that it has come when poll returns.
pub fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    let left = until.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_millis() + u128::from(!left.is_zero())).unwrap_or(PollTimeout::MAX)
}

fn mark(recorder: &mut Recorder, child: &Child) -> Result<(), String> {
    let pid = child.pid();
    let unknown = |error: io::Error| format!("the step's process cannot be identified: {error}");
    let stat =
        processes::stat(pid).map_err(unknown)?.ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))?;
    let started = Started {
        pid,
        pgid: stat.group,
        start_time: stat.start_time,
        boot_id: processes::boot_id().map_err(unknown)?,
        time: clock::now(),
    };
    recorder
        .started(&started)
        .map_err(|error| format!("the step's start cannot be written down: {}", sentence(&error)))
}
