//! What the central directory says about one entry.

use ::zip::CompressionMethod;
use ::zip::read::ZipFileEntry;

use crate::{BadPackage, Shown};

/// The parts of an entry's header that matter here.
pub(super) struct Header {
    /// The bytes of the name, or of the Unicode name that replaces it.
    pub(super) name: Vec<u8>,
    /// Bytes of the content, as declared.
    pub(super) size: u64,
    /// Bytes of the content in the archive.
    pub(super) packed: u64,
    /// Where the local header begins.
    pub(super) start: u64,
    mode: u32,
}

/// What an entry claims to be.
pub(super) enum Stated {
    Directory,
    File { executable: bool },
    Link,
}

/// Bits of the flags that mean encryption: of the content, strong, and of the directory.
const ENCRYPTED: u16 = 0x0001 | 0x0040 | 0x2000;

const TYPE: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_LINK: u32 = 0o120_000;
const EXECUTE: u32 = 0o111;

impl Header {
    /// Takes over a header whose content can be read.
    pub(super) fn of(entry: &ZipFileEntry<'_>) -> Result<Self, BadPackage> {
        let name = || Shown::new(entry.name_raw());
        if entry.flags().as_u16() & ENCRYPTED != 0 {
            return Err(BadPackage::Encrypted { name: name() });
        }
        match entry.compression() {
            CompressionMethod::Stored
            | CompressionMethod::Deflated
            | CompressionMethod::Bzip2
            | CompressionMethod::Zstd => {}
            other => return Err(BadPackage::Method { name: name(), method: Shown::new(other.to_string()) }),
        }
        Ok(Self {
            name: entry.name_raw().to_vec(),
            size: entry.size(),
            packed: entry.compressed_size(),
            start: entry.header_start(),
            // Also where the header says that it was written on DOS: several writers of links do.
            mode: entry.external_attributes() >> 16,
        })
    }

    pub(super) fn shown(&self) -> Shown {
        Shown::new(&self.name)
    }

    /// The entry cannot be read, for the reason in `detail`.
    pub(super) fn unreadable(&self, detail: &str) -> BadPackage {
        BadPackage::Entry { name: self.shown(), detail: Shown::new(detail) }
    }

    /// What the entry is: a folder if its name ends with a slash, else what its mode says.
    pub(super) fn stated(&self) -> Result<Stated, BadPackage> {
        let special = |kind| Err(BadPackage::Kind { name: self.shown(), kind });
        if self.name.ends_with(b"/") {
            return match self.mode & TYPE {
                0 | TYPE_DIRECTORY | TYPE_FILE if self.size == 0 => Ok(Stated::Directory),
                0 | TYPE_DIRECTORY | TYPE_FILE => Err(BadPackage::FolderContent { name: self.shown() }),
                _ => special("a folder by its name and something else by its mode"),
            };
        }
        match self.mode & TYPE {
            0 | TYPE_FILE => Ok(Stated::File { executable: self.mode & EXECUTE != 0 }),
            TYPE_LINK => Ok(Stated::Link),
            TYPE_DIRECTORY => special("a file by its name and a folder by its mode"),
            0o010_000 => special("a named pipe"),
            0o020_000 => special("a character device"),
            0o060_000 => special("a block device"),
            0o140_000 => special("a socket"),
            _ => special("of an unknown type"),
        }
    }
}
