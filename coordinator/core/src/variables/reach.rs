//! Which values of a name a step can choose in any place where it may run. A release knows the step's environments, roles
//! and tenant query; which targets, tenants and tags there are, and which a tenant fills, changes while it is there.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use windlass_api::documents::Control;
use windlass_protocol::ids::EnvironmentId;

use super::Rank;
use crate::model::{Named, Snapshot, Step, StoredValue, ValueScope};

/// Most pairs of values of one name that are compared: with more of them none is left out because others beat it.
const COMPARED: usize = 1 << 16;

/// The values of a name that a step can choose.
pub(super) struct Chosen<'a> {
    /// Them, but for what tenants fill in, which nobody follows (SEMANTICS 6).
    pub values: Vec<&'a StoredValue>,
    /// Whether tenants can fill in something sensitive.
    pub filled_sensitive: bool,
    /// Whether one of them applies wherever the step runs.
    pub everywhere: bool,
    /// About how many scopes were looked at, and things that they name.
    pub looked_at: usize,
}

/// What may apply.
struct Applying<'a> {
    /// What it is; `None` for what tenants fill in.
    value: Option<&'a StoredValue>,
    sensitive: bool,
    scope: &'a ValueScope,
    lowest: Key,
    highest: Key,
}

/// All that applies to a name.
#[derive(Default)]
struct Applied<'a> {
    applying: Vec<Applying<'a>>,
    /// Whether a template has the name.
    is_template: bool,
    /// Scopes of its values, and what they name.
    scopes: usize,
}

/// The greater one wins: no default, then the rank, then the owner.
type Key = (bool, Rank, Reverse<usize>);

/// The scope of what has none.
static EVERYWHERE: std::sync::LazyLock<ValueScope> = std::sync::LazyLock::new(ValueScope::default);

impl<'a> Chosen<'a> {
    pub(super) fn of(name: &str, step: &Step, snapshot: &'a Snapshot) -> Self {
        let Applied { applying, is_template, scopes } = applying(name, step, snapshot);
        let counts = |one: &&Applying<'a>| one.sensitive || one.value.is_some_and(refers);
        let counting = applying.iter().filter(counts).count();
        let compares = counting * applying.len() <= COMPARED;
        let can_win = |one: &&Applying<'a>| {
            let beats = |other: &&Applying<'a>| other.value.is_some() && other.lowest > one.highest;
            let better = || applying.iter().filter(beats).map(|other| other.scope);
            !compares || !Region::of(step, one.scope).is_covered(better())
        };
        let chosen: Vec<_> = applying.iter().filter(counts).filter(can_win).collect();
        // A template that nobody fills, and nothing else defines, lets nothing start.
        let everywhere =
            is_template || Region::of(step, &EVERYWHERE).is_covered(applying.iter().map(|one| one.scope));
        Self {
            values: chosen.iter().filter_map(|one| one.value).collect(),
            filled_sensitive: chosen.iter().any(|one| one.value.is_none() && one.sensitive),
            everywhere,
            looked_at: scopes * if compares { 1 + counting } else { 1 },
        }
    }
}

fn refers(value: &StoredValue) -> bool {
    match value {
        StoredValue::Plain(text) => text.contains("#{"),
        StoredValue::Sealed(_) => true,
    }
}

