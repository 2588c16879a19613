//! The names that documents give to what they define.

use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_api::requests::PlacedDocument;
use windlass_protocol::ids::TenantId;
use windlass_protocol::{DisplayName, Slug, names};

use super::super::Draft;
use crate::names::PendingTenants;

/// The tenants that `documents` are about to make. Projects may name them although tenants come last.
pub(super) fn pending_tenants(draft: &mut Draft<'_>, documents: &[PlacedDocument]) -> PendingTenants {
    let mut pending = PendingTenants::default();
    for placed in documents {
        if let Document::Tenant(document) = &placed.document
            && draft.space().tenants.called(&document.name).is_none()
        {
            let id = TenantId::from_bytes(draft.fresh.bytes());
            let slug = document
                .slug
                .as_deref()
                .map_or_else(|| Slug::suggested_by(&document.name), |slug| slug.parse().ok());
            pending.add(&document.name, slug, id);
        }
    }
    pending
}

/// Refuses a new name of a tenant or a tag, or of a set of these, that no query on the command line could name. What has
/// such a name already keeps it.
pub(super) fn check_query_word(name: &str) -> Result<(), Problem> {
    names::check_query_word(name).map_err(|why| Problem::usage(format!("the name `{name}`: {why}")))
}

/// The display name and slug that a document gives.
pub(super) fn named(name: &str, slug: Option<&str>) -> Result<(DisplayName, Slug), Problem> {
    let name: DisplayName =
        name.parse().map_err(|why| Problem::usage(format!("the name `{name}`: {why}")))?;
    let slug = match slug {
        Some(slug) => slug.parse().map_err(|why| Problem::usage(format!("the slug `{slug}`: {why}")))?,
        None => Slug::suggested_by(name.as_str()).ok_or_else(|| {
            Problem::usage(format!("no slug can be made from the name `{name}`; give one with `slug:`"))
        })?,
    };
    Ok((name, slug))
}
