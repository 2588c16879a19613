//! The complete lines of one segment file, which a writer may be extending.

use std::fs::File;
use std::io::BufRead as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::{LINE_BYTES, SegmentError, files, mark, names};

/// What is read at once, until a line is longer: enough to make the calls' cost vanish, little enough for a reader
/// per open task.
const CHUNK_BYTES: usize = 64 * 1024;

/// One open segment and the place reached in it.
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    first: u64,
    /// Where the next line begins in the file.
    offset: u64,
    chunk: Vec<u8>,
    /// The part of `chunk` that was read and not yet handed out; it begins at `offset` in the file.
    unread: Range<usize>,
}

impl Source {
    /// Opens the segment of `folder` that begins with line `first`; `None` if it is gone.
    pub(crate) fn open(folder: &Path, first: u64) -> Result<Option<Self>, SegmentError> {
        let path = names::segment(folder, first);
        let file = files::read(&path)?;
        Ok(file.map(|file| Self { path, file, first, offset: 0, chunk: Vec::new(), unread: 0..0 }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the segment's first line, from its name.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Where the next line begins: the end of the last complete line, once [`Source::line`] returned `None`.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether more bytes follow the last complete line, after [`Source::line`] returned `None`.
    pub(crate) fn has_remainder(&self) -> bool {
        !self.unread.is_empty()
    }

    /// The next complete line, without its break; its bytes are [`Source::bytes`] of the range. `None` if there is
    /// none yet: ask again after the writer wrote more. `number` is the one that it has.
    ///
    /// A line with zeros in it counts as not written yet if it is not known to be durable: power was lost before all
    /// of it reached the disk.
    pub(crate) fn line(&mut self, number: u64) -> Result<Option<Range<usize>>, SegmentError> {
        loop {
            if let Some(length) = line_length(&self.chunk[self.unread.clone()]) {
                if self.chunk[self.unread.start..][..length].contains(&0) {
                    return self.torn(number);
                }
                self.check_length(length)?;
                let line = self.unread.start..self.unread.start + length;
                self.unread.start = line.end + 1;
                self.offset += length as u64 + 1;
                return Ok(Some(line));
            }
            self.refill()?;
            if line_length(&self.chunk[self.unread.clone()]).is_none() {
                if self.unread.len() > LINE_BYTES && self.chunk[self.unread.clone()].contains(&0) {
                    return self.torn(number);
                }
                self.check_length(self.unread.len())?;
                if self.is_at_end()? {
                    return Ok(None);
                }
            }
        }
    }

    /// What to say of a line with zeros.
    fn torn(&self, number: u64) -> Result<Option<Range<usize>>, SegmentError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if mark::read(folder)?.is_some_and(|durable| durable < number) {
            return Ok(None);
        }
        Err(SegmentError::Damaged { path: self.path.clone(), line: number, offset: self.offset })
    }

    /// The bytes of a line that [`Source::line`] just found.
    pub(crate) fn bytes(&self, line: Range<usize>) -> &[u8] {
        &self.chunk[line]
    }

    /// Reads anew from the beginning of the next line, with one call. What was read of an incomplete line is never
    /// kept: its writer may have died, and the next one cut it off and put other bytes in its place.
    fn refill(&mut self) -> Result<(), SegmentError> {
        let wanted = match self.unread.len() {
            short if short < CHUNK_BYTES => CHUNK_BYTES,
            long => (2 * long).min(LINE_BYTES + 1),
        };
        if self.chunk.len() != wanted {
            self.chunk = vec![0; wanted];
        }
        self.unread = 0..0;
        let read = self.file.read_at(&mut self.chunk, self.offset);
        self.unread = 0..read.map_err(SegmentError::io("read", &self.path))?;
        Ok(())
    }

    /// Whether all bytes of the file were looked at.
    fn is_at_end(&self) -> Result<bool, SegmentError> {
        let length = self.file.metadata().map_err(SegmentError::io("look at", &self.path))?.len();
        if length < self.offset {
            return Err(SegmentError::Shrunk { path: self.path.clone() });
        }
        Ok(length <= self.offset + self.unread.len() as u64)
    }

    fn check_length(&self, length: usize) -> Result<(), SegmentError> {
        if length > LINE_BYTES {
            return Err(SegmentError::Overlong { path: self.path.clone(), offset: self.offset });
        }
        Ok(())
    }
}

/// How many bytes come before the first line break, if there is one.
fn line_length(bytes: &[u8]) -> Option<usize> {
    // A slice as a reader searches with `memchr`, several times faster than a loop over bytes.
    let skipped = (&mut &*bytes).skip_until(b'\n').expect("reading from memory does not fail");
    bytes[..skipped].ends_with(b"\n").then(|| skipped - 1)
}
