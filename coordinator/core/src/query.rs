//! Tenant queries, resolved to ids, and what they match (SEMANTICS 2).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{TagId, TagSetId, TenantId};

/// `named ∪ (set₁ AND set₂ …)`, tags of one set OR-ed, and what is excluded taken away last.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Tenants by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tenants: BTreeSet<TenantId>,
    /// Tags by set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<TagSetId, BTreeSet<TagId>>,
    /// Tenants that are taken away, whoever named them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded_tenants: BTreeSet<TenantId>,
    /// Tags whose tenants are taken away.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded_tags: BTreeSet<TagId>,
    /// Whether it says more than is seen of it: it is no empty query, however little is left.
    #[serde(skip)]
    pub narrowed: bool,
}

/// What a query that includes nothing means in its place. Never left to a default of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// Targets and accounts.
    MeansNobody,
    /// Channels, steps and variables.
    MeansEverybody,
}

/// Why a query matches a tenant: the more specific reason where both hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// The query includes nothing, which means everybody here.
    Everybody,
    Tag,
    Name,
}

/// What a query looks at of a tenant.
pub trait Tagged {
    fn id(&self) -> TenantId;
    fn tags(&self) -> &BTreeSet<TagId>;
}

/// A tenant as a query sees it, now or as it was.
#[derive(Debug, Clone, Copy)]
pub struct TenantTags<'a> {
    id: TenantId,
    tags: &'a BTreeSet<TagId>,
}

impl<'a> TenantTags<'a> {
    /// What a query sees of `tenant`.
    pub fn of(tenant: &'a impl Tagged) -> Self {
        Self { id: tenant.id(), tags: tenant.tags() }
    }
}

impl Tagged for TenantTags<'_> {
    fn id(&self) -> TenantId {
        self.id
    }

    fn tags(&self) -> &BTreeSet<TagId> {
        self.tags
    }
}

impl Query {
    /// How many tenants and tags it names.
    pub fn size(&self) -> usize {
        let Self { tenants, tags, excluded_tenants, excluded_tags, narrowed: _ } = self;
        let tags: usize = tags.values().map(BTreeSet::len).sum();
        tenants.len() + tags + excluded_tenants.len() + excluded_tags.len()
    }

    /// Whether the query names no tenant and no tag to include.
    pub fn includes_nothing(&self) -> bool {
        self.tenants.is_empty() && self.tags.is_empty()
    }

    /// Whether the query says nothing at all.
    pub fn is_empty(&self) -> bool {
        !self.narrowed
            && self.includes_nothing()
            && self.excluded_tenants.is_empty()
            && self.excluded_tags.is_empty()
    }

    /// Whether and why the query matches `tenant`.
    pub fn matches(&self, tenant: &impl Tagged, empty: Empty) -> Option<Match> {
        if self.excluded_tenants.contains(&tenant.id()) || !self.excluded_tags.is_disjoint(tenant.tags()) {
            return None;
        }
        if self.includes_nothing() {
            return (empty == Empty::MeansEverybody).then_some(Match::Everybody);
        }
        if self.tenants.contains(&tenant.id()) {
            return Some(Match::Name);
        }
        let by_tag = !self.tags.is_empty() && self.tags.values().all(|any| !any.is_disjoint(tenant.tags()));
        by_tag.then_some(Match::Tag)
    }

    /// Whether some tenant, whatever it is tagged with and be it one that does not exist yet, can match both: here and in
    /// [`covers`](Self::covers) a query that includes nothing means everybody.
    pub fn meets(&self, other: &Self) -> bool {
        let excluded =
            |tenant| self.excluded_tenants.contains(tenant) || other.excluded_tenants.contains(tenant);
        let open = |tag: &TagId| !self.excluded_tags.contains(tag) && !other.excluded_tags.contains(tag);
        let by_tag =
            |query: &Self| !query.tags.is_empty() && query.tags.values().all(|any| any.iter().any(open));
        let (one, two) = (self.includes_nothing() || by_tag(self), other.includes_nothing() || by_tag(other));
        let matched = |tenant| {
            !excluded(tenant)
                && (one || self.tenants.contains(tenant))
                && (two || other.tenants.contains(tenant))
        };
        (one && two) || self.tenants.union(&other.tenants).any(matched)
    }

    /// Whether this query certainly matches each tenant that `other` matches, whatever that is tagged with.
    pub fn covers(&self, other: &Self) -> bool {
        let takes_away = !self.excluded_tenants.is_subset(&other.excluded_tenants)
            || !self.excluded_tags.is_subset(&other.excluded_tags);
        let of_set = |(set, any): (&TagSetId, &BTreeSet<TagId>)| {
            other.tags.get(set).is_some_and(|tags| tags.is_subset(any))
        };
        let by_tag = || other.tags.is_empty() || (!self.tags.is_empty() && self.tags.iter().all(of_set));
        let includes = || !other.includes_nothing() && other.tenants.is_subset(&self.tenants) && by_tag();
        !takes_away && (self.includes_nothing() || includes())
    }

    /// Every tenant that the query names, included or excluded.
    pub fn named_tenants(&self) -> impl Iterator<Item = TenantId> + '_ {
        self.tenants.union(&self.excluded_tenants).copied()
    }

    /// Every tag that the query names, included or excluded.
    pub fn named_tags(&self) -> impl Iterator<Item = TagId> + '_ {
        self.tags.values().flatten().chain(&self.excluded_tags).copied()
    }
}
