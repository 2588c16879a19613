//! Answers about what documents define.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::documents::DefinitionKind;
use crate::documents::Document;

/// What an `apply` did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApplyAnswer {
    /// What became of each document, in order.
    pub changes: Vec<AppliedChange>,
    /// What is allowed, but worth a second look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What an `apply` did to one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedChange {
    /// The document's kind.
    #[schema(value_type = DefinitionKind)]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: ChangeKind,
    /// What it was called before, where that was spelled in another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What became of its parts, of something that was there before: first what is lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ChangedField>,
    /// How many more parts have changed than are told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What became of a part of something, by its name and never by its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedField {
    /// Where it stands in the document, by names: `projects/Synergy/Production`.
    pub field: String,
    /// What was done.
    pub change: FieldChange,
    /// How many sensitive values are gone with it, which nobody can read to set them again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub secrets_removed: usize,
}

/// What was done to a part of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldChange {
    /// It is new.
    Added,
    /// It is different now.
    Changed,
    /// It is gone.
    Removed,
}

/// What was done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// It is different now.
    Changed,
    /// It was like this already.
    Unchanged,
}

/// Documents, as `apply` reads them.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Documents {
    /// The documents, each after those that it refers to.
    pub documents: Vec<Document>,
}

/// Something that documents define, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionItem {
    /// Its kind, as documents write it.
    #[schema(value_type = DefinitionKind)]
    pub kind: String,
    /// Id.
    pub id: String,
    /// Slug.
    pub slug: String,
    /// Name.
    pub name: String,
    /// What there is to know of it at a glance.
    pub summary: String,
}

/// Something that documents define.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DefinitionView {
    /// Id.
    pub id: String,
    /// Slug.
    pub slug: String,
    /// Name.
    pub name: String,
    /// As `apply` reads it; sensitive values are `{sensitive: unchanged}`.
    pub document: Document,
    /// The releases, of a project alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<ProjectReleases>,
}

/// The releases that a project has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectReleases {
    /// How many there are.
    pub count: usize,
    /// Their versions, the highest first, 20 at most; `/releases` lists all.
    pub newest: Vec<String>,
}

/// A tenant in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantItem {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it gets deployments.
    pub enabled: bool,
    /// Its tags as `Tag Set/Tag`.
    pub tags: Vec<String>,
    /// Names of the projects that it is connected to.
    pub projects: Vec<String>,
    /// Where a query was asked for, whether that names it; else its tags are why it is there.
    pub named: Option<bool>,
}

/// How many tenants carry a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagCount {
    /// The tag's name in its set; null for those that carry none of the set.
    pub tag: Option<String>,
    /// Tenants that carry it.
    pub tenants: usize,
    /// Those among them that are disabled.
    pub disabled: usize,
}

/// A value that a tenant has not filled, and that nothing else gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingValue {
    /// The tenant's name.
    pub tenant: String,
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// The template's name.
    pub variable: String,
}
