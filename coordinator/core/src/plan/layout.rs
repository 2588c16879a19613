//! Which steps of a deployment run on which targets.

use std::borrow::Cow;
use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_api::plan::{StepRule, TargetRule};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, StepId, TargetId};
use windlass_protocol::limits;
use windlass_protocol::names::fold;

use crate::matching::{self, Question};
use crate::model::{CodeNames, Release, Step, StepAction, Target, Tenant};
use crate::query::{Empty, TenantTags};
use crate::scope;
use crate::state::Space;
use crate::variables::{Candidate, Context, Inserted, Needs, Resolution, data_as_code, resolve, shell};

/// What a deployment is laid out for.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    /// The release.
    pub release: &'a Release,
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant, or none.
    pub tenant: Option<&'a Tenant>,
    /// Targets that the request limits itself to.
    pub only_targets: Option<&'a BTreeSet<TargetId>>,
    /// Targets that the request excludes.
    pub excluded_targets: &'a BTreeSet<TargetId>,
    /// Steps that the request skips.
    pub skipped_steps: &'a BTreeSet<StepId>,
    /// Now.
    pub now: Timestamp,
}

/// A step with its targets, or why it is skipped.
pub struct LaidStep<'a> {
    /// The step.
    pub step: &'a Step,
    /// Why it does not run.
    pub skipped: Option<StepRule>,
    /// Its targets.
    pub targets: Vec<&'a Target>,
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

    /// What values are resolved for.
    pub fn context<'b>(
        &self,
        tenant_values: &'b imbl::OrdMap<
            (windlass_protocol::ids::TemplateId, Option<EnvironmentId>),
            crate::model::StoredValue,
        >,
        step: Option<&'b Step>,
        target: Option<(TargetId, &'b BTreeSet<String>)>,
    ) -> Context<'b>
    where
        'a: 'b,
    {
        let (snapshot, environment) = (self.release.snapshot.as_ref(), self.environment);
        Context {
            snapshot,
            tenant: self.tenant.map(TenantTags::of),
            tenant_values,
            environment,
            target,
            step,
        }
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

/// The steps of the release in order, each with its targets or the rule that skips it.
pub fn lay_out<'a>(space: &'a Space, layout: &Layout<'a>) -> Vec<LaidStep<'a>> {
    let in_environment = space.indexes.targets.get(&layout.environment);
    let candidates: Vec<&Target> =
        in_environment.into_iter().flatten().filter_map(|id| space.targets.get(*id)).collect();
    let lay = |step: &'a Step| {
        if let Some(rule) = layout.skip_rule(step) {
            return LaidStep { step, skipped: Some(rule), targets: Vec::new() };
        }
        let question = layout.question(step);
        let targets: Vec<_> =
            candidates.iter().copied().filter(|target| matching::admits(space, target, &question)).collect();
        let skipped = targets.is_empty().then_some(StepRule::NoTarget);
        LaidStep { step, skipped, targets }
    };
    layout.release.snapshot.steps.iter().map(lay).collect()
}

/// Steps on targets that one deployment may be: how it starts is one record.
const MOST_RUNS: usize = 50_000;

/// Refuses what could not be carried out: more steps on targets than a deployment may be, a name with two equal values,
/// more values than a target is sent for one step, and a tenant's value or an output variable put bare into a script or
/// a hook.
pub fn check(layout: &Layout<'_>, steps: &[LaidStep<'_>]) -> Result<(), Problem> {
    let runs: usize = steps.iter().map(|laid| laid.targets.len()).sum();
    if runs > MOST_RUNS {
        return Err(Problem::conflict(format!(
            "its steps would run {runs} times, on all targets together, and those of a deployment at most {MOST_RUNS} \
             times; deploy to fewer targets at once"
        )));
    }
    check_variables(layout, steps)
}

