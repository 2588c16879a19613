//! Durable append-only lines in a folder of segment files.
//!
//! What lives here: the [`Writer`] (one a folder), the readers ([`read`], [`Lines`]) that may run beside it, the layer
//! by which they and other stores change the disk ([`disk`]), and the points at which crash tests kill a process
//! ([`fail`]). What does not: hashes, JSON, threads, async. A line is any bytes without a line break or a zero; lines
//! are numbered from 1, and a segment is named after the number of its first line.
//!
//! ```
//! # let place = tempfile::tempdir().expect("a temporary folder");
//! # let folder = place.path().join("journal");
//! use windlass_segments::{Options, Writer, read};
//!
//! let (mut writer, _recovery) = Writer::open(&folder, Options::default())?;
//! let number = writer.append(br#"{"event":"created"}"#)?;
//! writer.sync()?; // Only now may anybody be told.
//! assert_eq!(writer.durable(), number);
//!
//! let lines = read(&folder, 1)?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(lines, [(1, br#"{"event":"created"}"#.to_vec())]);
//! # Ok::<(), windlass_segments::SegmentError>(())
//! ```

pub mod disk;
mod error;
pub mod fail;
mod files;
mod lines;
mod mark;
mod names;
mod open;
#[cfg(feature = "fail-points")]
pub mod power;
mod sizes;
mod source;
mod writer;

pub use error::SegmentError;
pub use lines::{Lines, read, read_kept};
pub use mark::read as durable;
pub use open::Recovery;
pub use sizes::SegmentSize;
pub use writer::Writer;

/// The longest line that any writer puts and any reader takes, in bytes without its line break: 16 MiB. A reader
/// needs a limit of its own, so that a damaged file costs a bounded amount of memory.
pub const LINE_BYTES: usize = 16 * 1024 * 1024;

/// How a [`Writer`] cuts its lines into files. The default is 64 MiB a segment and [`LINE_BYTES`] a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The size in bytes from which on a segment gets no further batch. A segment is larger than this by at most the
    /// batch that crosses the line.
    pub segment_bytes: u64,
    /// The longest line, in bytes without its line break. More than [`LINE_BYTES`] counts as that.
    pub line_bytes: usize,
    /// What the names of the writer's fail points begin with, as in `journal-before-write`.
    pub name: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, line_bytes: LINE_BYTES, name: "segments" }
    }
}
