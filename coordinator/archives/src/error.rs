//! Why an upload is refused or could not be read: whose fault it is, and one sentence that says what would be right.

use std::fmt;
use std::io;

use windlass_protocol::limits;
use windlass_protocol::manifest::{BadPath, BadTree};
use windlass_protocol::names::visible;

use crate::Format;

/// Why reading a package ended early, by whose fault.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The package is not acceptable: the uploader's to mend, and the same at every try.
    #[error(transparent)]
    Package(#[from] BadPackage),
    /// The sink failed, as with a full disk: the coordinator's to mend, then the same upload may pass.
    #[error("a file of the package cannot be stored: {0}")]
    Sink(io::Error),
    /// The uploaded file could not be read from where it lies.
    #[error("the uploaded file cannot be read: {0}")]
    Read(io::Error),
}

/// What is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPackage {
    #[error("the uploaded file is larger than the {limit} bytes that are allowed")]
    ArchiveTooLarge { limit: u64 },
    #[error("the package unpacks to more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the package unpacks to more than {ratio} times the size of its archive, which only a bomb does")]
    Bomb { ratio: u64 },
    #[error("the package has more than {limit} files and folders")]
    TooManyEntries { limit: usize },
    #[error(
        "the names in the package are too long together: its manifest would have more than {limit} bytes"
    )]
    ManifestTooLong { limit: usize },
    #[error("`{name}` cannot be in a package: {bad}")]
    Name { name: Shown, bad: BadPath },
    #[error(transparent)]
    Tree(#[from] BadTree),
    #[error("`{name}` appears twice in the archive")]
    Duplicate { name: Shown },
    #[error("`{name}` is {kind}; a package holds files, folders and symbolic links only")]
    Kind { name: Shown, kind: &'static str },
    #[error("the folder `{name}` has content of its own; only files have content")]
    FolderContent { name: Shown },
    #[error("the link `{name}` has content of its own; a tar archive keeps its target in the header")]
    LinkContent { name: Shown },
    #[error("the target of the link `{name}` is longer than {} bytes", limits::PATH_BYTES)]
    TargetTooLong { name: Shown },
    #[error("the target of the link `{name}` is not UTF-8 text without control characters")]
    TargetText { name: Shown },
    #[error("`{name}` is a hard link to `{target}`, which is no file earlier in the archive")]
    HardLink { name: Shown, target: Shown },
    #[error("`{name}` has more than the {declared} bytes that its header declares")]
    TooLong { name: Shown, declared: u64 },
    #[error("`{name}` has {found} bytes where its header declares {declared}; the archive may be cut off")]
    TooShort { name: Shown, declared: u64, found: u64 },
    #[error("`{name}` cannot be read from the archive: {detail}")]
    Entry { name: Shown, detail: Shown },
    #[error("the {format} archive is damaged or cut off: {detail}")]
    Damaged { format: &'static str, detail: Shown },
    #[error("the {format} archive has data {place}; upload the archive alone")]
    Surplus { format: &'static str, place: &'static str },
    #[error("`{name}` is encrypted; upload the package unencrypted")]
    Encrypted { name: Shown },
    #[error(
        "`{name}` is compressed with {method}; store, deflate, bzip2 and zstd can be read in a zip archive"
    )]
    Method { name: Shown, method: Shown },
    #[error("`{first}` and `{second}` share bytes of the zip archive; each entry must have its own")]
    Overlap { first: Shown, second: Shown },
    #[error("`{name}` has an extended header that {fault}")]
    Extended { name: Shown, fault: &'static str },
    #[error("`{name}` is named like a {promised} archive, but its content is none")]
    NameLies { name: Shown, promised: Format },
}

/// Text that an uploader chose, fit to be shown: escaped and cut, so that an error stays one sentence.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(String);

/// More characters of a name than this say nothing more to a reader.
const SHOWN_CHARACTERS: usize = 200;

impl Shown {
    pub(crate) fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        // A character has 4 bytes at most; no need to look at a megabyte of name.
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_CHARACTERS * 4 + 4)]);
        let mut shown = String::new();
        for (count, character) in text.chars().enumerate() {
            if count == SHOWN_CHARACTERS {
                shown.push('…');
                break;
            }
            shown.push(character);
        }
        Self(visible(&shown).into_owned())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_uploader_chose_is_shown_escaped_and_cut() {
        assert_eq!(Shown::new("Übung 1.txt").to_string(), "Übung 1.txt");
        assert_eq!(Shown::new("a\0b\n\x1b[31m").to_string(), "a\\u{0}b\\n\\u{1b}[31m");
        assert_eq!(Shown::new("cod\u{202e}txt.exe").to_string(), "cod\\u{202e}txt.exe");
        assert_eq!(Shown::new(b"\xff\xfe").to_string(), "\u{fffd}\u{fffd}");
        assert_eq!(Shown::new("ä".repeat(5000)).to_string(), format!("{}…", "ä".repeat(200)));
    }
}
