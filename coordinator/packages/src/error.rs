//! What can go wrong with the store and with an upload, by whose fault.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use windlass_archives::{ArchiveError, BadPackage};
use windlass_protocol::Digest;
use windlass_segments::disk::is_full;

/// What an object of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The canonical text of a manifest.
    Manifest,
    /// The content of one or more files.
    Blob,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Manifest => "manifest",
            Self::Blob => "blob",
        })
    }
}

/// Why the store cannot do what it was asked for. All of it is the coordinator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The disk, the quota or the process's limit on file sizes is used up.
    #[error("there is no space left for packages: cannot {action} {}", path.display())]
    Full {
        /// What was tried, as a verb.
        action: &'static str,
        path: PathBuf,
    },
    /// Another process has the store open, and would take this one's temporary files for left over ones.
    #[error("the package store in {} is open in another process", folder.display())]
    Locked { folder: PathBuf },
    /// Nothing of that name is stored.
    #[error("the package store has no {kind} {digest}")]
    Missing { kind: Kind, digest: Digest },
    /// An object is not what was once stored under its name.
    #[error("the stored {kind} {digest} is damaged: {fault}")]
    Damaged { kind: Kind, digest: Digest, fault: &'static str },
}

impl StoreError {
    /// Wraps what the operating system said about `path`, and tells lack of space apart.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            if is_full(&source) {
                Self::Full { action, path: path.to_owned() }
            } else {
                Self::Io { action, path: path.to_owned(), source }
            }
        }
    }
}

/// Why an upload was not taken. Nothing of it is in the store then.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The package is not acceptable: the uploader's to mend, and the same at every try.
    #[error(transparent)]
    Package(#[from] BadPackage),
    /// The uploaded file could not be read from where it lies.
    #[error("the uploaded file cannot be read: {0}")]
    Read(io::Error),
    /// The store failed; the same upload may pass later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UploadError {
    /// What happened while the files of an archive were written into `folder`.
    pub(crate) fn of_archive(error: ArchiveError, folder: &Path) -> Self {
        match error {
            ArchiveError::Package(bad) => Self::Package(bad),
            ArchiveError::Read(source) => Self::Read(source),
            // Whatever the store itself said about an object comes through the archive's reader as it was.
            ArchiveError::Sink(source) => {
                Self::Store(source.downcast().unwrap_or_else(StoreError::io("write to", folder)))
            }
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
            let error = StoreError::io("write to", Path::new("store"))(number.into());
            assert_eq!(matches!(error, StoreError::Full { .. }), full, "{number}: {error}");
        }
    }
}
