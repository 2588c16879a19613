//! The journal: the truth and the audit at once (SEMANTICS 11). One record a line, hash-chained.
//!
//! Nothing here decides. A record goes in as the core made it; whether it may, has been settled before. The journal is a
//! [trait](Journal) with two implementations: the [files](Embedded) below the data folder, and one
//! [in memory](InMemory) that several engines can share.

mod embedded;
mod line;
mod memory;
mod replay;
mod snapshot;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};

use windlass_protocol::Digest;
pub(crate) use windlass_segments::Lines;
use windlass_segments::SegmentError;

pub use embedded::Embedded;
pub(crate) use line::encode;
pub use line::{BadLine, GENESIS, Line, Open};
pub use memory::InMemory;
pub use replay::{ReplayError, Replayed, replay};
pub use snapshot::Snapshot;
pub use verify::{Finding, Verified, verify, verify_while};

/// The folder of the journal below the data folder.
pub fn folder(data: &Path) -> PathBuf {
    data.join("journal")
}

/// The lines of the files below `data`, from record `from` on. They are read beside whoever writes them.
pub(crate) fn lines(data: &Path, from: u64) -> Result<Lines, SegmentError> {
    windlass_segments::read(folder(data), from)
}

/// The file and line of what was read last.
fn place(lines: &Lines) -> String {
    lines.place().map_or_else(String::new, |(path, line)| format!("{}:{line}", path.display()))
}

/// Where a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of its last record, 0 before the first.
    pub number: u64,
    /// The hash of the chain at it.
    pub hash: Digest,
}

/// A record as it is appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub line: Vec<u8>,
    /// The hash of the chain at it.
    pub hash: Digest,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended since: catch up, and decide again what rested on what has changed.
    #[error("somebody else has appended to the journal meanwhile")]
    Overtaken,
    /// There is no room. Nothing has changed, and there may be room later.
    #[error("the journal's disk is full")]
    Full,
    /// The journal has the same numbers with other records: it is not the one that was read.
    #[error("the journal holds another history at record {number}")]
    AnotherHistory {
        /// Where it differs.
        number: u64,
    },
    /// The answer was lost, and nobody knows whether they were: the same lines are to be appended at the same place again,
    /// until there is an answer. It comes when there is a way to ask again.
    #[error("the journal has not answered")]
    Unanswered,
    /// Nobody knows what the journal holds now: whoever writes has to end.
    #[error("the journal cannot be written: {0}")]
    Broken(String),
}

/// An append-only list of records that several may follow, and append to where they know all of it.
pub trait Journal: Send {
    /// Appends lines behind `head`, all or none, and returns when they are durable. Where the very same ones stand there, an
    /// earlier try appended them.
    fn append(&mut self, head: Head, lines: &[Appended]) -> Result<(), AppendError>;

    /// At most so many lines after `head`, as far as there are any.
    fn read(&mut self, head: Head, most: usize) -> Result<Vec<Vec<u8>>, AppendError>;

    /// Whenever somebody else has appended, `told` is called. It must not wait.
    fn watch(&mut self, told: Box<dyn Fn() + Send + Sync>);
}
