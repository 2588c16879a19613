//! Which steps of a deployment run on which targets.

use std::collections::{BTreeMap, BTreeSet};
use std::ptr;

use windlass_api::plan::{StepRule, TargetRule};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, StepId, TargetId};

use crate::matching::{self, Question};
use crate::model::{Release, Step, Target, Tenant};
use crate::query::Empty;
use crate::scope;
use crate::state::{Found, Space};
use crate::variables::Context;

/// What a deployment is laid out for.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    pub release: &'a Release,
    pub environment: EnvironmentId,
    pub tenant: Option<&'a Tenant>,
    /// Targets that the request limits itself to.
    pub only_targets: Option<&'a BTreeSet<TargetId>>,
    pub excluded_targets: &'a BTreeSet<TargetId>,
    pub skipped_steps: &'a BTreeSet<StepId>,
    pub now: Timestamp,
}

/// A step with its targets, or why it is skipped.
pub struct LaidStep<'a> {
    pub step: &'a Step,
    /// Why it does not run.
    pub skipped: Option<StepRule>,
    pub targets: Vec<&'a Target>,
}

impl LaidStep<'_> {
    /// Whether targets are asked for it at all.
    pub(super) fn is_judged(&self) -> bool {
        matches!(self.skipped, None | Some(StepRule::NoTarget))
    }
}

impl<'a> Layout<'a> {
    /// The question that a target is asked for a step.
    pub fn question(&self, step: &'a Step) -> Question<'a> {
        Question {
            environment: self.environment,
            tenant: self.tenant,
            roles: &step.roles,
            only: self.only_targets,
            excluded: self.excluded_targets,
            now: self.now,
        }
    }

    /// Why a target gets nothing of a step.
    pub fn refusals(&self, space: &Space, target: &Target, step: &'a Step) -> Vec<TargetRule> {
        matching::refusals(space, target, &self.question(step))
    }

    /// What values are resolved for, in a step on a target with these roles.
    pub fn context<'q>(&self, step: &'q Step, target: (TargetId, &'q BTreeSet<String>)) -> Context<'a, 'q>
    where
        'a: 'q,
    {
        let context = Context::of(&self.release.snapshot, self.environment, self.tenant);
        Context { step: Some(step), target: Some(target), ..context }
    }

    fn skip_rule(&self, step: &Step) -> Option<StepRule> {
        let skipped = || self.skipped_steps.contains(&step.id).then_some(StepRule::StepSkipped);
        let disabled = || step.disabled.then_some(StepRule::StepDisabled);
        step_rule(step, self.environment, self.tenant).or_else(skipped).or_else(disabled)
    }
}

/// Why a step does not run in this environment, or for this tenant; `None` where it does.
pub(crate) fn step_rule(
    step: &Step,
    environment: EnvironmentId,
    tenant: Option<&Tenant>,
) -> Option<StepRule> {
    let named = step.environments.is_empty() || step.environments.contains(&environment);
    if !named || step.excluded_environments.contains(&environment) {
        return Some(StepRule::StepEnvironment);
    }
    let for_tenant = match tenant {
        // A step that is for some tenants only is for no untenanted deployment.
        None => step.tenants.is_empty(),
        Some(tenant) => step.tenants.matches(tenant, Empty::MeansEverybody).is_some(),
    };
    (!for_tenant).then_some(StepRule::StepTenant)
}

/// Lays out the deployments of one request, or one alone: what they have in common is looked for once.
pub(super) struct Layouts<'a> {
    space: &'a Space,
    parts: BTreeMap<Part, Vec<&'a Target>>,
}

/// A part of the targets, for deployments to an environment which are for tenants or untenanted. It is known by where it is:
/// there it stays as long as the space is borrowed.
type Part = (EnvironmentId, bool, *const ());

impl<'a> Layouts<'a> {
    pub(super) const fn of(space: &'a Space) -> Self {
        Self { space, parts: BTreeMap::new() }
    }

    /// The steps of the release in order, each with its targets or the rule that skips it.
    pub(super) fn lay_out(&mut self, layout: &Layout<'a>) -> Vec<LaidStep<'a>> {
        let space = self.space;
        // Who belongs to the deployment but for a step's roles is the same for all steps.
        let (granted, mut anywhere) = (space.rarer(layout.environment, layout.tenant), None);
        let mut lay = |step: &'a Step| {
            if let Some(rule) = layout.skip_rule(step) {
                return LaidStep { step, skipped: Some(rule), targets: Vec::new() };
            }
            let question = layout.question(step);
            let found = space.find(&granted, &question);
            let targets: Vec<&Target> = if let Found::Skilled(_) = found {
                space.look_up(found).filter(|target| matching::admits(space, target, &question)).collect()
            } else {
                let anywhere = anywhere.get_or_insert_with(|| self.anywhere(layout, &question, found));
                anywhere.iter().copied().filter(|target| scope::has_any_role(target, &step.roles)).collect()
            };
            let skipped = targets.is_empty().then_some(StepRule::NoTarget);
            LaidStep { step, skipped, targets }
        };
        layout.release.snapshot.steps.iter().map(&mut lay).collect()
    }

    /// Those of whom was found that belong to the deployment but for the roles of the step that asks, in the order of their
    /// ids.
    fn anywhere(
        &mut self,
        layout: &Layout<'a>,
        question: &Question<'a>,
        found: Found<'a>,
    ) -> Vec<&'a Target> {
        let space = self.space;
        let serves =
            |target: &&Target| layout.tenant.is_none_or(|tenant| scope::has_tenant(space, target, tenant));
        let mut serving = Vec::new();
        match found {
            Found::Named(named) => {
                let part = self.part(layout, question, ptr::from_ref(named).cast(), named);
                serving.extend(part.iter().copied().filter(serves));
            }
            Found::Granted(parts) | Found::Skilled(parts) => {
                for granted in parts {
                    let part = self.part(layout, question, ptr::from_ref(granted).cast(), granted);
                    serving.extend(part.iter().copied().filter(serves));
                }
            }
        }
        serving.sort_unstable_by_key(|target| target.id);
        serving.dedup_by_key(|target| target.id);
        serving
    }

    /// Those of a part that belong to deployments of the request for whomever they serve, in any of its steps.
    fn part(
        &mut self,
        layout: &Layout<'a>,
        question: &Question<'a>,
        place: *const (),
        ids: impl IntoIterator<Item = &'a TargetId>,
    ) -> &[&'a Target] {
        let (space, steps) = (self.space, &layout.release.snapshot.steps);
        self.parts.entry((layout.environment, layout.tenant.is_some(), place)).or_insert_with(|| {
            let found = ids.into_iter().filter_map(|id| space.targets.get(*id));
            let skilled =
                |target: &&Target| steps.iter().any(|step| scope::has_any_role(target, &step.roles));
            let admits = |target: &&Target| matching::admits_for_whom_it_serves(space, target, question);
            found.filter(|target| skilled(target) && admits(target)).collect()
        })
    }
}

/// The steps of the release in order, each with its targets or the rule that skips it.
pub fn lay_out<'a>(space: &'a Space, layout: &Layout<'a>) -> Vec<LaidStep<'a>> {
    Layouts::of(space).lay_out(layout)
}
