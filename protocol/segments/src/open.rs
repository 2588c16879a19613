//! Taking a folder over for writing: what a crash may have left is put right, what it cannot have left is refused.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::source::Source;
use crate::writer::{Segment, Writer};
use crate::{Options, SegmentError, disk, fail, names};

/// What [`Writer::open`] found and put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the first line that is kept, or would be.
    pub first: u64,
    /// The number that the next line will get. An incomplete line that was cut off would have had it.
    pub next: u64,
    /// How many bytes of an incomplete last line were cut off; 0 after an orderly end.
    pub cut_bytes: u64,
}

impl Writer {
    /// Opens `folder` for writing, and makes it (mode 0700) if it is missing; its parent has to exist.
    ///
    /// Only one writer at a time may have a folder: a second one gets [`SegmentError::Locked`]. An incomplete last
    /// line of the last segment is what a crash leaves, and is cut off. Anything else that is not as a writer leaves
    /// it is an error. Afterwards every line that a reader finds is durable.
    ///
    /// Reads the last segment in full, and of the others the last byte: whether each has as many lines as the
    /// names say is checked by the readers.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<(Self, Recovery), SegmentError> {
        let folder = folder.as_ref();
        disk::create_folder(folder)?;
        let lock = disk::lock(folder)?;
        let directory = File::open(folder).map_err(SegmentError::io("open", folder))?;
        let mut segments = names::list(folder)?;
        if segments.is_empty() {
            // Also if the folder was there already: whoever made it may have died before its name was durable.
            disk::sync_parent(folder)?;
            disk::create_segment(folder, &directory, 1, options.name)?;
            segments.push(1);
        } else {
            directory.sync_all().map_err(SegmentError::writing("sync", folder, folder))?;
        }
        for pair in segments.windows(2) {
            check_finished(folder, pair[0], pair[1])?;
        }
        let last = *segments.last().expect("one was made if there was none");
        let (segment, recovery) = recover(folder, last, options.name)?;
        let recovery = Recovery { first: segments[0], ..recovery };
        let segments = VecDeque::from(segments);
        Ok((
            Self::new(folder.to_owned(), directory, lock, options, segments, segment, recovery.next),
            recovery,
        ))
    }
}

/// Checks what can be known about a segment that is not the last one without reading it: it ends with a whole line,
/// and has room for as many lines as the following segment's name claims.
fn check_finished(folder: &Path, first: u64, following: u64) -> Result<(), SegmentError> {
    let path = names::segment(folder, first);
    let file = disk::read_segment(&path)?.ok_or(std::io::ErrorKind::NotFound.into());
    let file = file.map_err(SegmentError::io("open", &path))?;
    let length = file.metadata().map_err(SegmentError::io("look at", &path))?.len();
    if following - first > length {
        let expected = first + length;
        return Err(SegmentError::Gap {
            path: names::segment(folder, following),
            expected,
            found: following,
        });
    }
    let mut end = [0];
    file.read_exact_at(&mut end, length - 1).map_err(SegmentError::io("read", &path))?;
    if end != *b"\n" {
        return Err(SegmentError::Incomplete { path, offset: length });
    }
    Ok(())
}

/// Counts the lines of the last segment, cuts off an incomplete one, and makes the rest durable: the process that
/// wrote them may have died between writing and syncing.
fn recover(folder: &Path, first: u64, name: &'static str) -> Result<(Segment, Recovery), SegmentError> {
    let path = names::segment(folder, first);
    let source = Source::open(folder, first)?.ok_or(std::io::ErrorKind::NotFound.into());
    let mut source = source.map_err(SegmentError::io("open", &path))?;
    let mut next = first;
    while source.line()?.is_some() {
        next += 1;
    }
    let (length, cut_bytes) = (source.offset(), source.remainder());
    let file = disk::open_segment(folder, first)?;
    if cut_bytes > 0 {
        fail::step(name, "before-cut");
        file.set_len(length).map_err(SegmentError::writing("cut", &path, folder))?;
        fail::step(name, "after-cut");
    }
    file.sync_all().map_err(SegmentError::writing("sync", &path, folder))?;
    fail::step(name, "after-open");
    Ok((Segment { file, path, length }, Recovery { first, next, cut_bytes }))
}
