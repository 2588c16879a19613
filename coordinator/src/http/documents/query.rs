//! A tenant query in names.

use windlass_api::query::{ExclusionText, QueryText};
use windlass_coordinator_core::query::Query;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{TagId, TenantId};

use crate::http::display;

/// The query as people write it.
pub fn query_text(space: &Space, query: &Query) -> QueryText {
    QueryText {
        tenants: tenants(space, query.tenants.iter()),
        tags: query.tags.values().flatten().map(|tag| tag_text(space, *tag)).collect(),
        exclude: ExclusionText {
            tenants: tenants(space, query.excluded_tenants.iter()),
            tags: query.excluded_tags.iter().map(|tag| tag_text(space, *tag)).collect(),
        },
    }
}

fn tenants<'a>(space: &Space, ids: impl Iterator<Item = &'a TenantId>) -> Vec<String> {
    let mut names: Vec<_> = ids.map(|id| display::name(&space.tenants, *id)).collect();
    names.sort();
    names
}

/// A tag as `Tag Set/Tag`; its id where it was deleted.
pub(super) fn tag_text(space: &Space, id: TagId) -> String {
    let named = space.tag_sets.iter().find_map(|set| {
        let tag = set.tags.iter().find(|tag| tag.id == id)?;
        Some(format!("{}/{}", set.name, tag.name))
    });
    named.unwrap_or_else(|| id.to_string())
}
