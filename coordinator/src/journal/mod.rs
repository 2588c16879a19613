//! The journal: the truth and the audit at once (SEMANTICS 11). One record a line, hash-chained, in segment files.
//!
//! Nothing here decides. A record goes in as the core made it; whether it may, has been settled before.

mod line;
mod replay;
mod snapshot;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};

use windlass_coordinator_core::event::Record;
use windlass_protocol::Digest;
use windlass_segments::{Options, SegmentError, Writer};

pub use line::{BadLine, GENESIS, Line};
pub use replay::{ReplayError, Replayed, replay};
pub use snapshot::Snapshot;
pub use verify::{Finding, Verified, verify};

/// The folder of the journal below the data folder.
pub fn folder(data: &Path) -> PathBuf {
    data.join("journal")
}

/// The journal, open for writing. There is one in the process, held by the engine's thread.
pub struct Journal {
    /// `None` only between [`Journal::close`] and the next [`Journal::open`].
    writer: Option<Writer>,
    head: Digest,
}

impl Journal {
    /// Opens the journal below `data`. `head` is the chain's hash at its last record, as the replay found it.
    pub fn open(data: &Path, head: Digest) -> Result<Self, SegmentError> {
        let options = Options { name: "journal", ..Options::default() };
        let (writer, recovery) = Writer::open(folder(data), options)?;
        if recovery.cut_bytes > 0 {
            tracing::warn!(bytes = recovery.cut_bytes, "cut off the journal what was not acknowledged");
        }
        Ok(Self { writer: Some(writer), head })
    }

    /// The hash of the chain at the last record that was appended.
    pub const fn head(&self) -> Digest {
        self.head
    }

    /// The number of the last durable record.
    pub fn durable(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::durable)
    }

    /// Adds a record behind the last one; durable with the next [`Journal::sync`].
    pub fn append(&mut self, record: &Record, salt: [u8; 16]) -> Result<(), SegmentError> {
        let writer = self.writer.as_mut().expect("a closed journal is opened before it is used");
        debug_assert_eq!(record.sequence, writer.next(), "records are numbered without gaps");
        let (line, hash) = line::encode(record, salt, self.head);
        writer.append(&line)?;
        self.head = hash;
        Ok(())
    }

    /// Makes everything appended durable. After an error the process has to end: what is on the disk is unknown.
    pub fn sync(&mut self) -> Result<(), SegmentError> {
        self.writer.as_mut().expect("a closed journal is opened before it is used").sync()
    }

    /// Lets the files and the lock on them go, so that they can be opened anew.
    pub fn close(&mut self) {
        self.writer = None;
    }
}