/// All that applies to a name in some place where the step runs.
fn applying<'a>(name: &str, step: &Step, snapshot: &'a Snapshot) -> Applied<'a> {
    let mut found = Applied::default();
    let Applied { applying, is_template, scopes } = &mut found;
    for defined in snapshot.called(name) {
        let key = |rank| (true, rank, Reverse(defined.owner));
        match defined.named {
            Named::Variable(variable) => {
                *scopes += variable.values.iter().map(|scoped| 1 + scoped.scope.size()).sum::<usize>();
                for scoped in variable.values.iter().filter(|scoped| Region::of(step, &scoped.scope).is_any())
                {
                    let (low, high) = Rank::bounds(&scoped.scope, step);
                    let (value, sensitive) = (Some(&scoped.value), scoped.value.is_sensitive());
                    let (lowest, highest) = (key(low), key(high));
                    applying.push(Applying { value, sensitive, scope: &scoped.scope, lowest, highest });
                }
            }
            Named::Template(template) => {
                *is_template = true;
                *scopes += 1;
                let sensitive = template.control == Control::Sensitive;
                let [low, high] = [false, true].map(Rank::of_tenant_value);
                let (lowest, highest) = (key(low), key(high));
                applying.push(Applying { value: None, sensitive, scope: &EVERYWHERE, lowest, highest });
                let rank = (false, Rank::default(), Reverse(defined.owner));
                applying.extend(template.default.as_ref().map(|value| Applying {
                    value: Some(value),
                    sensitive: sensitive || value.is_sensitive(),
                    scope: &EVERYWHERE,
                    lowest: rank,
                    highest: rank,
                }));
            }
        }
    }
    found
}

/// The places where a step runs and a scope applies.
struct Region<'a> {
    step: &'a Step,
    scope: &'a ValueScope,
    /// Its environments; `None` where all belong to it that are not excluded, be they made tomorrow.
    environments: Option<BTreeSet<EnvironmentId>>,
}

impl<'a> Region<'a> {
    fn of(step: &'a Step, scope: &'a ValueScope) -> Self {
        let environments = match (step.environments.is_empty(), scope.environments.is_empty()) {
            (true, true) => None,
            (true, false) => Some(&scope.environments - &step.excluded_environments),
            (false, true) => Some(&step.environments - &step.excluded_environments),
            (false, false) => Some(&(&step.environments & &scope.environments) - &step.excluded_environments),
        };
        Self { step, scope, environments }
    }

    /// Whether there can be one: a target can have any roles beside one of the step's.
    fn is_any(&self) -> bool {
        let Self { step, scope, environments } = self;
        (scope.steps.is_empty() || scope.steps.contains(&step.id))
            && environments.as_ref().is_none_or(|environments| !environments.is_empty())
            && (scope.tenants.is_empty() || scope.tenants.meets(&step.tenants))
    }

    /// Whether in each of them one of these scopes applies: one by itself, or several that have the environments, or one
    /// of the roles, among them. Scopes that share out two dimensions at once are not put together.
    fn is_covered<'s>(&self, by: impl Iterator<Item = &'s ValueScope>) -> bool {
        let mut environments = self.environments.clone();
        let needed = [&self.step.roles, &self.scope.roles].into_iter().filter(|roles| !roles.is_empty());
        let mut roles: Vec<_> = needed.cloned().collect();
        for scope in by.filter(|scope| self.is_within_the_rest_of(scope)) {
            let in_all = scope.environments.is_empty()
                || self.environments.as_ref().is_some_and(|all| all.is_subset(&scope.environments));
            let on_all = scope.roles.is_empty()
                || self.step.roles.is_subset(&scope.roles)
                || (!self.scope.roles.is_empty() && self.scope.roles.is_subset(&scope.roles));
            if on_all && let Some(left) = &mut environments {
                left.retain(|environment| !scope.environments.contains(environment));
            }
            if in_all {
                roles.iter_mut().for_each(|left| left.retain(|role| !scope.roles.contains(role)));
            }
            let none_left =
                environments.as_ref().is_some_and(BTreeSet::is_empty) || roles.iter().any(BTreeSet::is_empty);
            if (in_all && on_all) || none_left {
                return true;
            }
        }
        false
    }

    /// Whether a scope applies in all of them as far as neither environments nor roles are concerned.
    fn is_within_the_rest_of(&self, scope: &ValueScope) -> bool {
        let tenants = [&self.step.tenants, &self.scope.tenants];
        (scope.steps.is_empty() || scope.steps.contains(&self.step.id))
            && (scope.targets.is_empty()
                || (!self.scope.targets.is_empty() && self.scope.targets.is_subset(&scope.targets)))
            && (scope.tenants.is_empty()
                || tenants.iter().any(|of| !of.is_empty() && scope.tenants.covers(of)))
    }
}
