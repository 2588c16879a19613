//! Library sets.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::LibrarySetId;
use windlass_protocol::{DisplayName, Slug};

use super::value::{RetiredTemplate, Template, Variable};

/// Variables and templates that several projects include.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibrarySet {
    pub id: LibrarySetId,
    pub slug: Slug,
    pub name: DisplayName,
    /// What each tenant must fill, once.
    pub templates: Vec<Template>,
    /// Templates that it had, those that it had last at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RetiredTemplate>,
    pub variables: Vec<Variable>,
}

crate::catalogue::named!(LibrarySet, LibrarySetId, "library set");
