//! Uploaded packages, read as hostile input: an archive in, a checked manifest and the bytes of its files out.
//!
//! [`read()`] looks at an archive twice. The first pass reads every header and settles names, kinds, links, counts and
//! declared sizes; only what forms a well-formed tree gets to the second, which hands each file's bytes to a
//! [`Sink`] and counts them while they pass (THREATS E1). Nothing here writes to a disk or builds a path, and nothing
//! is async: the daemon calls it from a thread that may block.

mod content;
mod decompress;
mod error;
mod format;
mod identify;
mod limits;
mod plan;
mod single;
mod source;
mod tar;
mod zip;

use std::io::{Read, Seek};

use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;

pub use error::{ArchiveError, BadPackage, Shown};
pub use format::Format;
pub use identify::identify;
pub use limits::Limits;

use format::Container;
use source::{Faults, Source};

/// Takes the files of a package, one after the other.
pub trait Sink {
    /// Stores one file. `content` yields exactly the file's bytes and has to be read to its end; the answer is the
    /// SHA-256 and the count of the bytes read. An error of `content` has to be passed on.
    fn store(&mut self, content: &mut dyn Read) -> std::io::Result<(Digest, u64)>;
}

/// What an uploaded file turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The tree of the package, all of whose files the sink has taken.
    pub manifest: Manifest,
    /// What kind of file it was.
    pub format: Format,
}

/// Reads the whole of an uploaded file from its start and gives each regular file in it to `sink`, once.
///
/// `file_name` is the name that the file was uploaded under. What the file is, its content says; the name only gives
/// a single file's entry its own, and where it promises an archive (`.zip`, `.tar.gz`) a single file is refused.
///
/// Whatever can be known from headers is refused before the sink is called for the first time; damaged content only
/// when it is met, so after an error the sink may hold files that no manifest refers to.
pub fn read<R: Read + Seek>(
    archive: &mut R,
    file_name: &str,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Contents, ArchiveError> {
    let faults = Faults::default();
    let mut source = Source::new(archive, faults.clone());
    let length = source.length()?;
    if length > limits.archive_bytes {
        return Err(BadPackage::ArchiveTooLarge { limit: limits.archive_bytes }.into());
    }
    let container = format::recognise(&mut source, &faults)?;
    format::check_name(file_name, container)?;
    let job = Job { source, length, limits, sink, faults };
    match container {
        Container::Zip => zip::read(job),
        Container::Tar(compression) => tar::read(job, compression),
        Container::Single => single::read(job, file_name),
    }
}

/// One call of [`read()`], as each format's reader gets it.
struct Job<'a> {
    source: Source<'a>,
    length: u64,
    limits: &'a Limits,
    sink: &'a mut dyn Sink,
    faults: Faults,
}
