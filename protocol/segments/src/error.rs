//! What can go wrong with a folder of segments.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::is_full;

/// Why lines could not be written or read. Each names the file or folder that an operator has to look at.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, a verb with its object's beginning, as in `write to`.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The disk, the quota or the process's limit on file sizes is used up.
    #[error("there is no space left for {}", folder.display())]
    Full { folder: PathBuf },
    /// Another writer has the folder.
    #[error("{} is already open for writing", folder.display())]
    Locked { folder: PathBuf },
    /// An earlier call of this writer failed, so that it no longer knows what the disk holds.
    #[error("writing to {} failed before; it has to be opened anew", folder.display())]
    Poisoned { folder: PathBuf },
    /// A line to append contains `\n`, or a zero byte: zeros are what a disk shows of bytes that it did not get.
    #[error("a line must not contain a line break or a zero byte")]
    Unfit,
    /// A line to append is too long.
    #[error("a line of {bytes} bytes is longer than the {limit} that are allowed")]
    LineTooLong { bytes: usize, limit: usize },
    /// Something in the folder is neither a segment nor the lock file.
    #[error("{} does not belong in a folder of segments", path.display())]
    Foreign {
        /// The path of what was found.
        path: PathBuf,
    },
    /// A line has zeros in it, though it was durable: no loss of power leaves that.
    #[error("line {line}, at byte {offset} of {}, is damaged", path.display())]
    Damaged {
        path: PathBuf,
        line: u64,
        /// Where it begins.
        offset: u64,
    },
    /// Lines are missing at the end that were durable.
    #[error(
        "{} ends with line {found}, but its lines up to {durable} were durable: lines were lost after they were \
         acknowledged; restore them from a backup, or remove the file `durable` there to go on without them",
        folder.display()
    )]
    Lost {
        folder: PathBuf,
        /// The last line that was durable.
        durable: u64,
        /// The last line that is there.
        found: u64,
    },
    /// A segment that is not the last one ends in the middle of a line. Only a last segment can be cut short by a
    /// crash, so this is damage.
    #[error("{} ends inside a line, at byte {offset}, but is not the last segment", path.display())]
    Incomplete {
        path: PathBuf,
        /// Where the incomplete line begins, or, found while opening a writer, where the file ends.
        offset: u64,
    },
    /// A segment's name does not follow from the lines before it.
    #[error("{} begins with line {found}, but the lines before it end at {}", path.display(), expected - 1)]
    Gap {
        /// The segment whose name is unexpected.
        path: PathBuf,
        /// The number that its first line should have had, or at most could have had.
        expected: u64,
        /// The number that its name gives.
        found: u64,
    },
    /// A stored line is longer than any writer writes.
    #[error("the line at byte {offset} of {} is longer than any that was written", path.display())]
    Overlong {
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
    },
    /// A segment became shorter than what was read of it: its writer failed, and lines that were never durable went.
    #[error("{} lost lines that were read before they were durable", path.display())]
    Shrunk { path: PathBuf },
    /// The lines asked for were removed by [`Writer::truncate_before`](crate::Writer::truncate_before).
    #[error("line {asked} of {} was removed; the first that is kept is {first}", folder.display())]
    Removed {
        folder: PathBuf,
        asked: u64,
        /// The first line that is still there.
        first: u64,
    },
    /// The lines asked for begin later than one past the last.
    #[error("line {asked} of {} was asked for, but the next to be written is {next}", folder.display())]
    Beyond {
        folder: PathBuf,
        asked: u64,
        /// The number that the next line will get.
        next: u64,
    },
}

impl SegmentError {
    /// Whether lines that are there are not as a writer leaves them.
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::Gap { .. }
            | Self::Overlong { .. }
            | Self::Foreign { .. }
            | Self::Shrunk { .. } => true,
            Self::Io { .. }
            | Self::Full { .. }
            | Self::Locked { .. }
            | Self::Poisoned { .. }
            | Self::Unfit
            | Self::LineTooLong { .. }
            | Self::Lost { .. }
            | Self::Removed { .. }
            | Self::Beyond { .. } => false,
        }
    }

    /// Wraps what the operating system said about reading or looking at `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Wraps what the operating system said about writing `path` in `folder`, and tells lack of space apart.
    pub(crate) fn writing(
        action: &'static str,
        path: &Path,
        folder: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| match source {
            full if is_full(&full) => Self::Full { folder: folder.to_owned() },
            source => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn lack_of_space_is_told_apart_from_other_failures() {
        for (number, full) in [
            (Errno::ENOSPC, true),
            (Errno::EDQUOT, true),
            (Errno::EFBIG, true),
            (Errno::EIO, false),
            (Errno::EROFS, false),
        ] {
            let error = SegmentError::writing("write to", Path::new("j/1"), Path::new("j"))(number.into());
            assert_eq!(matches!(error, SegmentError::Full { .. }), full, "{number}: {error}");
            assert_eq!(error.to_string().contains("(os error "), !full, "{error}");
        }
    }
}