fn check_variables(layout: &Layout<'_>, steps: &[LaidStep<'_>]) -> Result<(), Problem> {
    let none = imbl::OrdMap::new();
    let values = layout.tenant.map_or(&none, |tenant| &tenant.values);
    let by_target = scopes_by_target(layout.release);
    let mut outputs = BTreeSet::new();
    for laid in steps.iter().filter(|laid| laid.skipped.is_none()) {
        let mut seen = BTreeSet::new();
        let code = code(layout.release, laid.step);
        for target in &laid.targets {
            let roles = scope::roles(target);
            if !seen.insert(roles.clone()) && !by_target {
                continue;
            }
            let context = layout.context(values, Some(laid.step), Some((target.id, &roles)));
            check_names(laid.step, &context)?;
            if let Some(inserted) = data_as_code(&code, &outputs, &context) {
                return Err(as_code(laid.step, &inserted));
            }
        }
        outputs.extend(code.sets.iter().map(|name| fold(name)));
    }
    Ok(())
}

/// Whether any value is scoped to targets at all, so that equal roles do not mean equal values.
fn scopes_by_target(release: &Release) -> bool {
    let sets = release.snapshot.library_sets.iter().flat_map(|set| &set.variables);
    let mut variables = release.snapshot.variables.iter().chain(sets);
    variables.any(|variable| variable.values.iter().any(|value| !value.scope.targets.is_empty()))
}

fn ambiguous(step: &Step, name: &str, one: &Candidate<'_>, two: &Candidate<'_>) -> Problem {
    let scope = one.rank.in_words();
    let scoped = if scope.is_empty() { "unscoped".to_owned() } else { format!("scoped by {scope}") };
    Problem::conflict(format!(
        "step `{}`: `{name}` has two values that nothing tells apart, both {scoped}; scope one of them closer ({:?}, {:?})",
        step.name, one.source, two.source,
    ))
}

fn check_names(step: &Step, context: &Context<'_>) -> Result<(), Problem> {
    let mut bytes = 0;
    for name in Needs::of(&step.needs, context).names.values() {
        match resolve(name, context) {
            Resolution::Ambiguous(one, two) => return Err(ambiguous(step, name, &one, &two)),
            Resolution::Value(candidate, _) => {
                bytes += name.len() + candidate.value.most_bytes() + limits::VARIABLE_OVERHEAD_BYTES;
            }
            Resolution::Undefined => {}
        }
    }
    if bytes > limits::STEP_VARIABLES_BYTES {
        return Err(Problem::conflict(format!(
            "step `{}` needs {bytes} bytes of variables, and a step is given at most {}; let it need fewer, or put \
             what is large into its package",
            step.name,
            limits::STEP_VARIABLES_BYTES
        )));
    }
    Ok(())
}

/// What of a step is run: its script, or the hooks of its package.
fn code<'a>(release: &'a Release, step: &Step) -> Cow<'a, CodeNames> {
    match &step.action {
        StepAction::Script(body) => Cow::Owned(CodeNames::of(&body.text, shell(body.shell))),
        StepAction::Package { .. } => release
            .packages
            .get(&step.id)
            .map_or_else(|| Cow::Owned(CodeNames::default()), |package| Cow::Borrowed(&package.hooks)),
    }
}

fn as_code(step: &Step, inserted: &Inserted<'_>) -> Problem {
    let place = match &step.action {
        StepAction::Script(_) => "the script",
        StepAction::Package { .. } => "a hook of its package",
    };
    let Inserted { name, data, misplaced } = inserted;
    let (step, as_code) = (&step.name, format!("puts {data} into {place} as code"));
    Problem::conflict(match (name.strip_suffix('['), misplaced) {
        (Some(list), false) => {
            format!(
                "step `{step}`: inserting what `{list}` has {as_code}; let it pass last through `| Quoted`"
            )
        }
        (None, false) => format!(
            "step `{step}`: `#{{{name}}}` {as_code}; write `#{{{name} | Quoted}}` or \
             `$(get_windlassvariable \"{name}\")`"
        ),
        (list, true) => {
            let named = list.map_or_else(|| format!("`{name}`"), |list| format!("what `{list}` has"));
            format!(
                "step `{step}`: inserting {named} puts {data} into {place} where its filter does not protect; let it be \
                 an argument of its own, outside of quotes, comments and here-documents, or ask for it with \
                 `get_windlassvariable`"
            )
        }
    })
}
