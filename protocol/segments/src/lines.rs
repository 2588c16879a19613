//! Reading lines back, across segments and beside a writer.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::source::Source;
use crate::{SegmentError, names};

/// The lines of `folder` from number `from` on; 0 is read as 1. One past the last is allowed, and waits there.
///
/// Takes no lock and never changes anything. Fails with [`SegmentError::Removed`] or [`SegmentError::Beyond`] if
/// line `from` is not there any more or cannot be the next one.
pub fn read(folder: impl AsRef<Path>, from: u64) -> Result<Lines, SegmentError> {
    let folder = folder.as_ref().to_owned();
    let from = from.max(1);
    let segments = names::list(&folder)?;
    let Some(first) = segments.iter().rev().find(|first| **first <= from) else {
        return match segments.first() {
            Some(first) => Err(SegmentError::Removed { folder, asked: from, first: *first }),
            None if from > 1 => Err(SegmentError::Beyond { folder, asked: from, next: 1 }),
            None => Ok(Lines { folder, next: 1, source: None, following: None }),
        };
    };
    let Some(source) = Source::open(&folder, *first)? else {
        // Removed since it was listed: the list tells from which line on there is something.
        let first = names::list(&folder)?.first().copied().unwrap_or(from);
        return Err(SegmentError::Removed { folder, asked: from, first });
    };
    let mut lines = Lines { folder, next: *first, source: Some(source), following: None };
    while lines.next < from {
        if lines.find_line()?.is_none() {
            return Err(SegmentError::Beyond { folder: lines.folder, asked: from, next: lines.next });
        }
    }
    Ok(lines)
}

/// All lines that `folder` still keeps, from the first one that no
/// [`Writer::truncate_before`](crate::Writer::truncate_before) removed.
pub fn read_kept(folder: impl AsRef<Path>) -> Result<Lines, SegmentError> {
    let folder = folder.as_ref();
    read(folder, names::list(folder)?.first().copied().unwrap_or(1))
}

/// Lines in order, with their numbers. Made by [`read`].
///
/// The end is only the end for now: after `None`, ask again, and lines written meanwhile come. Asking costs a read
/// and a listing of the folder. An incomplete last line counts as not written yet,
/// and so does what a loss of power left in its place.
///
/// Lines that are written but not yet durable are seen too. Whoever acts on lines while the writer lives has to stop
/// at [`Writer::durable`](crate::Writer::durable).
///
/// After an error the place stays the same: asking again tries the same again.
pub struct Lines {
    folder: PathBuf,
    /// The number of the line that comes next.
    next: u64,
    /// The segment that is being read; none as long as the folder has none.
    source: Option<Source>,
    /// A later segment that was seen, so that nothing will be added to this one.
    following: Option<u64>,
}

impl Lines {
    /// The number of the line that comes next. Kept by a caller, it is where [`read`] goes on later.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Where the line lies that came last: its segment's path, and its number in that file, from 1.
    pub fn place(&self) -> Option<(&Path, u64)> {
        self.source.as_ref().map(|source| (source.path(), self.next - source.first()))
    }

    /// The next line in a buffer that the next call reuses: as [`Iterator::next`], without the copy.
    pub fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, SegmentError> {
        let found = self.find_line()?;
        Ok(found.zip(self.source.as_ref()).map(|((number, line), source)| (number, source.bytes(line))))
    }

    /// Finds the next line, in this segment or a later one, and goes past it.
    fn find_line(&mut self) -> Result<Option<(u64, Range<usize>)>, SegmentError> {
        loop {
            if let Some(source) = &mut self.source
                && let Some(line) = source.line(self.next)?
            {
                let number = self.next;
                self.next += 1;
                return Ok(Some((number, line)));
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Called at the end of a segment: true if there is more to read, in it or in the following one, which it opens.
    fn advance(&mut self) -> Result<bool, SegmentError> {
        let current = self.source.as_ref().map_or(0, Source::first);
        let Some(following) = self.following else {
            let segments = names::list(&self.folder)?;
            self.following = segments.into_iter().find(|first| *first > current);
            // Even then not at once: the writer may have finished this segment since our last look at it.
            return Ok(self.following.is_some());
        };
        if let Some(source) = &self.source
            && source.has_remainder()
        {
            return Err(SegmentError::Incomplete { path: source.path().to_owned(), offset: source.offset() });
        }
        // By its name, not from the list: a listing that runs beside a writer may miss one file and show a later one.
        let possible = current < self.next && self.next <= following;
        let source = if possible { Source::open(&self.folder, self.next)? } else { None };
        let Some(source) = source else { return Err(self.missing(current)) };
        self.source = Some(source);
        self.following = None;
        Ok(true)
    }

    /// Why there is no segment for the next line, though there are segments after `current`.
    fn missing(&self, current: u64) -> SegmentError {
        let segments = match names::list(&self.folder) {
            Ok(segments) => segments,
            Err(error) => return error,
        };
        // Segments are removed oldest first: if one before the missing one is left, the missing one was not removed.
        match segments.iter().find(|first| **first > current).copied() {
            Some(found) if found > self.next && segments.first() == Some(&found) => {
                SegmentError::Removed { folder: self.folder.clone(), asked: self.next, first: found }
            }
            Some(found) => {
                let path = names::segment(&self.folder, found);
                SegmentError::Gap { path, expected: self.next, found }
            }
            None => SegmentError::Io {
                action: "open",
                path: names::segment(&self.folder, self.next),
                source: std::io::ErrorKind::NotFound.into(),
            },
        }
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Vec<u8>), SegmentError>;

    /// Not fused: `None` means that there is no further line yet.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().map(|found| found.map(|(number, line)| (number, line.to_vec()))).transpose()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lines")
            .field("folder", &self.folder)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Writer};

    #[test]
    fn a_segment_that_is_finished_while_a_reader_looks_for_the_next_is_read_to_its_end() {
        let place = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 8, ..Options::default() };
        let (mut writer, _) = Writer::open(place.path(), options).unwrap();
        let mut write = |line: &[u8]| {
            writer.append(line).unwrap();
            writer.sync().unwrap();
        };
        write(b"one");
        let mut lines = read(place.path(), 1).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), (1, b"one".to_vec()));
        assert!(
            lines.source.as_mut().unwrap().line(2).unwrap().is_none(),
            "the last look at the first segment"
        );
        write(b"two and more");
        write(b"three");
        assert_eq!(names::list(place.path()).unwrap(), [1, 3]);
        assert!(lines.advance().unwrap(), "the look for the next");
        assert_eq!(lines.next().unwrap().unwrap(), (2, b"two and more".to_vec()));
        assert_eq!(lines.next().unwrap().unwrap(), (3, b"three".to_vec()));
        assert!(lines.next().is_none());
    }
}
