//! Output in segment files of their own, unchained, acknowledged after fdatasync.
//!
//! One line of the files is a batch of one assignment's lines. Which batch is where stands in a sled index, which can
//! be rebuilt from the files and is, as far as it lags behind them. While the disk does not work nothing is acknowledged,
//! and the store is opened again and again until it does.

mod files;
mod index;
mod retention;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::OutputLine;
use windlass_segments::SegmentError;
use windlass_store::StoreError;

use super::batch::Batch;
use super::read::{Found, Piece, Room};
use super::{Limits, Logs, OutputError};
use files::{is_removed, parse};
use index::Index;

/// Appends that may wait.
const QUEUE: usize = 1024;

/// What fails here.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The files.
    #[error(transparent)]
    Segments(#[from] SegmentError),
    /// The index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A line of the files is no batch.
    #[error("line {0} of the output files is damaged")]
    Damaged(u64),
    /// What any store says.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure {
    /// Whether there is no room for it, which there may be later.
    fn is_full(&self) -> bool {
        match self {
            Self::Segments(why) => matches!(why, SegmentError::Full { .. }),
            Self::Store(why) => why.is_full(),
            Self::Damaged(_) | Self::Output(_) => false,
        }
    }

    /// Why there is no store in a folder. What steps printed is nowhere else, and yet nothing that a coordinator needs.
    fn of_open(self, folder: &Path) -> OutputError {
        let is_damage = match &self {
            Self::Segments(why) => why.is_damage(),
            Self::Damaged(_) => true,
            Self::Store(_) | Self::Output(_) => false,
        };
        if !is_damage {
            return self.into();
        }
        let text = format!(
            "{self}; restore {folder} from a backup, or move it away to go on without what steps have printed",
            folder = folder.display()
        );
        OutputError::Unreadable(text)
    }
}

impl From<Failure> for OutputError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Output(why) => why,
            why => Self::Unreadable(why.to_string()),
        }
    }
}

/// The index, for as long as there is one: it is opened anew after its disk has failed.
#[derive(Clone)]
struct SharedIndex(Arc<RwLock<Option<Arc<Index>>>>);

impl SharedIndex {
    fn get(&self) -> Result<Arc<Index>, Failure> {
        let index = self.0.read().clone();
        Ok(index.ok_or(OutputError::NotWorking)?)
    }

    fn set(&self, index: Option<Arc<Index>>) {
        *self.0.write() = index;
    }
}

/// The way to the files, and to the thread that writes them.
pub struct Embedded {
    folder: PathBuf,
    index: SharedIndex,
    queue: mpsc::Sender<Append>,
}

struct Append {
    batch: Batch,
    /// Dropped without an answer, it tells that nothing was acknowledged.
    answer: oneshot::Sender<Result<u64, Failure>>,
}

impl Embedded {
    /// Opens the store below `data` and starts its writer's thread.
    pub fn open(data: &Path, limits: Limits) -> Result<Self, OutputError> {
        let folder = data.join("output");
        let (queue, appends) = mpsc::channel(QUEUE);
        let started = writer::start(&folder, &data.join("output-index"), limits, appends);
        let index = started.map_err(|why| why.of_open(&folder))?;
        Ok(Self { folder, index, queue })
    }

    /// Waits until the thread that writes has ended, as it does when it panics: the process must not go on without it, for
    /// every agent would be told to come again for ever.
    pub async fn ended(&self) -> OutputError {
        self.queue.closed().await;
        OutputError::Ended
    }

    fn find(
        &self,
        assignment: AssignmentId,
        mut found: Found,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, Failure> {
        let index = self.index.get()?;
        let entry = index.entry(assignment)?;
        let mut open: Option<(u64, windlass_segments::Lines)> = None;
        let mut places = index.places(assignment, found.next())?.into_iter();
        let mut moved = false;
        while let Some(place) = places.next() {
            if found.is_full() {
                return Ok(found.pieces());
            }
            // Batches that lie side by side are read on; others are looked up.
            let lines = match open.take() {
                Some((next, lines)) if next == place => Ok(lines),
                _ => windlass_segments::read(&self.folder, place).map_err(Failure::from),
            };
            match lines.and_then(|lines| batch_of(lines, place)) {
                Ok((batch, lines)) => {
                    found.take(batch);
                    open = Some((place + 1, lines));
                }
                // It went between the index and here, or lies elsewhere now, which the index is asked for once. Where it
                // went the numbers of what follows show it.
                Err(why) if is_removed(&why) && moved => {}
                Err(why) if is_removed(&why) => {
                    moved = true;
                    places = index.places(assignment, found.next())?.into_iter();
                }
                Err(why) => return Err(why),
            }
        }
        let forgotten = entry.is_none() && index.kept()? > 1;
        Ok(found.end(entry, forgotten, announced))
    }
}

impl Logs for Embedded {
    fn append(
        &self,
        target: TargetId,
        assignment: AssignmentId,
        first: u64,
        lines: Vec<OutputLine>,
    ) -> BoxFuture<'_, Result<u64, OutputError>> {
        let (answer, answered) = oneshot::channel();
        let batch = Batch { assignment, target: Some(target), first, lines, full: false };
        let append = Append { batch, answer };
        async move {
            self.queue.send(append).await.map_err(|_| OutputError::NotWorking)?;
            Ok(answered.await.map_err(|_| OutputError::NotWorking)??)
        }
        .boxed()
    }

    fn read(
        &self,
        assignment: AssignmentId,
        from: u64,
        room: Room,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, OutputError> {
        Ok(self.find(assignment, Found::new(from, room), announced)?)
    }
}

fn batch_of(
    mut lines: windlass_segments::Lines,
    place: u64,
) -> Result<(Batch, windlass_segments::Lines), Failure> {
    let (_, line) = lines.next().ok_or(Failure::Damaged(place))??;
    Ok((parse(place, &line)?, lines))
}
