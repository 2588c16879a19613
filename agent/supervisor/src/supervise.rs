//! What a supervisor process does, from its first call to the durable `ended`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{self, getpid, getsid, setsid};
use windlass_segments::fail;

use crate::child::close_inherited_files;
use crate::error::{StepError, sentence};
use crate::job::{BadJob, Job};
use crate::launch::{self, Launched};
use crate::lock::{Holder, Lock};
use crate::marks::{self, Ended, Outcome, Recorder};
use crate::signals::Signals;
use crate::variables::{Collector, SealFunction};
use crate::watch::Watch;
use crate::{clock, limits, processes};

/// What a supervisor answers on its standard output once the step is its own. Anything else is why it is not.
pub(crate) const HELD: &str = "held";

/// Why a supervisor did not supervise.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The process could not be separated from the one that started it.
    #[error("the supervisor cannot {action}: {source}")]
    Setup {
        /// What was tried.
        action: &'static str,
        source: io::Error,
    },
    /// A fork copies only the thread that calls it, with the locks of the others held for ever.
    #[error("a supervisor has to be the only thread of its process")]
    Threads,
    /// Others could read the step's folder, or change it.
    #[error("{} is not a folder that belongs to the agent alone (mode 0700)", folder.display())]
    Folder { folder: PathBuf },
    /// A step is never started twice from one folder.
    #[error("the step in {} has been started already", folder.display())]
    Started { folder: PathBuf },
    /// The folder could not be used.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// Runs the step in `folder` and returns when its end is durable. Reads the [`Job`] from standard input.
///
/// Call it first of all in `main`: it closes every file but the standard ones, it needs to be the only thread, and it
/// leaves the caller's session. It answers once on standard output, for [`crate::start`] to read; its exit code tells
/// nobody anything that the folder does not.
pub fn supervise(folder: &Path, seal: SealFunction<'_>) -> Result<(), SuperviseError> {
    let claimed = separate(folder).and_then(|(folder, signals)| Ok((claim(&folder)?, signals)));
    let (mut step, signals) = match claimed {
        Ok(claimed) => {
            answer(HELD)?;
            claimed
        }
        Err(error) => {
            answer(&sentence(&error))?;
            return Err(error);
        }
    };
    let job = Job::read(io::stdin().lock());
    replace_by_null("close the job's pipe", unistd::dup2_stdin)?;
    let job = match job {
        Ok(job) => job,
        // The agent that wrote it is gone; the next one finds that nothing ran.
        Err(BadJob::Malformed { .. }) => return step.end(None, ended(Outcome::Void, false)),
        Err(error) => return step.end(None, not_started(sentence(&error), false)),
    };
    let mut variables = Collector::new(seal, job.seal_to);
    let ended = match launch::launch(&mut step.recorder, &job, &signals) {
        Launched::Running(child) => {
            let watch = Watch::new(&step.folder, child, &job, &mut variables);
            // Wiped before the long wait.
            drop(job);
            watch.until_end(&signals)
        }
        Launched::NotStarted { reason, stopped } => not_started(reason, stopped),
    };
    step.end(Some(&variables), ended)
}

/// A step whose lock this process holds and which has no mark yet.
struct Step {
    folder: PathBuf,
    recorder: Recorder,
    /// Dropped last: who can take it knows that nothing is written any more.
    _lock: Lock,
}

impl Step {
    /// Writes the end down, however long the disk refuses: nobody else can tell how the step ended. For what the step set
    /// there may be no room on a full disk, and waiting for it would be waiting for the step's own files to go.
    fn end(&mut self, variables: Option<&Collector<'_>>, ended: Ended) -> Result<(), SuperviseError> {
        fail::point("supervisor-before-ended");
        loop {
            let kept = variables.map_or(Ok(()), |variables| variables.write(&self.folder));
            let written = match kept {
                Err(error) if error.is_full() => {
                    let reason = format!("its output variables cannot be kept: the disk is full: {error}");
                    self.recorder.ended(&ended.without_variables(reason))
                }
                kept => kept.and_then(|()| self.recorder.ended(&ended)),
            };
            match written {
                Ok(()) => break,
                // Without the folder nobody is left who wants to know.
                Err(error) if !self.folder.try_exists().unwrap_or(true) => return Err(error.into()),
                Err(_) => thread::sleep(limits::DISK_PATIENCE),
            }
        }
        fail::point("supervisor-after-ended");
        Ok(())
    }
}

