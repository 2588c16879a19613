//! Answers about packages and releases.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageView {
    /// Id.
    pub id: String,
    /// Version.
    pub version: String,
    /// SHA-256 of its manifest: its identity.
    pub manifest: String,
    /// SHA-256 of the file as it was uploaded.
    pub original: String,
    /// The format of that file.
    pub format: String,
    /// Bytes when unpacked.
    pub size: u64,
    /// Regular files.
    pub files: u32,
    /// When it was uploaded.
    pub uploaded: String,
}

/// A release in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseItem {
    /// Id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// Its version.
    pub version: String,
    /// When it was made.
    pub created: String,
}

/// A release that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseMade {
    /// The release.
    pub release: ReleaseView,
    /// What is allowed, but worth a second look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseView {
    /// What lists show.
    #[serde(flatten)]
    pub item: ReleaseItem,
    /// What changed, for people.
    pub notes: String,
    /// The package of each package step.
    pub packages: Vec<ChosenPackageView>,
    /// The steps that it froze, in order.
    pub steps: Vec<String>,
    /// Where it has succeeded: `environment` or `environment/tenant`.
    pub succeeded: Vec<String>,
}

/// The package that a release chose for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChosenPackageView {
    /// The step's name.
    pub step: String,
    /// The package's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its manifest.
    pub manifest: String,
}
