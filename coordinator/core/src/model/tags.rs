//! Tag sets and their tags.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{TagId, TagSetId};
use windlass_protocol::{DisplayName, Slug};

/// A tag set: tags in order (SEMANTICS 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSet {
    pub id: TagSetId,
    pub slug: Slug,
    pub name: DisplayName,
    /// Whether a tenant carries at most one of its tags.
    pub single: bool,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub id: TagId,
    /// Name, unique in its set ignoring case.
    pub name: DisplayName,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

crate::catalogue::named!(TagSet, TagSetId, "tag set");
