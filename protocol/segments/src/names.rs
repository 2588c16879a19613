//! The names of segment files, and what a folder may hold.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::SegmentError;

/// The file that a writer holds its lock on. It stays empty.
pub(crate) const LOCK: &str = "lock";
/// The file that says which lines are known to be durable.
pub(crate) const MARK: &str = "durable";

const SUFFIX: &str = ".jsonl";
/// As many as the largest `u64` has, so that names sort like numbers.
const DIGITS: usize = 20;

/// The path of the segment in `folder` whose first line is `first`.
pub(crate) fn segment(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}{SUFFIX}"))
}

/// The numbers of the first lines of all segments in `folder`, ascending. Whatever else lies there, except for the
/// lock and the mark, is an error: a renamed or copied segment must not be overlooked.
pub(crate) fn list(folder: &Path) -> Result<Vec<u64>, SegmentError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(SegmentError::io("list", folder))? {
        let entry = entry.map_err(SegmentError::io("list", folder))?;
        let kind = match entry.file_type() {
            // A reader's listing may run beside a writer that removes old segments.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            kind => kind.map_err(SegmentError::io("look at", &entry.path()))?,
        };
        let name = entry.file_name();
        match (first_line(&name), name == LOCK || name == MARK) {
            (Some(first), _) if kind.is_file() => segments.push(first),
            (None, true) if kind.is_file() => {}
            _ => return Err(SegmentError::Foreign { path: entry.path() }),
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The number in a segment's file name, written the one way it can be.
fn first_line(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|first| plain && *first > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_segment_only_if_it_is_written_exactly() {
        for (name, expected) in [
            ("00000000000000000001.jsonl", Some(1)),
            ("18446744073709551615.jsonl", Some(u64::MAX)),
            ("18446744073709551616.jsonl", None),
            ("00000000000000000000.jsonl", None),
            ("0000000000000000001.jsonl", None),
            ("+0000000000000000001.jsonl", None),
            ("00000000000000000001.json", None),
            ("00000000000000000001.jsonl~", None),
            ("lock", None),
        ] {
            assert_eq!(first_line(OsStr::new(name)), expected, "{name}");
        }
        assert_eq!(segment(Path::new("j"), 17), Path::new("j/00000000000000000017.jsonl"));
    }

    #[test]
    fn a_folder_or_link_with_a_segments_name_is_foreign() {
        let place = tempfile::tempdir().unwrap();
        let path = segment(place.path(), 1);
        fs::create_dir(&path).unwrap();
        assert!(matches!(list(place.path()), Err(SegmentError::Foreign { path: found }) if found == path));
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(list(place.path()), Err(SegmentError::Foreign { path: found }) if found == path));
    }
}
