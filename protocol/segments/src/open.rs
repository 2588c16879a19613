//! Taking a folder over for writing: what a crash may have left is put right, what it cannot have left is refused.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::mark::{self, Mark};
use crate::source::Source;
use crate::writer::{Segment, Writer};
use crate::{Options, SegmentError, fail, files, names};

/// What [`Writer::open`] found and put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the first line that is kept, or would be.
    pub first: u64,
    /// The number that the next line will get. An incomplete line that was cut off would have had it.
    pub next: u64,
    /// How many bytes of lines that were not complete, or not acknowledged and torn, were cut off; 0 after an orderly
    /// end.
    pub cut_bytes: u64,
}

impl Writer {
    /// Opens `folder` for writing, and makes it (mode 0700) if it is missing; its parent has to exist.
    ///
    /// Only one writer at a time may have a folder: a second one gets [`SegmentError::Locked`]. An incomplete last
    /// line of the last segment is what a crash leaves, and is cut off; so is what begins with a line that has zeros,
    /// as far as nothing of it is known to be durable: a loss of power leaves that. Anything else that is not as a
    /// writer leaves it is an error. Afterwards every line that a reader finds is durable.
    ///
    /// Reads the last segment in full, and of the others the last byte: whether each has as many lines as the
    /// names say is checked by the readers.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<(Self, Recovery), SegmentError> {
        let folder = folder.as_ref();
        files::create_folder(folder)?;
        let lock = files::lock(folder)?;
        let mut segments = names::list(folder)?;
        if segments.is_empty() {
            Mark::open(folder)?;
            // Also if the folder was there already: whoever made it may have died before its name was durable.
            files::sync_parent(folder)?;
            files::create_segment(folder, 1, options.name)?;
            segments.push(1);
        } else {
            files::sync_folder(folder)?;
        }
        let known = mark::read(folder)?;
        for pair in segments.windows(2) {
            check_finished(folder, pair[0], pair[1])?;
        }
        let last = *segments.last().expect("one was made if there was none");
        let (next, length) = count(folder, last)?;
        // Before anything is changed: what is left is for who looks into it.
        if let Some(durable) = known.filter(|durable| *durable >= next) {
            return Err(SegmentError::Lost { folder: folder.to_owned(), durable, found: next - 1 });
        }
        let (segment, cut_bytes) = recover(folder, last, length, options.name)?;
        // Only now that nothing is refused: a mark that is made anew says less than one that is missing.
        let mark = Mark::open(folder)?;
        mark.set(next - 1);
        if known.is_none() {
            mark.sync(folder)?;
        }
        let recovery = Recovery { first: segments[0], next, cut_bytes };
        let segments = VecDeque::from(segments);
        Ok((Self::new(folder.to_owned(), (lock, mark), options, segments, segment, next), recovery))
    }
}

/// Checks what can be known about a segment that is not the last one without reading it: it ends with a whole line,
/// and has room for as many lines as the following segment's name claims.
fn check_finished(folder: &Path, first: u64, following: u64) -> Result<(), SegmentError> {
    let path = names::segment(folder, first);
    let file = files::read(&path)?.ok_or(std::io::ErrorKind::NotFound.into());
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

/// Counts the lines of the last segment: the number of the line that follows them, and where it will stand.
fn count(folder: &Path, first: u64) -> Result<(u64, u64), SegmentError> {
    let path = names::segment(folder, first);
    let source = Source::open(folder, first)?.ok_or(std::io::ErrorKind::NotFound.into());
    let mut source = source.map_err(SegmentError::io("open", &path))?;
    let mut next = first;
    while source.line(next)?.is_some() {
        next += 1;
    }
    Ok((next, source.offset()))
}

/// Cuts off what follows the lines of the last segment, and makes the rest durable: the process that wrote them may
/// have died between writing and syncing. Says how many bytes were cut off.
fn recover(
    folder: &Path,
    first: u64,
    length: u64,
    name: &'static str,
) -> Result<(Segment, u64), SegmentError> {
    let path = names::segment(folder, first);
    let file = files::open_segment(folder, first)?;
    let found = file.metadata().map_err(SegmentError::io("look at", &path))?.len();
    if found > length {
        fail::step(name, "before-cut");
        file.set_len(length).map_err(SegmentError::writing("cut", &path, folder))?;
        fail::step(name, "after-cut");
    }
    file.sync_all().map_err(SegmentError::writing("sync", &path, folder))?;
    fail::step(name, "after-open");
    Ok((Segment { file, path, length }, found.saturating_sub(length)))
}
