//! Appending lines and making them durable.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::disk::{self, File};
use crate::mark::Mark;
use crate::{LINE_BYTES, Options, SegmentError, fail, files, names};

/// How much memory is kept for the next batch after a larger one.
const BUFFER_BYTES: usize = 1024 * 1024;

/// The one writer of a folder. Lines are put in a buffer by [`Writer::append`], and are on disk when
/// [`Writer::sync`] returned.
///
/// After any failure of the disk every later call fails with [`SegmentError::Poisoned`]: the kernel reports a lost
/// write once, so that a second attempt would succeed over lost data. What was durable before stays readable, and
/// opening the folder anew finds it. Lines that were not acknowledged may be there then or not.
pub struct Writer {
    folder: PathBuf,
    /// Held until the writer is dropped.
    _lock: File,
    mark: Mark,
    options: Options,
    /// The numbers of the first lines of all segments.
    segments: VecDeque<u64>,
    segment: Segment,
    /// Whole lines, with their breaks, that are not written yet.
    buffer: Vec<u8>,
    buffered_lines: u64,
    durable: u64,
    poisoned: bool,
}

/// The segment that is being written.
pub(crate) struct Segment {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// How many bytes of it are durable.
    pub(crate) length: u64,
}

impl Writer {
    /// A writer over a folder that was just put right; `next` is the number of the next line.
    pub(crate) fn new(
        folder: PathBuf,
        (lock, mark): (File, Mark),
        options: Options,
        segments: VecDeque<u64>,
        segment: Segment,
        next: u64,
    ) -> Self {
        let segment_bytes = fail::number("SEGMENT_BYTES", options.segment_bytes);
        let options = Options { line_bytes: options.line_bytes.min(LINE_BYTES), segment_bytes, ..options };
        Self {
            folder,
            _lock: lock,
            mark,
            options,
            segments,
            segment,
            buffer: Vec::new(),
            buffered_lines: 0,
            durable: next - 1,
            poisoned: false,
        }
    }

    /// Puts a line in the buffer and returns its number. It is neither durable nor visible to readers before
    /// [`Writer::sync`]. A line that contains a break or a zero, or is too long, is refused, and changes nothing.
    pub fn append(&mut self, line: &[u8]) -> Result<u64, SegmentError> {
        self.check_usable()?;
        self.check_line(line)?;
        self.buffer.reserve(line.len() + 1);
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        self.buffered_lines += 1;
        Ok(self.next() - 1)
    }

    /// Makes all appended lines durable, with one write and one `fdatasync`. Costs nothing if there are none.
    ///
    /// A segment that has reached its size is followed by a new one before the write, so that a failure never
    /// concerns lines that are durable already.
    pub fn sync(&mut self) -> Result<(), SegmentError> {
        self.check_usable()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.rotate_if_full().and_then(|()| self.write_buffer());
        self.settle(result)
    }

    /// Sets room on the disk aside for so many more bytes in this segment, so that they can be written when it is full.
    /// Nobody sees it. A file system that sets nothing aside is no error; a failed write lets the room go.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), SegmentError> {
        self.check_usable()?;
        let Segment { file, path, length } = &self.segment;
        let end = i64::try_from(length.saturating_add(bytes)).unwrap_or(i64::MAX);
        match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, end) {
            Ok(()) | Err(Errno::EOPNOTSUPP) => Ok(()),
            Err(error) => Err(SegmentError::writing("set room aside in", path, &self.folder)(error.into())),
        }
    }

    /// Removes the segments that lie wholly before `line`, but never the last one. Returns how many.
    pub fn truncate_before(&mut self, line: u64) -> Result<usize, SegmentError> {
        self.check_usable()?;
        let count = self.segments.iter().skip(1).take_while(|following| **following <= line).count();
        if count > 0 {
            let result = self.remove_oldest(count);
            self.settle(result)?;
        }
        Ok(count)
    }

    /// The number that the next appended line will get.
    pub fn next(&self) -> u64 {
        self.durable + self.buffered_lines + 1
    }

    /// The number of the last durable line; one less than the number of the first if there is none, so 0 at first.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The number of the first line that is kept, or would be.
    pub fn first(&self) -> u64 {
        self.segments[0]
    }

    /// How many bytes wait for [`Writer::sync`]. The buffer has no limit of its own: whoever appends without waiting
    /// for an answer has to sync when this grows large.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The numbers of the first lines of all segments, oldest first.
    pub(crate) const fn segments(&self) -> &VecDeque<u64> {
        &self.segments
    }

    fn check_usable(&self) -> Result<(), SegmentError> {
        if self.poisoned { Err(SegmentError::Poisoned { folder: self.folder.clone() }) } else { Ok(()) }
    }

    fn check_line(&self, line: &[u8]) -> Result<(), SegmentError> {
        let limit = self.options.line_bytes;
        if line.len() > limit {
            return Err(SegmentError::LineTooLong { bytes: line.len(), limit });
        }
        if line.contains(&b'\n') || line.contains(&0) {
            return Err(SegmentError::Unfit);
        }
        Ok(())
    }

    fn rotate_if_full(&mut self) -> Result<(), SegmentError> {
        if self.segment.length == 0 || self.segment.length < self.options.segment_bytes {
            return Ok(());
        }
        fail::step(self.options.name, "before-rotate");
        let first = self.durable + 1;
        let file = files::create_segment(&self.folder, first, self.options.name)?;
        self.segment = Segment { file, path: names::segment(&self.folder, first), length: 0 };
        self.segments.push_back(first);
        fail::step(self.options.name, "after-rotate");
        Ok(())
    }

    fn write_buffer(&mut self) -> Result<(), SegmentError> {
        let (name, Segment { file, path, length }) = (self.options.name, &mut self.segment);
        fail::step(name, "before-write");
        file.write_all(&self.buffer).map_err(SegmentError::writing("write to", path, &self.folder))?;
        fail::step(name, "after-write");
        file.sync_data().map_err(SegmentError::writing("sync", path, &self.folder))?;
        *length += self.buffer.len() as u64;
        self.durable += self.buffered_lines;
        self.buffered_lines = 0;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
        fail::step(name, "after-sync");
        self.mark.set(self.durable);
        Ok(())
    }

    /// Oldest first, each durably before the next, so that a crash in between leaves no gap.
    fn remove_oldest(&mut self, count: usize) -> Result<(), SegmentError> {
        for first in self.segments.drain(..count) {
            fail::step(self.options.name, "before-remove");
            let path = names::segment(&self.folder, first);
            disk::remove(&path).map_err(SegmentError::io("remove", &path))?;
            files::sync_folder(&self.folder)?;
            fail::step(self.options.name, "after-remove");
        }
        Ok(())
    }

    /// Poisons the writer after a failure, and takes back what was written but not made durable. That frees the
    /// space, and after a failed sync it also keeps pages that the kernel could not write, but still shows to every
    /// reader, from being taken for durable when the folder is opened anew.
    fn settle(&mut self, result: Result<(), SegmentError>) -> Result<(), SegmentError> {
        if result.is_err() {
            self.poisoned = true;
            // The first failure is the one to report; if this fails too, nothing durable is touched.
            let _ = self.segment.file.set_len(self.segment.length);
        }
        result
    }
}

impl fmt::Debug for Writer {
    /// Without the buffer: lines are nobody's business.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Writer")
            .field("folder", &self.folder)
            .field("next", &self.next())
            .field("durable", &self.durable)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}
