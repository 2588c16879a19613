//! Which steps of a deployment run on which targets.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use windlass_api::plan::{StepRule, TargetRule};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, StepId, TargetId};

use crate::matching::{self, Question};
use crate::model::{Release, Step, Target, Tenant};
use crate::query::{Empty, TenantTags};
use crate::scope;
use crate::state::{Found, Space};
use crate::variables::Context;

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
    // Who belongs to the deployment but for a step's roles is the same for all steps, and looked for once.
    let anywhere = OnceCell::new();
    let lay = |step: &'a Step| {
        if let Some(rule) = layout.skip_rule(step) {
            return LaidStep { step, skipped: Some(rule), targets: Vec::new() };
        }
        let question = layout.question(step);
        let found = space.find(&question);
        let targets: Vec<&Target> = if let Found::Skilled(_) = found {
            space.look_up(found).filter(|target| matching::admits(space, target, &question)).collect()
        } else {
            let admits = |target: &&Target| matching::admits_but_for_roles(space, target, &question);
            let anywhere = anywhere.get_or_init(|| space.look_up(found).filter(admits).collect::<Vec<_>>());
            anywhere.iter().copied().filter(|target| scope::has_any_role(target, &step.roles)).collect()
        };
        let skipped = targets.is_empty().then_some(StepRule::NoTarget);
        LaidStep { step, skipped, targets }
    };
    layout.release.snapshot.steps.iter().map(lay).collect()
}
