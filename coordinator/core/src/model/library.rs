//! Library sets.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::LibrarySetId;
use windlass_protocol::{DisplayName, Slug};

use super::value::{Template, Variable};

/// Variables and templates that several projects include.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibrarySet {
    /// Id.
    pub id: LibrarySetId,
    /// Slug.
    pub slug: Slug,
    /// Name.
    pub name: DisplayName,
    /// What each tenant must fill, once.
    pub templates: Vec<Template>,
    /// Variables.
    pub variables: Vec<Variable>,
}

crate::catalogue::named!(LibrarySet, LibrarySetId, "library set");
