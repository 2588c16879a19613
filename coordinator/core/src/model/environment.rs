//! Environments.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::EnvironmentId;
use windlass_protocol::{DisplayName, Slug};

/// An environment, such as Production.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub id: EnvironmentId,
    pub slug: Slug,
    pub name: DisplayName,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it stands among the others; equal ones stand in the order of their names.
    pub order: u32,
}

crate::catalogue::named!(Environment, EnvironmentId, "environment");
