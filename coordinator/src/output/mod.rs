//! The output of steps: lines in segment files of their own, unchained, acknowledged after fdatasync.
//!
//! One line of the files is a batch of one assignment's lines. Which batch is where stands in a sled index, which can
//! be rebuilt from the files and is, as far as it lags behind them. Both have limits: what one assignment may have,
//! and what all output together may take ([`Limits`]). While the disk does not work nothing is acknowledged, and the
//! store is opened again and again until it does.

mod batch;
mod files;
mod index;
mod read;
mod retention;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::OutputLine;
use windlass_segments::SegmentError;
use windlass_store::StoreError;

use batch::Batch;
use index::Index;
pub use read::{Missing, NumberedLine, Piece, Why};

/// Appends that may wait.
const QUEUE: usize = 1024;
/// Bytes of one assignment's output that are kept: the agent's own cap of 32 MiB for each of the four hooks of a
/// package, and a little. It is not taken on the agent's word.
const ASSIGNMENT_BYTES: u64 = 144 << 20;

/// Why output cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The files.
    #[error(transparent)]
    Segments(#[from] SegmentError),
    /// The index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A line of the files is no batch.
    #[error("line {0} of the output files is damaged")]
    Damaged(u64),
    /// No assignment has so many lines.
    #[error("lines with such numbers cannot be")]
    Numbers,
    /// The disk does not work, and nothing was acknowledged; or the coordinator stops.
    #[error("the store of output does not work at the moment")]
    NotWorking,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one assignment's output. What comes after them is acknowledged, counted, and not kept.
    pub assignment_bytes: u64,
    /// Bytes of all output. Beyond them the oldest goes, a whole segment at a time.
    pub total_bytes: u64,
    /// Bytes of a segment: a reader skips from the start of one, and it is what is removed at once.
    pub segment_bytes: u64,
}

impl Limits {
    /// The limits of an installation that keeps this many bytes of output altogether.
    pub const fn with_total(total_bytes: u64) -> Self {
        Self { assignment_bytes: ASSIGNMENT_BYTES, total_bytes, segment_bytes: 4 << 20 }
    }
}

/// The index, for as long as there is one: it is opened anew after its disk has failed.
#[derive(Clone)]
struct SharedIndex(Arc<RwLock<Option<Arc<Index>>>>);

impl SharedIndex {
    fn get(&self) -> Result<Arc<Index>, OutputError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(OutputError::NotWorking)
    }

    fn set(&self, index: Option<Arc<Index>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = index;
    }
}

/// The store of output.
pub struct OutputStore {
    folder: PathBuf,
    index: SharedIndex,
    queue: mpsc::Sender<Append>,
}

struct Append {
    batch: Batch,
    /// Dropped without an answer, it tells that nothing was acknowledged.
    answer: oneshot::Sender<Result<u64, OutputError>>,
}

impl OutputStore {
    /// Opens the store below `data` and starts its writer's thread.
    pub fn open(data: &Path, limits: Limits) -> Result<Self, OutputError> {
        let folder = data.join("output");
        let (queue, appends) = mpsc::channel(QUEUE);
        let index = writer::start(&folder, &data.join("output-index"), limits, appends)?;
        Ok(Self { folder, index, queue })
    }

    /// Appends lines, the first of which has the number `first`. Answers with the number that is expected next, when
    /// everything before it is durable or was left out for good. Lines that are there already are not taken again;
    /// if lines are missing before these, none is taken, and the answer says which one has to come.
    pub async fn append(
        &self,
        assignment: AssignmentId,
        first: u64,
        lines: Vec<OutputLine>,
    ) -> Result<u64, OutputError> {
        let (answer, answered) = oneshot::channel();
        let append = Append { batch: Batch { assignment, first, lines, full: false }, answer };
        self.queue.send(append).await.map_err(|_| OutputError::NotWorking)?;
        answered.await.map_err(|_| OutputError::NotWorking)?
    }
}
