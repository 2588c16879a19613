//! The output of steps: lines in segment files of their own, unchained, acknowledged after fdatasync.
//!
//! One line of the files is a batch of one assignment's lines. Which batch is where stands in a sled index, which can
//! be rebuilt from the files and is, as far as it lags behind them.

mod index;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::OutputLine;
use windlass_segments::SegmentError;
use windlass_store::StoreError;

use index::Index;

/// Appends that may wait.
const QUEUE: usize = 1024;

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
    /// A batch came before the one that it follows.
    #[error("lines are missing before these")]
    Gap,
    /// The writer has stopped.
    #[error("the store of output has stopped")]
    Stopped,
}

/// A batch of one assignment's lines, as it lies in the files.
#[derive(Serialize, Deserialize)]
struct Batch {
    assignment: AssignmentId,
    first: u64,
    lines: Vec<OutputLine>,
}

/// A line of output with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number in its assignment's output, from 1.
    pub number: u64,
    /// The line.
    pub line: OutputLine,
}

/// The store of output.
pub struct OutputStore {
    folder: PathBuf,
    index: Arc<Index>,
    queue: mpsc::Sender<Append>,
}

struct Append {
    batch: Batch,
    answer: oneshot::Sender<Result<u64, OutputError>>,
}

impl OutputStore {
    /// Opens the store below `data` and starts its writer's thread.
    pub fn open(data: &Path) -> Result<Self, OutputError> {
        let folder = data.join("output");
        let index = Arc::new(Index::open(&data.join("output-index"))?);
        let (queue, appends) = mpsc::channel(QUEUE);
        writer::start(&folder, Arc::clone(&index), appends)?;
        Ok(Self { folder, index, queue })
    }

    /// Appends lines, the first of which has the number `first`. Answers with the number that is expected next, when
    /// everything before it is durable. Lines that are there already are not taken again.
    pub async fn append(
        &self,
        assignment: AssignmentId,
        first: u64,
        lines: Vec<OutputLine>,
    ) -> Result<u64, OutputError> {
        let (answer, answered) = oneshot::channel();
        let append = Append { batch: Batch { assignment, first, lines }, answer };
        self.queue.send(append).await.map_err(|_| OutputError::Stopped)?;
        answered.await.map_err(|_| OutputError::Stopped)?
    }

    /// Reads lines of an assignment from number `from` on, about `most` of them. Blocking.
    pub fn read(
        &self,
        assignment: AssignmentId,
        from: u64,
        most: usize,
    ) -> Result<Vec<NumberedLine>, OutputError> {
        let mut found = Vec::new();
        let mut open: Option<(u64, windlass_segments::Lines)> = None;
        for place in self.index.places(assignment, from)? {
            if found.len() >= most {
                break;
            }
            // Batches that lie side by side are read on; others are looked up.
            let mut lines = match open.take() {
                Some((next, lines)) if next == place => lines,
                _ => windlass_segments::read(&self.folder, place)?,
            };
            let (_, line) = lines.next().ok_or(OutputError::Damaged(place))??;
            let batch: Batch = serde_json::from_slice(&line).map_err(|_| OutputError::Damaged(place))?;
            let numbered =
                (batch.first..).zip(batch.lines).map(|(number, line)| NumberedLine { number, line });
            found.extend(numbered.filter(|line| line.number >= from));
            open = Some((place + 1, lines));
        }
        Ok(found)
    }
}
