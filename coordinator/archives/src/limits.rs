//! How much of everything an upload may have.

use windlass_protocol::limits;

/// The limits of one upload. The default is what the protocol allows; tests and stricter operators use less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the uploaded file.
    pub archive_bytes: u64,
    /// Bytes of all files of the package together.
    pub unpacked_bytes: u64,
    /// Entries of the archive, and files, links and folders of the tree that they form.
    pub entries: usize,
    /// Bytes of the manifest's text.
    pub manifest_bytes: usize,
    /// How many times larger than the uploaded file the package may be.
    pub expansion_ratio: u64,
    /// Up to this many bytes the ratio is not looked at.
    pub expansion_free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: limits::ARCHIVE_BYTES,
            unpacked_bytes: limits::PACKAGE_BYTES,
            entries: limits::MANIFEST_ENTRIES,
            manifest_bytes: limits::MANIFEST_BYTES,
            expansion_ratio: limits::EXPANSION_RATIO,
            expansion_free_bytes: limits::EXPANSION_FREE_BYTES,
        }
    }
}

impl Limits {
    /// Whether `unpacked` bytes out of an archive of `archive` bytes are more than any honest package expands to.
    pub(crate) fn is_bomb(&self, archive: u64, unpacked: u64) -> bool {
        unpacked > self.expansion_free_bytes && unpacked > archive.saturating_mul(self.expansion_ratio)
    }
}
