//! How specific a scoped value is. The most specific dimension decides first, strictly in order (SEMANTICS 6).

use crate::model::{Step, ValueScope};
use crate::query::{Empty, Match};

use super::resolve::Context;

/// Greater wins. The fields stand in the order in which they are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    step: bool,
    target: bool,
    step_role: bool,
    role: bool,
    tenant: bool,
    tag: bool,
    environment: bool,
}

impl Rank {
    /// The rank of a value with this scope, or `None` where the scope does not admit the context.
    pub(super) fn of(scope: &ValueScope, context: &Context<'_, '_>) -> Option<Self> {
        let mut rank = Self::default();
        if !scope.steps.is_empty() {
            rank.step = scope.steps.contains(&context.step?.id);
            rank.step.then_some(())?;
        }
        if !scope.targets.is_empty() {
            rank.target = scope.targets.contains(&context.target?.0);
            rank.target.then_some(())?;
        }
        if !scope.roles.is_empty() {
            let (_, roles) = context.target?;
            let common: Vec<_> = scope.roles.intersection(roles).collect();
            rank.role = !common.is_empty();
            rank.role.then_some(())?;
            rank.step_role =
                context.step.is_some_and(|step| common.iter().any(|role| step.roles.contains(*role)));
        }
        if !scope.tenants.is_empty() {
            // A tenant-scoped value never applies to an untenanted deployment.
            match scope.tenants.matches(&context.tenant?, Empty::MeansEverybody)? {
                Match::Name => rank.tenant = true,
                Match::Tag | Match::Everybody => rank.tag = true,
            }
        }
        if !scope.environments.is_empty() {
            rank.environment = scope.environments.contains(&context.environment);
            rank.environment.then_some(())?;
        }
        Some(rank)
    }

    /// The lowest and the highest rank that a value with this scope has wherever it applies in a step: with which role a
    /// target takes part, and by name or tag a tenant, differs from place to place.
    pub(super) fn bounds(scope: &ValueScope, step: &Step) -> (Self, Self) {
        let (roles, tenants) = (&scope.roles, &scope.tenants);
        let certain = Self {
            step: !scope.steps.is_empty(),
            target: !scope.targets.is_empty(),
            role: !roles.is_empty(),
            environment: !scope.environments.is_empty(),
            ..Self::default()
        };
        // The target has one of the step's roles, and one of these.
        let by_step_role = !roles.is_empty() && (roles.is_subset(&step.roles) || step.roles.is_subset(roles));
        let by_name = !tenants.tenants.is_empty();
        let only_by_name = by_name && tenants.tags.is_empty();
        let tagged = |by_name: bool| !tenants.is_empty() && !by_name;
        let low =
            Self { step_role: by_step_role, tenant: only_by_name, tag: tagged(only_by_name), ..certain };
        let high = Self {
            step_role: !roles.is_disjoint(&step.roles),
            tenant: by_name,
            tag: tagged(by_name),
            ..certain
        };
        (low, high)
    }

    /// The rank of a tenant's own value: scoped to that tenant, and to an environment where it is for one.
    pub(super) fn of_tenant_value(for_environment: bool) -> Self {
        Self { tenant: true, environment: for_environment, ..Self::default() }
    }

    /// The dimension that decided for `self` against `other`, in words.
    pub fn decided(self, other: Self) -> &'static str {
        let dimensions = [
            (self.step, other.step, "step"),
            (self.target, other.target, "target"),
            (self.step_role, other.step_role, "role of the step"),
            (self.role, other.role, "role"),
            (self.tenant, other.tenant, "tenant"),
            (self.tag, other.tag, "tenant tag"),
            (self.environment, other.environment, "environment"),
        ];
        dimensions.iter().find(|(one, two, _)| one != two).map_or("owner", |(_, _, name)| name)
    }

    /// The most specific dimension of this scope, in words.
    pub fn in_words(self) -> &'static str {
        self.decided(Self::default()).trim_start_matches("owner")
    }
}
