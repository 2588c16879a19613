//! Packages as they were uploaded.

use serde::{Deserialize, Serialize};
use windlass_protocol::{Digest, Timestamp};

/// What names a package in a space: its id and version, exactly as uploaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageKey {
    /// Id, such as `synergy-web`.
    pub id: String,
    pub version: crate::version::Version,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// What names it.
    pub key: PackageKey,
    /// The digest of its manifest: its identity.
    pub manifest: Digest,
    /// The digest of the file as it was uploaded.
    pub original: Digest,
    /// The format of that file.
    pub format: String,
    /// Bytes when unpacked.
    pub size: u64,
    /// Regular files.
    pub files: u32,
    pub uploaded: Timestamp,
}
