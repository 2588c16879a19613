//! What can go wrong with a step's folder, for both sides.

use std::io;
use std::path::{Path, PathBuf};

use windlass_segments::SegmentError;

/// Why a step's folder could not be read, changed or judged.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The durable lines in the folder could not be read or written.
    #[error(transparent)]
    Segments(#[from] SegmentError),
    /// The operating system refused something; the source says what.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A durable line that no version of this program has written.
    #[error("line {line} of {} is not understood: {reason}", folder.display())]
    Damaged { folder: PathBuf, line: u64, reason: String },
    /// The step cannot be buried, because its supervisor lives.
    #[error("the supervisor of {} is alive", folder.display())]
    Supervised { folder: PathBuf },
    /// The step cannot be stopped, because it has no living supervisor.
    #[error("{} has no living supervisor", folder.display())]
    Unsupervised { folder: PathBuf },
    /// Processes of the step did not disappear though they were killed; they hang in the kernel.
    #[error("{} processes of session {session} were killed and do not disappear", processes.len())]
    Undead {
        /// The session, which is also the process id of the step's main process.
        session: i32,
        processes: Vec<i32>,
    },
}

impl StepError {
    /// Whether the disk, or what may be taken of it, is used up.
    pub(crate) const fn is_full(&self) -> bool {
        matches!(self, Self::Segments(SegmentError::Full { .. }))
    }

    /// For `map_err`: `action` failed on `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// An error with all its causes as one sentence, for places that keep only text.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
