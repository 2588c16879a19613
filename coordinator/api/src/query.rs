//! Tenant queries as people write them (SEMANTICS 2), in files and on the command line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Problem;

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
    /// The query that is written on a command line: tags and tenants between commas, `!` before what is taken away, and
    /// `tenant:` before a tenant's name: `Ring/Canary,tenant:Customer-2,!Ring/Pinned`.
    pub fn written(text: &str) -> Result<Self, Problem> {
        let mut query = Self::default();
        for word in text.split(',').map(str::trim) {
            let (excluded, name) = match word.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, word),
            };
            let (tenants, tags) = match excluded {
                true => (&mut query.exclude.tenants, &mut query.exclude.tags),
                false => (&mut query.tenants, &mut query.tags),
            };
            match name.strip_prefix("tenant:") {
                Some(tenant) if !tenant.trim().is_empty() => tenants.push(tenant.trim().to_owned()),
                None if name.contains('/') => tags.push(name.to_owned()),
                _ => {
                    return Err(Problem::usage(format!(
                        "`{word}` in a query is neither a tag nor a tenant; write `Tag Set/Tag` or `tenant:NAME`, with \
                         `!` before what is left out and commas between"
                    )));
                }
            }
        }
        Ok(query)
    }

    /// Whether the query says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.tags.is_empty() && self.exclude.is_empty()
    }
}
