//! What the HTTP API answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an `apply` did to one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedChange {
    /// The document's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: ChangeKind,
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
