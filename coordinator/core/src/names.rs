//! From names that people write to ids, with the sentence for a name that nothing has (SEMANTICS 1 and 2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_protocol::ids::{EnvironmentId, TagId, TagSetId, TenantId};
use windlass_protocol::names::{fold, is_unprintable};
use windlass_protocol::{Slug, limits};

use crate::catalogue::{unknown, unknown_within};
use crate::model::{Step, Tenant};
use crate::query::{Empty, Match, Query};
use crate::state::Space;

/// The steps of a process by what people call them: as everywhere, a name counts before a slug.
#[derive(Default)]
pub struct StepNames<'a> {
    by_name: BTreeMap<String, &'a Step>,
    by_slug: BTreeMap<&'a str, &'a Step>,
}

impl<'a> StepNames<'a> {
    pub fn of(steps: &'a [Step]) -> Self {
        let mut names = Self::default();
        steps.iter().for_each(|step| drop(names.add(step)));
        names
    }

    /// Adds a step, if no other one has its name or its slug.
    pub fn add(&mut self, step: &'a Step) -> Result<(), Problem> {
        let (name, slug) = (step.name.folded(), step.slug.as_str());
        if self.by_name.contains_key(&name) || self.by_slug.contains_key(slug) {
            return Err(Problem::usage("another step has this name or slug"));
        }
        self.by_name.insert(name, step);
        self.by_slug.insert(slug, step);
        Ok(())
    }

    /// The step that is called so.
    pub fn called(&self, text: &str) -> Option<&'a Step> {
        self.by_name.get(&fold(text)).or_else(|| self.by_slug.get(text)).copied()
    }

    /// The step that is called so, or the sentence for a name that none has.
    pub fn find(&self, text: &str) -> Result<&'a Step, Problem> {
        let known = || self.by_name.values().map(|step| step.name.as_str());
        self.called(text).ok_or_else(|| Problem::not_found(unknown("step", text, known())))
    }
}

/// Tenants that do not exist yet but may be named: the documents at hand are about to make them.
#[derive(Default)]
pub struct PendingTenants {
    by_name: BTreeMap<String, TenantId>,
    by_slug: BTreeMap<Slug, TenantId>,
}

impl PendingTenants {
    /// Adds a tenant to be; the first one to have a name or a slug keeps it.
    pub fn add(&mut self, name: &str, slug: Option<Slug>, id: TenantId) {
        self.by_name.entry(fold(name)).or_insert(id);
        if let Some(slug) = slug {
            self.by_slug.entry(slug).or_insert(id);
        }
    }

    /// The tenant to be of this display name.
    pub fn called(&self, name: &str) -> Option<TenantId> {
        self.by_name.get(&fold(name)).copied()
    }

    /// The tenant that `text` names, among those that are there and those to be: as everywhere, an id counts before
    /// a name, and that before a slug.
    fn find(&self, space: &Space, text: &str) -> Result<TenantId, Problem> {
        let by_id = || text.parse().ok().and_then(|id| space.tenants.get(id)).map(|tenant| tenant.id);
        let there = || space.tenants.called(text).map(|tenant| tenant.id);
        let to_be = || text.parse::<Slug>().ok().and_then(|slug| self.by_slug.get(&slug).copied());
        match by_id().or_else(|| self.called(text)).or_else(there).or_else(to_be) {
            Some(id) => Ok(id),
            None => space.tenants.find(text).map(|tenant| tenant.id),
        }
    }
}

/// Refuses what is no role: nobody could see white space at its ends, or tell two roles apart that differ in it.
pub fn check_role(role: &str) -> Result<(), Problem> {
    if (1..=limits::NAME_CHARACTERS).contains(&role.chars().count())
        && role.trim() == role
        && !role.contains(is_unprintable)
    {
        return Ok(());
    }
    Err(Problem::usage("a role is a printable word such as `web`, without white space around it"))
}

pub fn environment_ids(space: &Space, names: &[String]) -> Result<BTreeSet<EnvironmentId>, Problem> {
    names.iter().map(|name| Ok(space.environments.find(name)?.id)).collect()
}

/// The tag that `text` names, as `Tag Set/Tag`.
pub fn tag(space: &Space, text: &str) -> Result<(TagSetId, TagId), Problem> {
    let (set, tag) = text
        .split_once('/')
        .ok_or_else(|| Problem::usage(format!("`{text}` is no tag; a tag is written `Tag Set/Tag`")))?;
    let set = space.tag_sets.find(set.trim())?;
    let found = space.indexes.tags.get(&(set.id, fold(tag.trim()))).ok_or_else(|| {
        let known = set.tags.iter().map(|known| known.name.as_str());
        Problem::not_found(unknown_within("tag", tag.trim(), &format!("in `{}`", set.name), known))
    })?;
    Ok((set.id, *found))
}

/// The query that `text` is. An unknown tenant or tag is an error, never nobody and never everybody.
pub fn query(space: &Space, text: &QueryText, pending: &PendingTenants) -> Result<Query, Problem> {
    let tenant = |name: &String| pending.find(space, name);
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

/// The tenants that a query includes, in the order of their names, each with why. One that only excludes, or that matches
/// nobody, is an error: it must never come to everybody or to nobody in silence.
pub fn included_tenants<'a>(space: &'a Space, text: &QueryText) -> Result<Vec<(&'a Tenant, Match)>, Problem> {
    let query = query(space, text, &PendingTenants::default())?;
    if query.includes_nothing() {
        return Err(Problem::usage(match query.is_empty() {
            true => "no tenant and no tag is named; name one",
            false => "the tenants are only excluded, none is included; name a tenant or a tag",
        }));
    }
    let reason = |tenant| Some((tenant, query.matches(tenant, Empty::MeansNobody)?));
    let found = space.admitted_tenants(&query).filter_map(reason);
    let found: BTreeMap<_, _> = found.map(|found| (found.0.name.folded(), found)).collect();
    if found.is_empty() {
        return Err(Problem::failed("no tenant matches these tenants and tags"));
    }
    Ok(found.into_values().collect())
}

/// Most names that a sentence lists.
pub const LISTED: usize = 5;

/// The first of some names, and how many more there are: a sentence is short, whatever it is about.
pub fn listed(all: impl IntoIterator<Item = impl Display>) -> String {
    let mut all = all.into_iter();
    let first: Vec<_> = all.by_ref().take(LISTED).map(|name| name.to_string()).collect();
    and_more(&first, all.count())
}

/// As many names as so many bytes have room for, the first in any case: where each of them is asked for.
pub fn listed_within(all: &[String], bytes: usize) -> String {
    let mut taken = 0;
    let fits = |name: &&String| {
        taken += name.len() + ", ".len();
        taken <= bytes
    };
    let (first, more) = all.split_at(all.iter().take_while(fits).count().max(1).min(all.len()));
    and_more(first, more.len())
}

fn and_more(first: &[String], more: usize) -> String {
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}
