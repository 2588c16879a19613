//! Tenant queries as people write them (SEMANTICS 2), in files and on the command line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant query in names. Tags of one set are OR-ed, sets are AND-ed, named tenants are added, and what is excluded
/// is taken away last. What an empty query means depends on its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct QueryText {
    /// Tenants by name, slug or id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Tags as `Tag Set/Tag`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What is taken away, whoever named it.
    #[serde(skip_serializing_if = "ExclusionText::is_empty")]
    pub exclude: ExclusionText,
}

/// What a tenant query excludes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ExclusionText {
    /// Tenants by name, slug or id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Tags as `Tag Set/Tag`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl ExclusionText {
    /// Whether nothing is excluded.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.tags.is_empty()
    }
}

impl QueryText {
    /// Whether the query says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.tags.is_empty() && self.exclude.is_empty()
    }
}
