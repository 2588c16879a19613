//! Tags by name, and who carries them: what an agent's words are looked up in.

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::ids::{TagId, TagSetId, TenantId};
use windlass_protocol::names::fold;

use super::space::Space;
use crate::model::{TagSet, Tenant};
use crate::query::{Empty, Query};

impl Space {
    /// The tag that `Tag Set/Tag` names.
    pub fn tag(&self, name: &str) -> Option<(TagSetId, TagId)> {
        let (set, tag) = name.split_once('/')?;
        let set = self.tag_sets.named(set.trim())?.id;
        self.indexes.tags.get(&(set, fold(tag.trim()))).map(|tag| (set, *tag))
    }

    /// The tenants that a query admits where an empty one means nobody. Costs what its own names and the rarest of
    /// its tag sets bring in, not all tenants.
    pub fn admitted_tenants<'a, 'q>(
        &'a self,
        query: &'q Query,
    ) -> impl Iterator<Item = &'a Tenant> + use<'a, 'q> {
        let carriers = |tags: &BTreeSet<TagId>| -> BTreeSet<TenantId> {
            tags.iter().filter_map(|tag| self.indexes.carriers.get(tag)).flatten().copied().collect()
        };
        // Who is admitted by tags carries one of every set, so looking at one set is enough.
        let count = |tags: &&BTreeSet<TagId>| -> usize {
            tags.iter().filter_map(|tag| self.indexes.carriers.get(tag)).map(imbl::OrdSet::len).sum()
        };
        let mut candidates = query.tags.values().min_by_key(count).map(carriers).unwrap_or_default();
        candidates.extend(&query.tenants);
        let known = candidates.into_iter().filter_map(|id| self.tenants.get(id));
        known.filter(|tenant| query.matches(*tenant, Empty::MeansNobody).is_some())
    }

    /// The tenants that carry a tag.
    pub fn carriers(&self, tag: TagId) -> impl Iterator<Item = &Tenant> {
        let carriers = self.indexes.carriers.get(&tag).into_iter().flatten();
        carriers.filter_map(|id| self.tenants.get(*id))
    }

    /// The tenants that carry any of these tags, in the order of their names.
    pub(crate) fn carriers_by_name<'a>(&self, tags: impl IntoIterator<Item = &'a TagId>) -> Vec<&Tenant> {
        let carriers = tags.into_iter().filter_map(|tag| self.indexes.carriers.get(tag)).flatten();
        let carriers = carriers.filter_map(|id| self.tenants.get(*id));
        let by_name: BTreeMap<_, _> = carriers.map(|tenant| (tenant.name.folded(), tenant)).collect();
        by_name.into_values().collect()
    }

    /// Puts a tenant's place among the carriers of its tags right.
    pub(super) fn reindex_tenant(&mut self, before: Option<&Tenant>, after: Option<&Tenant>) {
        for (tag, id) in before.into_iter().flat_map(|tenant| tenant.tags.iter().map(|tag| (tag, tenant.id)))
        {
            let Some(carriers) = self.indexes.carriers.get_mut(tag) else { continue };
            carriers.remove(&id);
            if carriers.is_empty() {
                self.indexes.carriers.remove(tag);
            }
        }
        for (tag, id) in after.into_iter().flat_map(|tenant| tenant.tags.iter().map(|tag| (tag, tenant.id))) {
            self.indexes.carriers.entry(*tag).or_default().insert(id);
        }
    }

    /// Puts the names of a set's tags right.
    pub(super) fn reindex_tags(&mut self, before: Option<&TagSet>, after: Option<&TagSet>) {
        for (set, tag) in before.into_iter().flat_map(|set| set.tags.iter().map(|tag| (set.id, tag))) {
            self.indexes.tags.remove(&(set, tag.name.folded()));
            self.indexes.tag_names.remove(&tag.id);
        }
        for (set, tag) in after.into_iter().flat_map(|set| set.tags.iter().map(|tag| (set.id, tag))) {
            self.indexes.tags.insert((set, tag.name.folded()), tag.id);
            self.indexes.tag_names.insert(tag.id, (set, tag.name.folded()));
        }
    }
}
