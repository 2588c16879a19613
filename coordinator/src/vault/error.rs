//! Why a key cannot be had.

use std::io;

use windlass_protocol::ids::KeyId;
use windlass_segments::disk::is_full;

/// Why a key, or what is sealed with one, cannot be had. A place is where the store of keys has it: a file's path.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store does not work, and may at the next try.
    #[error("cannot {action} {place}: {source}")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        place: String,
        source: io::Error,
    },
    /// There is no room. Nothing has changed, and there may be room later.
    #[error("cannot write {place}: the disk is full")]
    Full { place: String },
    /// What was made is not there any more. Nothing takes its place.
    #[error("{place} is missing; restore it from a backup")]
    Missing { place: String },
    /// Another key has the name: whoever made it first.
    #[error("there is another key {0} already")]
    Taken(KeyId),
    /// What is there cannot be used.
    #[error("{place} {why}")]
    Unusable { place: String, why: &'static str },
    /// The key was destroyed, and with it whatever was sealed with it.
    #[error(
        "the key {0} was destroyed with its tenant; what is sealed with it cannot be read by anybody any more"
    )]
    Destroyed(KeyId),
    /// A value could not be sealed.
    #[error("a sensitive value could not be sealed")]
    Sealing,
    /// A value could not be opened: another key, or moved from where it belongs.
    #[error("a sensitive value cannot be opened with its key")]
    Opening,
}

impl VaultError {
    /// Whether the next try may go well.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }

    /// Why what must be there cannot be read.
    pub(crate) fn unread(place: impl ToString, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { place: place.to_string() },
            _ => Self::refused("read", place, source),
        }
    }

    /// What the system refused, with a full disk told apart.
    pub(crate) fn refused(action: &'static str, place: impl ToString, source: io::Error) -> Self {
        let place = place.to_string();
        if is_full(&source) { Self::Full { place } } else { Self::Unavailable { action, place, source } }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn lack_of_room_and_what_is_missing_are_told_apart_from_other_failures() {
        for (number, said) in [
            (Errno::ENOSPC, "cannot write there: the disk is full"),
            (Errno::EDQUOT, "cannot write there: the disk is full"),
            (Errno::EFBIG, "cannot write there: the disk is full"),
            (Errno::ENOENT, "cannot write there: No such file or directory (os error 2)"),
            (Errno::EIO, "cannot write there: Input/output error (os error 5)"),
        ] {
            assert_eq!(VaultError::refused("write", "there", number.into()).to_string(), said);
        }
        let missing = VaultError::unread("there", Errno::ENOENT.into());
        assert_eq!(missing.to_string(), "there is missing; restore it from a backup");
        assert!(!missing.passes() && VaultError::unread("there", Errno::EIO.into()).passes());
    }
}
