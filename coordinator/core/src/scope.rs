//! Effective = granted ∩ advertised, dimension by dimension (SEMANTICS 3).
//!
//! What an agent says can only narrow: every function here starts from the grant. Its words are looked up here, at every
//! use, so that they always mean what they would mean if it said them now.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::ids::{EnvironmentId, TagId, TagSetId};
use windlass_protocol::message::Participation;

use crate::catalogue::Catalogue;
use crate::model::{Environment, SaidNames, SaidTags, Target, Tenant};
use crate::query::{Empty, Query};
use crate::state::Space;

pub fn roles(target: &Target) -> Cow<'_, BTreeSet<String>> {
    match &target.advertised.roles {
        None => Cow::Borrowed(&target.granted.roles),
        Some(advertised) => Cow::Owned(target.granted.roles.intersection(advertised).cloned().collect()),
    }
}

/// Whether a target has one of `wanted`.
pub fn has_any_role(target: &Target, wanted: &BTreeSet<String>) -> bool {
    let advertised =
        |role: &String| target.advertised.roles.as_ref().is_none_or(|roles| roles.contains(role));
    wanted.iter().any(|role| target.granted.roles.contains(role) && advertised(role))
}

/// The environments that a target belongs to; `all` are those that there are.
pub fn environments(all: &Catalogue<Environment>, target: &Target) -> BTreeSet<EnvironmentId> {
    let granted = target.granted.environments.iter().copied();
    granted.filter(|environment| has_environment(all, target, *environment)).collect()
}

/// Whether a target belongs to an environment.
pub fn has_environment(all: &Catalogue<Environment>, target: &Target, environment: EnvironmentId) -> bool {
    target.granted.environments.contains(&environment)
        && target
            .advertised
            .environments
            .as_ref()
            .is_none_or(|said| all.get(environment).is_some_and(|environment| said.name(all, environment)))
}

/// Whether a target's tenant query, granted and advertised, matches a tenant. An empty query means nobody.
pub fn has_tenant(space: &Space, target: &Target, tenant: &Tenant) -> bool {
    target.granted.tenants.matches(tenant, Empty::MeansNobody).is_some() && says_tenant(space, target, tenant)
}

/// Whether what the agent says leaves a tenant in: it is named, or carries one of each tag set.
fn says_tenant(space: &Space, target: &Target, tenant: &Tenant) -> bool {
    let (tenants, tags) = (&target.advertised.tenants, &target.advertised.tenant_tags);
    if tenants.is_none() && tags.is_none() {
        return true;
    }
    tenants.as_ref().is_some_and(|said| said.name(&space.tenants, tenant))
        || tags.as_ref().and_then(SaidTags::by_set).is_some_and(|sets| has_one_of_each(space, sets, tenant))
}

/// Whether a tenant carries a tag of each set. A set that does not exist has no carriers, like one of which only tags
/// are named that nobody carries: to leave it out of the AND would widen it.
fn has_one_of_each(space: &Space, sets: &BTreeMap<String, BTreeSet<String>>, tenant: &Tenant) -> bool {
    let mut carried: BTreeMap<TagSetId, bool> = BTreeMap::new();
    for (set, tags) in sets {
        let Some(set) = space.tag_sets.named(set) else { return false };
        let one = tenant.tags.iter().filter_map(|tag| space.indexes.tag_names.get(tag));
        let one = one.into_iter().any(|(of, name)| *of == set.id && tags.contains(name));
        *carried.entry(set.id).or_default() |= one;
    }
    !carried.is_empty() && carried.into_values().all(|carried| carried)
}

/// Whether a target takes part in deployments for tenants, or in untenanted ones.
pub fn takes_part(target: &Target, tenanted: bool) -> bool {
    let admits = |participation: Participation| match participation {
        Participation::Both => true,
        Participation::Tenanted => tenanted,
        Participation::Untenanted => !tenanted,
    };
    admits(target.granted.participation) && target.advertised.participation.is_none_or(admits)
}

/// The participation that granted and advertised have in common, if any.
pub fn participation(target: &Target) -> Option<Participation> {
    match (takes_part(target, true), takes_part(target, false)) {
        (true, true) => Some(Participation::Both),
        (true, false) => Some(Participation::Tenanted),
        (false, true) => Some(Participation::Untenanted),
        (false, false) => None,
    }
}

/// Participation where nobody said one: decided once, when a target is made.
pub fn participation_by_default(tenants: &Query) -> Participation {
    if tenants.is_empty() { Participation::Untenanted } else { Participation::Tenanted }
}

/// The tenants that a target may serve. Costs what the grant admits, not all tenants.
pub fn tenants<'a>(space: &'a Space, target: &'a Target) -> impl Iterator<Item = &'a Tenant> {
    let tenanted = takes_part(target, true).then(|| space.admitted_tenants(&target.granted.tenants));
    tenanted.into_iter().flatten().filter(|tenant| says_tenant(space, target, tenant))
}

/// What a target's agent claims outside its grant, in its own words. A name that nothing has is one of these.
pub fn over_claims<'a>(space: &'a Space, target: &'a Target) -> impl Iterator<Item = String> + 'a {
    let Target { granted, advertised, .. } = target;
    let roles = advertised.roles.iter().flatten().filter(|role| !granted.roles.contains(*role));
    let environments = advertised.environments.iter().flat_map(SaidNames::iter).filter(|name| {
        let found = space.environments.named(name);
        found.is_none_or(|found| !granted.environments.contains(&found.id))
    });
    let tenants = advertised.tenants.iter().flat_map(SaidNames::iter).filter(|name| {
        let found = space.tenants.named(name);
        found.is_none_or(|found| granted.tenants.matches(found, Empty::MeansNobody).is_none())
    });
    // Who carries what is looked at once, however many tags are named, and not at all where the grant names them.
    let carried = LazyCell::new(|| -> BTreeSet<TagId> {
        space.admitted_tenants(&granted.tenants).flat_map(|tenant| &tenant.tags).copied().collect()
    });
    let tags = advertised.tenant_tags.iter().flat_map(SaidTags::iter).filter(move |name| {
        let named = |set, tag| granted.tenants.tags.get(&set).is_some_and(|tags| tags.contains(&tag));
        !space.tag(name).is_some_and(|(set, tag)| named(set, tag) || carried.contains(&tag))
    });
    let participation = advertised
        .participation
        .filter(|said| granted.participation != Participation::Both && granted.participation != *said);
    let participation = participation.map(|said| format!("participation {said:?}").to_lowercase());
    roles
        .map(|name| format!("role {name}"))
        .chain(environments.map(|name| format!("environment {name}")))
        .chain(tenants.map(|name| format!("tenant {name}")))
        .chain(tags.map(|name| format!("tenant tag {name}")))
        .chain(participation)
}
