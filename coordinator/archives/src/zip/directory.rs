//! The directory of a zip archive, walked before the zip library sees it.
//!
//! The library searches for a directory until it finds one that parses, skips what lies around it, keeps one of two
//! entries of the same name, and sizes its tables by counts that the archive states. Here an archive has exactly one
//! end record, at the very end, whose directory lies directly before it and is exactly as long as its entries; so
//! there is one way to read it, and what the library allocates is bounded.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use crate::source::Faults;
use crate::{ArchiveError, BadPackage, Limits, Shown};

/// Where the directory lies, and how many entries it has.
pub(super) struct Directory {
    pub(super) start: u64,
    pub(super) entries: usize,
}

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_BYTES: usize = 56;
const HEADER: [u8; 4] = *b"PK\x01\x02";
const HEADER_BYTES: usize = 46;
/// A comment's length is a 16-bit number.
const COMMENT_BYTES: usize = 0xffff;
/// Extra fields of one entry. The library's time to read them grows with the square of their number.
const ENTRY_EXTRA_BYTES: u16 = 8 << 10;
/// Extra fields and comments of all entries together. Everyday ones have 40 bytes an entry; parsed ones take several
/// times their size in memory.
const EXTRA_BYTES: usize = 16 << 20;

/// Finds the directory of an archive of `length` bytes and walks it once.
pub(super) fn check<R: Read + Seek>(
    reader: &mut R,
    length: u64,
    limits: &Limits,
    faults: &Faults,
) -> Result<Directory, ArchiveError> {
    let mut walk = Walk { reader, faults };
    let end = walk.end_record(length)?;
    if end.directory.checked_add(end.size) != Some(end.boundary) {
        return Err(damaged("its directory does not end where its end record begins"));
    }
    let entries = usize::try_from(end.entries).ok().filter(|entries| *entries <= limits.entries);
    let Some(entries) = entries else {
        return Err(BadPackage::TooManyEntries { limit: limits.entries }.into());
    };
    walk.entries(&end, entries, limits)?;
    Ok(Directory { start: end.directory, entries })
}

fn damaged(detail: &str) -> ArchiveError {
    BadPackage::Damaged { format: "zip", detail: Shown::new(detail) }.into()
}

/// What the end record says, in 64 bits where it has that part.
struct End {
    /// Where the directory begins.
    directory: u64,
    /// Bytes of the directory.
    size: u64,
    entries: u64,
    /// Where the end record begins, and the directory has to end.
    boundary: u64,
}

struct Walk<'a, R> {
    reader: &'a mut R,
    faults: &'a Faults,
}

