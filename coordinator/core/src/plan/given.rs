//! What the targets of a step are given of variables, looked up once for all that are given the same.

use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;
use windlass_protocol::ids::{EnvironmentId, TargetId, TemplateId};

use super::layout::{LaidStep, Layout};
use crate::model::{Release, Step, StoredValue};
use crate::scope;
use crate::variables::{Context, Needs, Resolution, resolve};

/// What the targets of a step are given.
pub(super) struct Given<'a> {
    /// What is given to some of them alike, in the order in which they come first.
    pub(super) alike: Vec<Alike<'a>>,
    /// Which of that each target is given, by its place in the step.
    pub(super) of: &'a [usize],
}

/// What some targets of a step are given alike.
pub(super) struct Alike<'a> {
    /// What it is resolved for: the first of them.
    pub(super) context: Context<'a>,
    /// The variables that the step needs, and what each comes to.
    pub(super) variables: Vec<(String, Resolution<'a>)>,
}

/// A step's targets in parts: the first one of each part, with its roles, and which part each target is in.
type Parted = (Vec<(TargetId, BTreeSet<String>)>, Vec<usize>);

/// A tenant's values for templates.
type Values = OrdMap<(TemplateId, Option<EnvironmentId>), StoredValue>;

/// Shows `act` what the targets of each step are given.
pub(super) fn given<R>(
    layout: &Layout<'_>,
    steps: &[LaidStep<'_>],
    act: impl FnOnce(&[Given<'_>]) -> R,
) -> R {
    let none = Values::new();
    let values = layout.tenant.map_or(&none, |tenant| &tenant.values);
    let by_target = scopes_by_target(layout.release);
    let parted: Vec<_> = steps.iter().map(|laid| part(laid, by_target)).collect();
    let given = steps.iter().zip(&parted).map(|(laid, parted)| look_up(layout, values, laid.step, parted));
    act(&given.collect::<Vec<_>>())
}

fn look_up<'b>(
    layout: &Layout<'b>,
    values: &'b Values,
    step: &'b Step,
    (firsts, of): &'b Parted,
) -> Given<'b> {
    let alike = firsts.iter().map(|(target, roles)| {
        let context = layout.context(values, Some(step), Some((*target, roles)));
        let names = Needs::of(&step.needs, &context).names.into_values();
        let variables = names.map(|name| (resolve(&name, &context), name)).map(|(found, name)| (name, found));
        Alike { context, variables: variables.collect() }
    });
    Given { alike: alike.collect(), of }
}

/// Parts a step's targets by what they are given: those with the same roles are given the same, unless a value is scoped to
/// targets.
fn part(laid: &LaidStep<'_>, by_target: bool) -> Parted {
    let (mut firsts, mut of) = (Vec::new(), Vec::with_capacity(laid.targets.len()));
    let mut known = BTreeMap::new();
    for target in &laid.targets {
        let roles = scope::roles(target);
        let place = *known.entry((roles.clone(), by_target.then_some(target.id))).or_insert(firsts.len());
        if place == firsts.len() {
            firsts.push((target.id, roles));
        }
        of.push(place);
    }
    (firsts, of)
}

/// Whether any value is scoped to targets at all, so that equal roles do not mean equal values.
fn scopes_by_target(release: &Release) -> bool {
    let sets = release.snapshot.library_sets.iter().flat_map(|set| &set.variables);
    let mut variables = release.snapshot.variables.iter().chain(sets);
    variables.any(|variable| variable.values.iter().any(|value| !value.scope.targets.is_empty()))
}