/// Leaves everything behind that the agent's process has: its files, its session, its signals.
fn separate(folder: &Path) -> Result<(PathBuf, Signals), SuperviseError> {
    let setup = |action| move |source| SuperviseError::Setup { action, source };
    close_inherited_files().map_err(setup("close the files that it inherited"))?;
    if fs::read_dir("/proc/self/task").map_err(setup("count its threads"))?.count() != 1 {
        return Err(SuperviseError::Threads);
    }
    let folder = std::path::absolute(folder).map_err(setup("find the step's folder"))?;
    match setsid() {
        Err(Errno::EPERM) if getsid(None) == Ok(getpid()) => {}
        result => drop(result.map_err(|error| setup("make a session of its own")(error.into()))?),
    }
    let signals = Signals::listen().map_err(setup("listen to signals"))?;
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    hide_memory().map_err(setup("hide its memory"))?;
    unistd::chdir("/").map_err(|error| setup("leave its folder")(error.into()))?;
    Ok((folder, signals))
}

/// For a process that holds secrets, and for those that it starts before they start others: no core dump, and no look
/// into its memory by what runs as the same user (THREATS F1).
pub fn hide_memory() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(prctl::set_dumpable(false)?)
}

/// Takes the step's lock, and makes sure that the step was never started.
fn claim(folder: &Path) -> Result<Step, SuperviseError> {
    let private = fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir() && found.permissions().mode() & 0o077 == 0 && found.uid() == unistd::geteuid().as_raw()
    });
    if !private {
        return Err(SuperviseError::Folder { folder: folder.to_owned() });
    }
    let supervised = || StepError::Supervised { folder: folder.to_owned() };
    let mut lock = Lock::take(folder)?.ok_or_else(supervised)?;
    let marks = marks::read(folder)?;
    if marks.started.is_some() || marks.ended.is_some() {
        return Err(SuperviseError::Started { folder: folder.to_owned() });
    }
    let setup = |source| SuperviseError::Setup { action: "sign the step's lock", source };
    let pid = getpid().as_raw();
    let own = processes::stat(pid).map_err(setup)?.ok_or_else(|| setup(io::ErrorKind::NotFound.into()))?;
    let boot_id = processes::boot_id().map_err(setup)?;
    lock.sign(&Holder { pid, start_time: own.start_time, boot_id }).map_err(setup)?;
    Ok(Step { folder: folder.to_owned(), recorder: Recorder::open(folder)?, _lock: lock })
}

/// Tells the agent, if it still listens, what has become of its request, and closes the pipe.
fn answer(text: &str) -> Result<(), SuperviseError> {
    let mut output = io::stdout().lock();
    // An agent that has gone meanwhile finds out from the folder.
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    replace_by_null("close its answer's pipe", unistd::dup2_stdout)
}

fn replace_by_null(
    action: &'static str,
    replace: impl FnOnce(File) -> nix::Result<()>,
) -> Result<(), SuperviseError> {
    let null = File::options().read(true).write(true).open("/dev/null");
    null.and_then(|null| Ok(replace(null)?)).map_err(|source| SuperviseError::Setup { action, source })
}

fn not_started(reason: String, stopped: bool) -> Ended {
    ended(Outcome::NotStarted { reason }, stopped)
}

fn ended(outcome: Outcome, stopped: bool) -> Ended {
    Ended { outcome, timed_out: false, stopped, dropped_bytes: 0, time: clock::now() }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::getrlimit;

    use super::*;

    #[test]
    fn a_process_that_hides_its_memory_is_not_dumped() {
        hide_memory().expect("any process may");
        assert!(!prctl::get_dumpable().expect("asked"));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).expect("asked"), (0, 0));
    }
}
