//! The agent's side: what has become of a step, ending one whose supervisor was lost, and stopping one that runs.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::StepError;
use crate::lock::{self, Lock};
use crate::marks::{self, Ended, Marks, Outcome, Recorder, Started};
use crate::{clock, limits, processes};

/// How it stands with the step in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStatus {
    /// No supervisor, no mark. Nothing has run; but a supervisor that was started before may just be about to take
    /// the step. Who wants to be sure that it won't buries it.
    NotStarted,
    /// A supervisor has the step and has not marked it yet.
    Starting,
    /// A supervisor has the step, and it may run.
    Running { started: Started },
    /// The step has ended.
    Ended {
        /// Its first mark; none if it ended before it.
        started: Option<Started>,
        ended: Ended,
    },
    /// The supervisor is gone and did not write down how the step ended: [`bury`] it.
    Lost { started: Started },
}

/// How it stands with the step in `folder`. Changes nothing, and disturbs no supervisor.
pub fn inspect(folder: &Path) -> Result<StepStatus, StepError> {
    loop {
        let before = marks::read(folder)?;
        let held = lock::is_held(folder)?;
        if let Some(status) = judge(before, held, || marks::read(folder))? {
            return Ok(status);
        }
    }
}

/// `before` was read before the lock was looked at, `after` reads again. `None` if a supervisor came in between, so
/// that whether it is still there is unknown.
fn judge(
    before: Marks,
    held: bool,
    after: impl FnOnce() -> Result<Marks, StepError>,
) -> Result<Option<StepStatus>, StepError> {
    if let Some(ended) = before.ended {
        return Ok(Some(StepStatus::Ended { started: before.started, ended }));
    }
    if held {
        return Ok(Some(
            before.started.map_or(StepStatus::Starting, |started| StepStatus::Running { started }),
        ));
    }
    // Nobody held the lock after the first look. What is there now was complete then, or is somebody else's.
    let after = after()?;
    Ok(match (before.started, after) {
        (_, Marks { started, ended: Some(ended) }) => Some(StepStatus::Ended { started, ended }),
        (Some(started), _) => Some(StepStatus::Lost { started }),
        (None, Marks { started: None, .. }) => Some(StepStatus::NotStarted),
        (None, Marks { started: Some(_), .. }) => None,
    })
}

/// Ends a step that has no supervisor: kills what is left of it, waits until that is gone, and writes a durable
/// `ended`, of unknown outcome if the step may have run. A step that was never started can't be started from this
/// folder afterwards. Returns the end; that of a step that has ended already is left as it is.
///
/// Fails with [`StepError::Supervised`] if a supervisor lives. May be tried again after any error.
pub fn bury(folder: &Path) -> Result<Ended, StepError> {
    let supervised = || StepError::Supervised { folder: folder.to_owned() };
    let _lock = Lock::take(folder)?.ok_or_else(supervised)?;
    let Marks { started, ended } = marks::read(folder)?;
    if let Some(ended) = ended {
        return Ok(ended);
    }
    let outcome = match started {
        Some(started) => {
            kill_remains(&started)?;
            Outcome::Unknown
        }
        None => Outcome::Void,
    };
    let ended = Ended { outcome, timed_out: false, stopped: false, dropped_bytes: 0, time: clock::now() };
    Recorder::open(folder)?.ended(&ended)?;
    Ok(ended)
}

/// Asks the supervisor of the step in `folder` to stop it: as at its timeout, it is asked to end and later killed.
/// Returns at once; [`inspect`] tells when it has ended.
pub fn stop(folder: &Path) -> Result<(), StepError> {
    let unsupervised = || StepError::Unsupervised { folder: folder.to_owned() };
    if !lock::is_held(folder)? {
        return Err(unsupervised());
    }
    let holder = lock::holder(folder)?.ok_or_else(unsupervised)?;
    let signalling = || StepError::io("stop the supervisor of", folder);
    if holder.boot_id != processes::boot_id().map_err(signalling())? {
        return Err(unsupervised());
    }
    let sent = processes::send(holder.pid, Signal::TERM, |stat| stat.start_time == holder.start_time);
    if sent.map_err(signalling())? { Ok(()) } else { Err(unsupervised()) }
}

