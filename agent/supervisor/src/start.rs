//! The agent's side: starting the supervisor of a step.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::error::sentence;
use crate::job::{BadJob, Job};
use crate::supervise::HELD;

/// Variables that begin so are passed on to the supervisor; crash tests set them.
const PASSED_ON: &str = "WINDLASS_FAIL_";
/// The longest answer that is read.
const ANSWER_BYTES: u64 = 4096;

/// Why no supervisor has taken the step. Nothing of the step runs, or will run from this start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The job cannot be sent.
    #[error(transparent)]
    Job(#[from] BadJob),
    /// The supervisor's program did not run.
    #[error("the supervisor {} cannot be run: {source}", binary.display())]
    Spawn { binary: PathBuf, source: io::Error },
    /// The supervisor has a reason.
    #[error("the supervisor refused the step: {reason}")]
    Refused {
        /// Its own sentence.
        reason: String,
    },
    /// The supervisor ended without an answer, or before it had the whole job.
    #[error("the supervisor ended before it had the step")]
    Gone,
}

/// Starts `binary arguments… folder`, which has to call [`crate::supervise()`] with the folder, and hands it the job.
///
/// Blocks for the time of a process start and an fsync. On return the supervisor holds the step's lock and has its
/// job; it depends on the caller's process no longer. After an error nothing of the step has run or will. A caller
/// that was itself killed inside this call asks [`crate::inspect`].
pub fn start(
    binary: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    folder: &Path,
    job: &Job,
) -> Result<(), StartError> {
    let text = job.to_bytes()?;
    let spawn = |source| StartError::Spawn { binary: binary.to_owned(), source };
    let folder = std::path::absolute(folder).map_err(spawn)?;
    let mut supervisor = Command::new(binary)
        .args(arguments)
        .arg(folder)
        .env_clear()
        .envs(
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(PASSED_ON.as_bytes())),
        )
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(spawn)?;
    let sent = send(&mut supervisor, &text);
    let answer = receive(&mut supervisor);
    reap(supervisor);
    match answer.as_deref() {
        Ok(HELD) if sent.is_ok() => Ok(()),
        Ok("" | HELD) | Err(_) => Err(StartError::Gone),
        Ok(reason) => Err(StartError::Refused { reason: reason.to_owned() }),
    }
}

/// Writes the job. Fails if the supervisor ends first, about which its answer tells more.
fn send(supervisor: &mut Child, job: &[u8]) -> io::Result<()> {
    let mut pipe = supervisor.stdin.take().expect("the pipe was asked for");
    pipe.write_all(job)
}

/// Reads until the supervisor closes its end, which it does right after its answer.
fn receive(supervisor: &mut Child) -> io::Result<String> {
    let pipe = supervisor.stdout.take().expect("the pipe was asked for");
    let mut answer = Vec::new();
    pipe.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

/// Waits for the supervisor's end in the background, so that it leaves no zombie as long as this process lives.
fn reap(mut supervisor: Child) {
    let wait = move || drop(supervisor.wait());
    // Without a thread it stays a zombie until this process ends, which harms nothing but the list of processes.
    let _ = thread::Builder::new().name("reap-supervisor".into()).stack_size(64 << 10).spawn(wait);
}

impl StartError {
    /// The error with its causes in one sentence, for a task log.
    pub fn sentence(&self) -> String {
        sentence(self)
    }
}
