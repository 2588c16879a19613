//! The mark of what is durable: a file with the number of the last line that is known to be.
//!
//! It is written after each sync and never synced itself, so that it costs nothing to speak of: it may lag behind, and
//! never runs ahead. A program that was killed left it exact; after a loss of power it is as old as the kernel let it
//! grow, which is half a minute. It fits into one sector, which a disk writes at once or not at all.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::Path;

use crate::disk::File;
use crate::{SegmentError, files, names};

/// Digits of the largest number.
const DIGITS: usize = 20;

/// Where the mark of a folder is written.
pub(crate) struct Mark(File);

impl Mark {
    /// Opens the mark and makes it if it is missing. Durable with the next sync of the folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, SegmentError> {
        let path = folder.join(names::MARK);
        let mut options = OpenOptions::new();
        let opened = File::open(options.write(true).create(true).truncate(false), &path);
        Ok(Self(opened.map_err(SegmentError::writing("open", &path, folder))?))
    }

    /// Makes it and its name durable.
    pub(crate) fn sync(&self, folder: &Path) -> Result<(), SegmentError> {
        self.0.sync_all().map_err(SegmentError::writing("sync", &folder.join(names::MARK), folder))?;
        files::sync_folder(folder)
    }

    /// Says that everything up to line `durable` is. One that cannot be written stays older than it could be.
    pub(crate) fn set(&self, durable: u64) {
        let _ = self.0.write_all_at(format!("{durable:0DIGITS$}\n").as_bytes(), 0);
    }
}

/// The last line of `folder` that is known to be durable. Where nobody knows (the mark is missing, or is damaged) that
/// is every line: then damage is refused that a loss of power could have left, rather than passed over.
///
/// Of a folder in use it says no more than its lines, as long as it is asked for first.
pub fn read(folder: impl AsRef<Path>) -> Result<Option<u64>, SegmentError> {
    let path = folder.as_ref().join(names::MARK);
    let Some(file) = files::read(&path)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(DIGITS as u64 + 2).read_to_end(&mut text).map_err(SegmentError::io("read", &path))?;
    // As it was made, before the kernel came to write it.
    if text.iter().all(|byte| *byte == 0) {
        return Ok(Some(0));
    }
    let digits = text.strip_suffix(b"\n").filter(|digits| digits.len() == DIGITS);
    Ok(digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()))
}
