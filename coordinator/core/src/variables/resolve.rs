//! Every candidate value of a name, and which one wins.

use std::collections::BTreeSet;

use serde::Serialize;
use windlass_protocol::ids::{EnvironmentId, LibrarySetId, TargetId, TemplateId};

use super::Rank;
use crate::model::{Defined, Named, Snapshot, Step, StoredValue, Template, Tenant, TenantValues, Variable};
use crate::query::TenantTags;

/// What values are resolved for: values live for `'v`, whom they are looked up for as long as that takes.
#[derive(Clone, Copy)]
pub struct Context<'v, 'q> {
    /// What the release froze.
    pub snapshot: &'v Snapshot,
    pub tenant: Option<TenantTags<'q>>,
    /// The tenant's values; none where there is no tenant.
    pub tenant_values: Option<&'v TenantValues>,
    pub environment: EnvironmentId,
    /// The target with its roles, where it is about one.
    pub target: Option<(TargetId, &'q BTreeSet<String>)>,
    /// The step, where it is about one.
    pub step: Option<&'q Step>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Source {
    /// A variable of the project.
    Project,
    /// A variable of a library set.
    LibrarySet(LibrarySetId),
    /// The tenant's own value for a template of the project.
    TenantForProject,
    /// The tenant's own value for a template of a library set.
    TenantForLibrarySet(LibrarySetId),
    /// A template's default.
    Default,
}

/// A value that applies.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub value: &'a StoredValue,
    pub source: Source,
    /// Where a tenant's own value stands among the tenant's values.
    pub filled: Option<(TemplateId, Option<EnvironmentId>)>,
    pub rank: Rank,
    /// Smaller wins between equal ranks: the project, then library sets in their order, defaults last of all.
    pub owner: usize,
}

impl<'v> Context<'v, 'v> {
    /// What a release gives an environment and a tenant, on no target and in no step.
    pub fn of(snapshot: &'v Snapshot, environment: EnvironmentId, tenant: Option<&'v Tenant>) -> Self {
        let tenant_values = tenant.map(|tenant| &tenant.values);
        let tenant = tenant.map(TenantTags::of);
        Self { snapshot, tenant, tenant_values, environment, target: None, step: None }
    }
}

impl<'v> Candidate<'v> {
    /// The same for a tenant with these values, which fills the same templates. It never falls back on the value that
    /// was found: that may be another tenant's.
    fn of_tenant(self, values: Option<&'v TenantValues>) -> Self {
        let Some(place) = self.filled else { return self };
        let value = values
            .and_then(|values| values.get(&place))
            .expect("who shares an answer fills the same templates");
        Self { value, ..self }
    }

    /// Whether the value is a tenant's own: data and not code.
    pub const fn is_data(&self) -> bool {
        self.filled.is_some()
    }

    fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

/// What a name comes to.
#[derive(Debug, Clone)]
pub enum Resolution<'a> {
    /// Nothing applies.
    Undefined,
    /// This value, and the next best one that it beat.
    Value(Candidate<'a>, Option<Candidate<'a>>),
    /// Two values that nothing tells apart: an error that names both.
    Ambiguous(Candidate<'a>, Candidate<'a>),
}

impl<'v> Resolution<'v> {
    /// What the same name comes to for a tenant with these values, for which resolving depends on the same
    /// ([`Dependence`](super::Dependence)).
    pub fn of_tenant(&self, values: Option<&'v TenantValues>) -> Self {
        match self {
            Self::Undefined => Self::Undefined,
            Self::Value(one, two) => Self::Value(one.of_tenant(values), two.map(|two| two.of_tenant(values))),
            Self::Ambiguous(one, two) => Self::Ambiguous(one.of_tenant(values), two.of_tenant(values)),
        }
    }
}

/// The values that apply to `name`, the winner first.
pub fn candidates<'a>(name: &str, context: &Context<'a, '_>) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    for Defined { owner, named } in context.snapshot.called(name) {
        let set = owner.checked_sub(1).map(|set| context.snapshot.library_sets[set].id);
        match named {
            Named::Variable(variable) => {
                let source = set.map_or(Source::Project, Source::LibrarySet);
                from_variable(&mut found, variable, source, owner, context);
            }
            Named::Template(template) => {
                let source = set.map_or(Source::TenantForProject, Source::TenantForLibrarySet);
                from_template(&mut found, template, source, owner, context);
            }
        }
    }
    let key = |candidate: &Candidate<'_>| {
        (candidate.is_default(), std::cmp::Reverse(candidate.rank), candidate.owner)
    };
    found.sort_by_key(key);
    found
}

/// Which value wins.
pub fn resolve<'a>(name: &str, context: &Context<'a, '_>) -> Resolution<'a> {
    let found = candidates(name, context);
    match found.as_slice() {
        [] => Resolution::Undefined,
        [only] => Resolution::Value(*only, None),
        [first, second, ..] => {
            let equal = first.rank == second.rank
                && first.owner == second.owner
                && first.is_default() == second.is_default();
            if equal {
                Resolution::Ambiguous(*first, *second)
            } else {
                Resolution::Value(*first, Some(*second))
            }
        }
    }
}

fn from_variable<'a>(
    found: &mut Vec<Candidate<'a>>,
    variable: &'a Variable,
    source: Source,
    owner: usize,
    context: &Context<'a, '_>,
) {
    for scoped in &variable.values {
        if let Some(rank) = Rank::of(&scoped.scope, context) {
            found.push(Candidate { value: &scoped.value, source, filled: None, rank, owner });
        }
    }
}

fn from_template<'a>(
    found: &mut Vec<Candidate<'a>>,
    template: &'a Template,
    source: Source,
    owner: usize,
    context: &Context<'a, '_>,
) {
    for environment in [Some(context.environment), None] {
        let place = (template.id, environment);
        if let Some(value) = context.tenant_values.and_then(|values| values.get(&place)) {
            let rank = Rank::of_tenant_value(environment.is_some());
            found.push(Candidate { value, source, filled: Some(place), rank, owner });
        }
    }
    if let Some(value) = &template.default {
        let (source, rank) = (Source::Default, Rank::default());
        found.push(Candidate { value, source, filled: None, rank, owner });
    }
}
