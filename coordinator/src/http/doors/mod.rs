//! What the HTTP API needs of other parts of the coordinator: packages and presence.
//!
//! Small on purpose, so that the handlers run in tests without a network or a package store. The parts themselves
//! are fitted to them beside this file.

mod packages;
mod presence;

use std::fs::File;

use windlass_api::error::Problem;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::manifest::EntryPath;
use windlass_protocol::{Digest, Timestamp};

/// The package store. Its functions wait for the disk.
pub trait PackageDoor: Send + Sync {
    /// Takes an uploaded file as hostile input. When this returns, all of it is durable. `name` is the name that it
    /// was uploaded under.
    fn store(&self, file: File, name: &str) -> Result<StoredPackage, Problem>;

    /// The files of a stored package that `wanted` selects, as texts.
    fn texts(&self, manifest: Digest, wanted: &dyn Fn(&EntryPath) -> bool) -> Result<PackageTexts, Problem>;
}

/// What an uploaded file became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPackage {
    /// The package's identity.
    pub manifest: Digest,
    /// SHA-256 of the file as it was uploaded.
    pub original: Digest,
    /// The format of that file, in a word.
    pub format: String,
    /// Bytes when unpacked.
    pub size: u64,
    /// Regular files.
    pub files: u32,
    /// The id and version that the file's name states, if it has that form.
    pub identified: Option<(String, String)>,
}

/// Files of a package as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageTexts {
    /// Path and text of each.
    pub read: Vec<(String, String)>,
    /// The selected files that are no text or too large: what they need is not known.
    pub unread: Vec<String>,
}

/// Who is connected, and how far pulls have come. None of it is a part of the state.
pub trait Presence: Send + Sync {
    /// Whether the target's agent is connected now.
    fn online(&self, target: TargetId) -> bool;

    /// When the target's agent was last heard.
    fn last_seen(&self, target: TargetId) -> Option<Timestamp>;

    /// How far the target's fetching for a deployment has come, while it runs.
    fn progress(&self, deployment: DeploymentId, target: TargetId) -> Option<FetchProgress>;
}

/// How far a pull has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes that travelled.
    pub moved: u64,
    /// Bytes that did not have to.
    pub saved: u64,
    /// Bytes of the whole.
    pub total: u64,
}
