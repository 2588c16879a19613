//! From names that people write to ids, with the sentence for a name that nothing has (SEMANTICS 1 and 2).

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_protocol::ids::{EnvironmentId, TagId, TagSetId, TenantId};
use windlass_protocol::names::fold;

use crate::catalogue::unknown;
use crate::query::Query;
use crate::state::Space;

/// Tenants that do not exist yet but may be named: the documents at hand are about to make them.
#[derive(Default)]
pub struct PendingTenants {
    by_name: BTreeMap<String, TenantId>,
}

impl PendingTenants {
    /// Adds a name for a tenant to be; the first one to have it keeps it.
    pub fn add(&mut self, name: &str, id: TenantId) {
        self.by_name.entry(fold(name)).or_insert(id);
    }

    /// The tenant to be of this name.
    pub fn named(&self, text: &str) -> Option<TenantId> {
        self.by_name.get(&fold(text)).copied()
    }
}

/// The environments of these names.
pub fn environment_ids(space: &Space, names: &[String]) -> Result<BTreeSet<EnvironmentId>, Problem> {
    names.iter().map(|name| Ok(space.environments.find(name)?.id)).collect()
}

/// The tag that `text` names, as `Tag Set/Tag`.
pub fn tag(space: &Space, text: &str) -> Result<(TagSetId, TagId), Problem> {
    let (set, tag) = text
        .split_once('/')
        .ok_or_else(|| Problem::usage(format!("`{text}` is no tag; a tag is written `Tag Set/Tag`")))?;
    let set = space.tag_sets.find(set.trim())?;
    let folded = fold(tag.trim());
    let found = set.tags.iter().find(|known| known.name.folded() == folded).ok_or_else(|| {
        let known = set.tags.iter().map(|known| known.name.as_str());
        Problem::not_found(unknown(&format!("tag in `{}`", set.name), tag.trim(), known))
    })?;
    Ok((set.id, found.id))
}

/// The query that `text` is. An unknown tenant or tag is an error, never nobody and never everybody.
pub fn query(space: &Space, text: &QueryText, pending: &PendingTenants) -> Result<Query, Problem> {
    let tenant = |name: &String| match pending.named(name) {
        Some(id) => Ok(id),
        None => space.tenants.find(name).map(|tenant| tenant.id),
    };
    let mut query = Query {
        tenants: text.tenants.iter().map(tenant).collect::<Result<_, _>>()?,
        excluded_tenants: text.exclude.tenants.iter().map(tenant).collect::<Result<_, _>>()?,
        ..Query::default()
    };
    for name in &text.tags {
        let (set, tag) = tag(space, name)?;
        query.tags.entry(set).or_default().insert(tag);
    }
    for name in &text.exclude.tags {
        query.excluded_tags.insert(tag(space, name)?.1);
    }
    Ok(query)
}