impl<R: Read + Seek> Walk<'_, R> {
    fn at(&mut self, position: u64, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let result = self.reader.seek(SeekFrom::Start(position)).and_then(|_| self.reader.read_exact(buffer));
        result.map_err(|error| self.explain(&error))
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        self.reader.read_exact(buffer).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &io::Error) -> ArchiveError {
        self.faults.or(BadPackage::Damaged { format: "zip", detail: Shown::new(error.to_string()) })
    }

    fn end_record(&mut self, length: u64) -> Result<End, ArchiveError> {
        let most = (END_BYTES + COMMENT_BYTES + LOCATOR_BYTES) as u64;
        let mut tail = vec![0; usize::try_from(length.min(most)).expect("at most 64 KiB and a little")];
        let tail_start = length - tail.len() as u64;
        self.at(tail_start, &mut tail)?;
        // The last one is looked at alone: a second one in its comment would be a second archive to other readers.
        let Some(at) = tail.windows(END.len()).rposition(|window| window == END) else {
            return Err(damaged("it has no end record"));
        };
        let record = &tail[at..];
        if record.len() < END_BYTES {
            return Err(damaged("its end record is incomplete"));
        }
        let comment = usize::from(u16_at(record, 20));
        if record.len() > END_BYTES + comment {
            return Err(BadPackage::Surplus { format: "zip", place: "after its end" }.into());
        }
        if record.len() < END_BYTES + comment {
            return Err(damaged("its comment is incomplete"));
        }
        if [u16_at(record, 4), u16_at(record, 6)] != [0, 0] || u16_at(record, 8) != u16_at(record, 10) {
            return Err(damaged("it is one part of several; join the parts first"));
        }
        let boundary = tail_start + at as u64;
        let end = End {
            directory: u32_at(record, 16).into(),
            size: u32_at(record, 12).into(),
            entries: u16_at(record, 10).into(),
            boundary,
        };
        match at.checked_sub(LOCATOR_BYTES).map(|start| &tail[start..at]) {
            Some(locator) if locator.starts_with(&LOCATOR) => self.end_record_64(end, locator),
            _ => Ok(end),
        }
    }

    /// Reads the 64-bit record, which has to agree with every number of the other that is not marked as too large.
    fn end_record_64(&mut self, end: End, locator: &[u8]) -> Result<End, ArchiveError> {
        let locator_start = end.boundary - LOCATOR_BYTES as u64;
        let start = u64_at(locator, 8);
        let fits = start.checked_add(END64_BYTES as u64).is_some_and(|after| after <= locator_start);
        if u32_at(locator, 4) != 0 || u32_at(locator, 16) > 1 || !fits {
            return Err(damaged("its 64-bit end record is not where it should be"));
        }
        let mut record = [0; END64_BYTES];
        self.at(start, &mut record)?;
        let whole = start.checked_add(12).and_then(|body| body.checked_add(u64_at(&record, 4)));
        if !record.starts_with(&END64) || whole != Some(locator_start) {
            return Err(damaged("its 64-bit end record is not where it should be"));
        }
        let one_part = u32_at(&record, 16) == 0 && u32_at(&record, 20) == 0;
        let (entries, size, directory) = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
        let agrees = |narrow: u64, wide: u64, marker: u64| narrow == marker || narrow == wide;
        if !one_part
            || u64_at(&record, 24) != entries
            || !agrees(end.entries, entries, 0xffff)
            || !agrees(end.size, size, 0xffff_ffff)
            || !agrees(end.directory, directory, 0xffff_ffff)
        {
            return Err(damaged("its two end records disagree"));
        }
        Ok(End { directory, size, entries, boundary: start })
    }

    /// Walks the entries' headers: as many as stated, as long as stated, no name twice.
    fn entries(&mut self, end: &End, count: usize, limits: &Limits) -> Result<(), ArchiveError> {
        self.reader.seek(SeekFrom::Start(end.directory)).map_err(|error| self.explain(&error))?;
        let mut names = HashSet::new();
        let (mut left, mut name_bytes, mut extra_bytes) = (end.size, 0, 0);
        let too_few = || damaged("its directory has fewer entries than its end record states");
        for _ in 0..count {
            let mut header = [0; HEADER_BYTES];
            left = left.checked_sub(HEADER_BYTES as u64).ok_or_else(too_few)?;
            self.next(&mut header)?;
            if !header.starts_with(&HEADER) {
                return Err(too_few());
            }
            let mut name = vec![0; u16_at(&header, 28).into()];
            let extra = usize::from(u16_at(&header, 30)) + usize::from(u16_at(&header, 32));
            left = left.checked_sub((name.len() + extra) as u64).ok_or_else(too_few)?;
            name_bytes += name.len();
            extra_bytes += extra;
            if name_bytes > limits.manifest_bytes {
                return Err(BadPackage::ManifestTooLong { limit: limits.manifest_bytes }.into());
            }
            if extra_bytes > EXTRA_BYTES {
                return Err(damaged("its directory has more than 16 MiB of extra fields and comments"));
            }
            self.next(&mut name)?;
            if u16_at(&header, 30) > ENTRY_EXTRA_BYTES {
                let detail = Shown::new("it has more than 8 KiB of extra fields");
                return Err(BadPackage::Entry { name: Shown::new(name), detail }.into());
            }
            self.reader.seek_relative(extra as i64).map_err(|error| self.explain(&error))?;
            if let Some(name) = names.replace(name) {
                return Err(BadPackage::Duplicate { name: Shown::new(name) }.into());
            }
        }
        if left != 0 {
            return Err(damaged("its directory has more entries than its end record states"));
        }
        Ok(())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
