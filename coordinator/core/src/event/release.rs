//! Packages and releases.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use windlass_protocol::Digest;
use windlass_protocol::ids::{ProjectId, ReleaseId, StepId};

use crate::model::{ChosenPackage, PackageKey, Snapshot};
use crate::version::Version;

/// What happened to packages and releases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ReleaseEvent {
    PackageUploaded {
        package: PackageUploaded,
    },
    /// A release was made.
    #[serde(rename = "release-created")]
    Created {
        release: ReleaseCreated,
    },
}

/// A package as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageUploaded {
    /// What names it.
    #[serde(flatten)]
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
}

/// A release as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseCreated {
    pub id: ReleaseId,
    pub project: ProjectId,
    pub version: Version,
    /// What changed, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    pub snapshot: Arc<Snapshot>,
    pub packages: BTreeMap<StepId, ChosenPackage>,
}
