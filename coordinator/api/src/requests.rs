//! What people ask of the HTTP API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_protocol::message::Participation;

use crate::documents::Document;
use crate::query::QueryText;

/// Applies documents, all or nothing.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApplyRequest {
    /// The documents, each with its place.
    pub documents: Vec<PlacedDocument>,
    /// Only say what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Only add: a tenant that there is keeps its name, its switch, and all that its document leaves out. Other kinds are
    /// refused.
    #[serde(default, skip_serializing_if = "crate::documents::is_false")]
    pub only_add: bool,
}

/// A document and where it stands, for errors.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlacedDocument {
    /// `file.yaml:12`; empty where it comes from no file.
    #[serde(default)]
    pub place: String,
    /// The document.
    pub document: Document,
}

/// A scope that an operator grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GrantText {
    /// Roles.
    pub roles: Vec<String>,
    /// Environments.
    pub environments: Vec<String>,
    /// Tenants; empty means nobody.
    pub tenants: QueryText,
    /// Participation; where it is left out, `tenanted` if the scope names any tenant or tag, else `untenanted`.
    #[schema(value_type = Option<String>)]
    pub participation: Option<Participation>,
}

/// Makes an enrolment token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnrolmentRequest {
    /// What who enrols with it is granted.
    pub grant: GrantText,
    /// How often it may be used; once where it is left out.
    pub uses: Option<u32>,
    /// Seconds that it is good for, at most 30 days; an hour where it is left out.
    pub ttl_seconds: Option<u64>,
    /// The name that the target gets.
    pub name: Option<String>,
    /// The target that enrols again with a new key, keeping its grant.
    pub target: Option<String>,
}

/// Makes a token of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenRequest {
    /// Its name.
    pub name: String,
    /// What it may do.
    #[schema(value_type = crate::answers::TokenRole)]
    pub role: String,
    /// Seconds that it is good for, at most 366 days; 90 days where it is left out.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// The tenants whose things an auditor sees: all else does not exist for it. Everybody's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<QueryText>,
}

/// Makes a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ReleaseRequest {
    /// The project.
    pub project: String,
    /// Its version; where it is left out, the highest version of its packages, or the next after the last release.
    pub version: Option<String>,
    /// Package versions by step; the newest where one is left out.
    pub packages: BTreeMap<String, String>,
    /// What changed, for people.
    pub notes: String,
}

/// Deploys a release, or plans to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DeployRequest {
    /// The project.
    pub project: String,
    /// The release's version, or `latest`.
    pub version: String,
    /// The environments.
    pub environments: Vec<String>,
    /// Tenants by name, and tags; nothing means an untenanted deployment.
    pub tenants: QueryText,
    /// Targets that it is limited to.
    pub only_targets: Vec<String>,
    /// Targets that are left out.
    pub exclude_targets: Vec<String>,
    /// Steps that are skipped.
    pub skip_steps: Vec<String>,
    /// Refuse unless the plan has this digest.
    pub expect: Option<String>,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// Why something is done, for the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ReasonRequest {
    /// The reason.
    pub reason: Option<String>,
}

/// Changes a tenant's document, all or nothing. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TenantChange {
    /// Enables or disables it.
    pub enabled: Option<bool>,
    /// Environments that it is connected to from now on, by project.
    pub connect: BTreeMap<String, Vec<String>>,
    /// Environments that it is no longer connected to, by project; none means all of the project's.
    pub disconnect: BTreeMap<String, Vec<String>>,
    /// Tags that it carries from now on, as `Tag Set/Tag`.
    pub add_tags: Vec<String>,
    /// Tags that it no longer carries.
    pub remove_tags: Vec<String>,
}

/// Changes tenants, all or nothing. A tag that one of them carries already, or does not carry, is no error, unless nothing
/// of what is to be taken away is there with any of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TenantsChange {
    /// Tenants by name, and tags.
    pub tenants: QueryText,
    /// What is changed of each.
    pub change: TenantChange,
    /// Only say what would change.
    pub dry_run: bool,
}

/// Makes a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TenantRequest {
    /// Its name.
    pub name: String,
    /// The tenant that it is made like: with its tags, its connections and its values but for the sensitive ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Tags as `Tag Set/Tag`.
    pub tags: Vec<String>,
    /// The environments that it is connected to, by project.
    pub connect: BTreeMap<String, Vec<String>>,
}
