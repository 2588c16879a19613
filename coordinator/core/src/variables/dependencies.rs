//! What values depend on of whom they are resolved for: who does not differ in it shares every answer.

use std::collections::BTreeSet;

use windlass_protocol::ids::{EnvironmentId, TargetId, TemplateId};

use crate::model::{Snapshot, Tenant};
use crate::query::{Empty, Match, Query};

/// What the values that a release froze depend on.
pub struct Dependencies<'a> {
    /// The tenant queries that values are scoped by.
    queries: Vec<&'a Query>,
    /// What tenants fill.
    templates: Vec<TemplateId>,
    /// The targets that a value is scoped to, for which equal roles do not mean equal values.
    targets: BTreeSet<TargetId>,
}

/// What resolving depends on of an environment and a tenant. For two that are equal in it every name comes to the same, on
/// targets with the same roles, but that a tenant's own value is each one's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependence {
    environment: EnvironmentId,
    tenant: Option<OfTenant>,
}

/// What resolving depends on of a tenant. What its own values say is not among it: nothing follows them (SEMANTICS 6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OfTenant {
    /// Why each query matches it.
    matches: Vec<Option<Match>>,
    /// Whether it fills each template: for the environment, and for all.
    fills: Vec<[bool; 2]>,
}

impl<'a> Dependencies<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let sets = &snapshot.library_sets;
        let variables = snapshot.variables.iter().chain(sets.iter().flat_map(|set| &set.variables));
        let templates = snapshot.templates.iter().chain(sets.iter().flat_map(|set| &set.templates));
        let scopes = || variables.clone().flat_map(|variable| &variable.values).map(|value| &value.scope);
        Self {
            queries: scopes().map(|scope| &scope.tenants).filter(|query| !query.is_empty()).collect(),
            templates: templates.map(|template| template.id).collect(),
            targets: scopes().flat_map(|scope| &scope.targets).copied().collect(),
        }
    }

    /// Whether it makes a difference that it is this target, besides its roles.
    pub fn on_target(&self, target: TargetId) -> bool {
        self.targets.contains(&target)
    }

    /// How much there is of a [`Dependence`].
    pub const fn size(&self) -> usize {
        self.queries.len() + self.templates.len()
    }

    /// What they depend on of this environment and tenant, or of untenanted deployments there.
    pub fn on(&self, environment: EnvironmentId, tenant: Option<&Tenant>) -> Dependence {
        let of_tenant = |tenant: &Tenant| OfTenant {
            matches: self.queries.iter().map(|query| query.matches(tenant, Empty::MeansEverybody)).collect(),
            fills: self
                .templates
                .iter()
                .map(|template| {
                    [Some(environment), None]
                        .map(|environment| tenant.values.contains_key(&(*template, environment)))
                })
                .collect(),
        };
        Dependence { environment, tenant: tenant.map(of_tenant) }
    }
}
