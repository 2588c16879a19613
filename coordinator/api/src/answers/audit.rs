//! Answers from the record.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A record of the journal. What is sealed in it is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Its number; for who is limited to tenants, among those that they see.
    pub sequence: u64,
    /// When.
    pub time: String,
    /// The space's name; null for the installation.
    pub space: Option<String>,
    /// Who, in words.
    pub actor: String,
    /// From where; to who is limited to tenants, of what they did themselves.
    pub origin: Option<String>,
    /// Why; to who is limited to tenants, of what they did themselves.
    pub reason: Option<String>,
    /// What happened, in words.
    pub summary: Vec<String>,
    /// What happened, as it is recorded.
    pub events: Vec<serde_json::Value>,
    /// The hash of the chain at this record; null for who is limited to tenants: it is of everything before.
    pub hash: Option<String>,
}

/// The journal is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    /// Its records.
    pub records: u64,
    /// The hash of the chain at the last one: what a witness compares.
    pub head: String,
}

/// What a target could read now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatCan {
    /// The target's name.
    pub target: String,
    /// Why it gets nothing at all, if so: disabled or revoked.
    pub nothing: Option<String>,
    /// What running deployments let it read at this moment; in the first part alone.
    pub now: Vec<Holding>,
    /// What a deployment of a project as it stands would let it read.
    pub could: Vec<WhatCanItem>,
    /// Packages that it pulled and may still hold; in the first part alone.
    pub holds: Vec<HeldPackage>,
    /// Where the following part of `could` begins; null at the end.
    pub next: Option<String>,
}

/// A package that a target pulled and may still hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldPackage {
    /// SHA-256 of its manifest.
    pub manifest: String,
    /// As `id version`; more than one where the same content has several, none where it was deleted.
    pub names: Vec<String>,
}

/// What an assignment lets a target read at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Holding {
    /// The deployment's id.
    pub deployment: String,
    /// The tenant's name.
    pub tenant: Option<String>,
    /// The step's name; null while packages are fetched.
    pub step: Option<String>,
    /// Packages, as `id version`.
    pub packages: Vec<String>,
}

/// What a deployment would let a target read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatCanItem {
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's name; null where untenanted.
    pub tenant: Option<String>,
    /// The steps that it would get.
    pub steps: Vec<String>,
    /// Ids of packages.
    pub packages: Vec<String>,
    /// Names of variables whose values are not sensitive.
    pub variables: Vec<String>,
    /// Names of sensitive variables.
    pub secrets: Vec<String>,
}

/// Who can receive what is a tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoCan {
    /// The tenant's name.
    pub tenant: String,
    /// The targets, in the order of their names. One that could read much goes on in the following part.
    pub targets: Vec<Reachable>,
    /// Where the following part begins; null at the end.
    pub next: Option<String>,
}

/// A target that can receive what is a tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reachable {
    /// The target's name.
    pub target: String,
    /// Whether its agent is connected.
    pub online: bool,
    /// By its name or by a tag.
    pub by: ReachedBy,
    /// What it could read of this tenant.
    pub could: Vec<WhatCanItem>,
}

/// What a target did pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pulled {
    /// The target's name.
    pub target: String,
    /// What it pulled, the newest first.
    pub items: Vec<PulledItem>,
    /// Where the following part begins; null at the end.
    pub next: Option<String>,
}

closed_list! {
    /// What was pulled.
    PulledKind {
        /// A package, whole.
        Package = "package",
        /// A package that it had already, whole.
        PackageAgain = "package-again",
        /// A package that was about to leave.
        PackageBegun = "package-begun",
        /// A package whose pull ended before its end.
        PackageInPart = "package-in-part",
        /// Variables.
        Variables = "variables",
        /// Variables that it had already.
        VariablesAgain = "variables-again",
    }
}

closed_list! {
    /// By what a target reaches a tenant.
    ReachedBy {
        /// Its grant names the tenant.
        Name = "name",
        /// Its grant names a tag that the tenant carries.
        Tag = "tag",
    }
}

/// Something that a target pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PulledItem {
    /// The record's number; for who is limited to tenants, among those that they see.
    pub sequence: u64,
    /// When; the first time, where the record counts several.
    pub time: String,
    /// When the last time.
    pub last: String,
    /// How often.
    pub times: u64,
    /// The deployment's id.
    pub deployment: String,
    /// The tenant's name, as far as the deployment is still known.
    pub tenant: Option<String>,
    /// What was pulled.
    pub kind: PulledKind,
    /// The package's manifest, or the variables' digest.
    pub digest: String,
    /// Bytes of content that travelled, of all times; of what was about to leave, those that were to. To who is limited to
    /// tenants, those of the whole package.
    pub bytes: u64,
    /// Names of the variables, or of the package with its version.
    pub names: Vec<String>,
}
