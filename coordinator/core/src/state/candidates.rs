//! Which targets may belong to a step: found by what they are granted, so that matching costs what it finds.

use std::collections::BTreeSet;

use imbl::OrdSet;
use windlass_protocol::ids::{EnvironmentId, TargetId};
use windlass_protocol::message::Participation;

use super::indexes::{Facet, take};
use super::space::Space;
use crate::matching::Question;
use crate::model::{Granted, Target, Tenant};

/// All that a grant is found by.
fn facets(granted: &Granted) -> impl Iterator<Item = Facet> {
    let untenanted = (granted.participation != Participation::Tenanted).then_some(Facet::Untenanted);
    let query = &granted.tenants;
    let tags = query.tags.values().min_by_key(|tags| tags.len());
    let environments = granted.environments.iter().copied().map(Facet::Environment);
    environments
        .chain(granted.roles.iter().cloned().map(Facet::Role))
        .chain(untenanted)
        .chain(query.tenants.iter().copied().map(Facet::Tenant))
        .chain(tags.into_iter().flatten().copied().map(Facet::Tag))
        .chain(query.excluded_tenants.iter().copied().map(Facet::ExcludesTenant))
        .chain(query.named_tags().map(Facet::NamesTag))
}

/// What who may serve a tenant, or untenanted deployments, is found by.
fn serving(tenant: Option<&Tenant>) -> impl Iterator<Item = Facet> {
    let untenanted = tenant.is_none().then_some(Facet::Untenanted);
    let named = tenant.map(|tenant| Facet::Tenant(tenant.id));
    let tags = tenant.into_iter().flat_map(|tenant| &tenant.tags);
    untenanted.into_iter().chain(named).chain(tags.copied().map(Facet::Tag))
}

/// Targets in several parts, which may have some in common.
pub(crate) type Parts<'a> = Vec<&'a OrdSet<TargetId>>;

/// Targets among which are all that belong to a step.
pub(crate) enum Found<'a> {
    /// Those that the request is limited to.
    Named(&'a BTreeSet<TargetId>),
    /// Those of the environment, or those that may serve the tenant: whatever the step's roles are.
    Granted(Parts<'a>),
    /// Those with the step's roles.
    Skilled(Parts<'a>),
}

impl Space {
    /// Targets among which are all that belong to a step, in the order of their ids. Costs what the rarest of what they
    /// need brings in, not all targets.
    pub fn candidates<'a>(&'a self, question: &Question<'a>) -> impl Iterator<Item = &'a Target> {
        let granted = self.rarer(question.environment, question.tenant);
        self.look_up(self.find(&granted, question))
    }

    /// Those of the environment, or those that may serve the tenant, or untenanted deployments: the fewer. All steps of a
    /// deployment have them in common.
    pub(crate) fn rarer(&self, environment: EnvironmentId, tenant: Option<&Tenant>) -> Parts<'_> {
        let (placed, serving) = (self.placed(environment), self.serving(tenant));
        if count(&placed) <= count(&serving) { placed } else { serving }
    }

    /// The rarest of what belonging to a step takes; roles only where they are rarer than all else, which is `granted`.
    pub(crate) fn find<'a>(&'a self, granted: &Parts<'a>, question: &Question<'a>) -> Found<'a> {
        let skilled = self.skilled(question.roles);
        let found = if count(&skilled) < count(granted) {
            (count(&skilled), Found::Skilled(skilled))
        } else {
            (count(granted), Found::Granted(granted.clone()))
        };
        match (question.only, found) {
            (Some(only), (count, _)) if only.len() <= count => Found::Named(only),
            (_, (_, found)) => found,
        }
    }

    /// These targets, in the order of their ids.
    pub(crate) fn look_up<'a>(&'a self, found: Found<'a>) -> impl Iterator<Item = &'a Target> {
        let mut ids: Vec<_> = match found {
            Found::Named(named) => named.iter().copied().collect(),
            Found::Granted(parts) | Found::Skilled(parts) => {
                parts.iter().copied().flatten().copied().collect()
            }
        };
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.targets.get(id))
    }

    /// Those that are granted an environment.
    pub(crate) fn placed(&self, environment: EnvironmentId) -> Parts<'_> {
        self.parts([Facet::Environment(environment)])
    }

    /// Those that are granted one of these roles.
    pub(crate) fn skilled(&self, roles: &BTreeSet<String>) -> Parts<'_> {
        self.parts(roles.iter().cloned().map(Facet::Role))
    }

    /// Those that may serve a tenant, or untenanted deployments.
    pub(crate) fn serving(&self, tenant: Option<&Tenant>) -> Parts<'_> {
        self.parts(serving(tenant))
    }

    /// Those whose grant has one of these, in the order of their names: who refers to a thing is found without asking
    /// everybody.
    pub fn granted(&self, facets: impl IntoIterator<Item = Facet>) -> Vec<&Target> {
        let mut found: Vec<_> = self.look_up(Found::Granted(self.parts(facets))).collect();
        found.sort_by_cached_key(|target| target.name.folded());
        found
    }

    fn parts(&self, facets: impl IntoIterator<Item = Facet>) -> Parts<'_> {
        facets.into_iter().filter_map(|facet| self.indexes.targets.get(&facet)).collect()
    }

    /// Puts a target's place in the indexes right; `before` is what it was.
    pub(super) fn reindex_target(&mut self, before: Option<&Target>, after: Option<&Target>) {
        if before.map(|target| &target.granted) == after.map(|target| &target.granted) {
            return;
        }
        for (target, facet) in
            before.into_iter().flat_map(|target| facets(&target.granted).map(|facet| (target.id, facet)))
        {
            take(&mut self.indexes.targets, facet, |targets| _ = targets.remove(&target));
        }
        for (target, facet) in
            after.into_iter().flat_map(|target| facets(&target.granted).map(|facet| (target.id, facet)))
        {
            self.indexes.targets.entry(facet).or_default().insert(target);
        }
    }
}

/// How many they are at most.
pub(crate) fn count(parts: &Parts<'_>) -> usize {
    parts.iter().map(|part| part.len()).sum()
}