/// Kills the session of a lost step until nothing of it is left.
fn kill_remains(started: &Started) -> Result<(), StepError> {
    let reading = |source: io::Error| StepError::Io { action: "look at", path: "/proc".into(), source };
    let until = Instant::now() + limits::BURIAL;
    loop {
        if !may_have_remains(started).map_err(reading)? {
            return Ok(());
        }
        let processes = processes::kill_session(started.pgid).map_err(reading)?;
        if processes.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(StepError::Undead { session: started.pgid, processes });
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether processes of the step's session can be there and are the step's. Not after the machine was started anew,
/// and not if the main process's id belongs to another process: an id is not given away while a session has it.
fn may_have_remains(started: &Started) -> io::Result<bool> {
    let found = processes::stat(started.pid)?;
    let reused = found.is_some_and(|stat| stat.start_time != started.start_time);
    Ok(!reused && processes::boot_id()? == started.boot_id)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn started() -> Started {
        Started { pid: 7, pgid: 7, start_time: 8, boot_id: "b".into(), time: 9 }
    }

    fn ended() -> Ended {
        let outcome = Outcome::Exited { code: 0 };
        Ended { outcome, timed_out: false, stopped: false, dropped_bytes: 0, time: 10 }
    }

    #[test]
    fn a_standing_follows_from_two_looks_at_the_marks_and_one_at_the_lock_between() {
        let none = Marks::default();
        let begun = Marks { started: Some(started()), ended: None };
        let over = Marks { started: Some(started()), ended: Some(ended()) };
        let running = Some(StepStatus::Running { started: started() });
        let finished = Some(StepStatus::Ended { started: Some(started()), ended: ended() });
        let lost = Some(StepStatus::Lost { started: started() });
        let cases = [
            (&none, false, &none, Some(StepStatus::NotStarted)),
            (&none, true, &none, Some(StepStatus::Starting)),
            (&begun, true, &begun, running.clone()),
            (&begun, true, &over, running),
            (&over, true, &over, finished.clone()),
            (&over, false, &over, finished.clone()),
            (&begun, false, &begun, lost),
            (&begun, false, &over, finished.clone()),
            (&none, false, &over, finished),
            (&none, false, &begun, None),
        ];
        for (before, held, after, expected) in cases {
            let found = judge(before.clone(), held, || Ok(after.clone())).expect("no error is given");
            assert_eq!(found, expected, "{before:?} {held} {after:?}");
        }
    }

    /// Buries a step whose mark names a living process as it is, or as `change` makes it. Whether the process lives on.
    fn outlives_burial(change: impl FnOnce(&mut Started)) -> bool {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut process =
            Command::new("setsid").args(["sleep", "60"]).stdin(Stdio::null()).spawn().expect("setsid runs");
        let pid = i32::try_from(process.id()).expect("a process id");
        let stat = loop {
            match processes::stat(pid).expect("read").expect("there") {
                stat if stat.session == pid => break stat,
                _ => thread::sleep(Duration::from_millis(1)),
            }
        };
        let boot_id = processes::boot_id().expect("read");
        let mut started = Started { pid, pgid: pid, start_time: stat.start_time, boot_id, time: 1 };
        change(&mut started);
        Recorder::open(folder.path()).and_then(|mut marks| marks.started(&started)).expect("written");
        assert_eq!(inspect(folder.path()).expect("inspected"), StepStatus::Lost { started: started.clone() });

        let buried = bury(folder.path()).expect("buried");
        assert_eq!(buried.outcome, Outcome::Unknown);
        let over = StepStatus::Ended { started: Some(started), ended: buried.clone() };
        assert_eq!(inspect(folder.path()).expect("inspected"), over);
        assert_eq!(bury(folder.path()).expect("buried again"), buried);
        let lives = process.try_wait().expect("asked").is_none();
        process.kill().and_then(|()| process.wait()).expect("ended");
        lives
    }

    #[test]
    fn burying_kills_the_step_and_no_other_process_that_has_its_number() {
        assert!(!outlives_burial(|_| ()));
        assert!(outlives_burial(|started| started.start_time += 1));
        assert!(outlives_burial(|started| started.boot_id.push('x')));
    }

    #[test]
    fn a_step_that_was_never_started_can_be_buried_and_not_stopped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(inspect(folder.path()).expect("inspected"), StepStatus::NotStarted);
        assert!(matches!(stop(folder.path()), Err(StepError::Unsupervised { .. })));
        assert_eq!(bury(folder.path()).expect("buried").outcome, Outcome::Void);
    }

    #[test]
    fn a_step_that_is_supervised_is_not_buried() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _lock = Lock::take(folder.path()).expect("tried").expect("free");
        assert_eq!(inspect(folder.path()).expect("inspected"), StepStatus::Starting);
        assert!(matches!(bury(folder.path()), Err(StepError::Supervised { .. })));
        assert!(
            matches!(stop(folder.path()), Err(StepError::Unsupervised { .. })),
            "the holder has not signed"
        );
    }
}
