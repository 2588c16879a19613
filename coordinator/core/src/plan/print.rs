//! A plan as people get it: everything in names, everything with its reason.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::plan::{
    LeftOut, MalformedTemplate, Plan, PlannedDeployment, PlannedStep, PlannedTarget, PlannedVariable,
    StepState, TargetRule, TargetState, Wait, WaitRule,
};
use windlass_api::requests::DeployRequest;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Isolation;
use windlass_protocol::names::fold;

use super::given::Given;
use super::identity::{Identity, LOOKED_AT, most_out};
use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved, resolve};
use super::room::{Room, fitting};
use super::tenants::{TenantRefusal, Wanted, admitted_shown};
use super::waits::{wait_reason, wait_sentence};
use super::words::{more_unready, source, step_reason, target_reason};
use crate::admission;
use crate::model::{Release, Step, StepAction, StoredValue, Target};
use crate::reasons;
use crate::sight::Sight;
use crate::state::{Space, count};
use crate::variables::{Resolution, is_systems, malformed};

/// Whether a target is connected now: derived, not a part of the state.
pub type Presence<'a> = &'a dyn Fn(TargetId) -> bool;

/// What is decided, and whose names it is said in.
#[derive(Clone, Copy)]
struct View<'a> {
    whole: &'a Space,
    /// The space as who asks sees it.
    seen: &'a Space,
}

impl View<'_> {
    /// A target of the whole space as who asks sees it.
    fn see<'t>(&'t self, target: &'t Target) -> Option<&'t Target> {
        if std::ptr::eq(self.whole, self.seen) { Some(target) } else { self.seen.targets.get(target.id) }
    }
}

/// What `request` would do, for who sees all of `space`.
pub fn plan(
    space: &Space,
    request: &DeployRequest,
    now: Timestamp,
    online: Presence<'_>,
) -> Result<Plan, Problem> {
    print(View { whole: space, seen: space }, &resolve(space, request)?, now, online, &|| Ok(()))
}

/// What `request` would do, as somebody sees it: what is decided is the same for everybody.
pub fn plan_in_sight(
    sight: &Sight,
    request: &DeployRequest,
    now: Timestamp,
    online: Presence<'_>,
    wanted: Wanted<'_>,
) -> Result<Plan, Problem> {
    let (whole, seen) = (sight.whole(), sight.space());
    let resolved = resolve(seen, request)?;
    sight.expect_named(resolved.pairs.iter().all(|pair| pair.tenant.is_some()))?;
    print(View { whole, seen }, &resolved.on(whole)?, now, online, wanted)
}

fn print(
    view: View<'_>,
    resolved: &Resolved<'_>,
    now: Timestamp,
    online: Presence<'_>,
    wanted: Wanted<'_>,
) -> Result<Plan, Problem> {
    let View { whole, seen } = view;
    let (mut identity, mut printer) = (Identity::of(resolved), Printer::of(view, resolved, online));
    let mut deployments = Vec::new();
    let admitted = admitted_shown(whole, seen, resolved, now, wanted, |pair, layout, laid, given| {
        identity.deployment(whole, pair, layout, laid, given);
        deployments.push(printer.deployment(pair, layout, laid, given));
    })?;
    let left_out = admitted.left_out.iter().filter_map(|(pair, refusals)| printer.left_out(*pair, refusals));
    let left_out = left_out.collect();
    let (project, release) = (resolved.project.name.to_string(), resolved.release.version.to_string());
    let (digest, cut) = (identity.digest(&admitted), printer.room.told(deployments.len()));
    Ok(Plan { digest, project, release, deployments, left_out, cut })
}

fn environment_name(space: &Space, pair: Pair) -> String {
    space.environments.get(pair.environment).map(|found| found.name.to_string()).unwrap_or_default()
}

fn tenant_name(space: &Space, pair: Pair) -> Option<String> {
    pair.tenant.and_then(|id| space.tenants.get(id)).map(|tenant| tenant.name.to_string())
}

/// Prints the deployments of one plan.
struct Printer<'a> {
    view: View<'a>,
    resolved: &'a Resolved<'a>,
    online: Presence<'a>,
    /// The release as who asks sees it: a step that runs for nobody who is seen is none.
    known: Option<&'a Release>,
    /// Most targets that are printed of those that get nothing of a step.
    most_out: usize,
    /// The variables that are given alike, by its number, as they are printed, but for what they come to: that may be a
    /// tenant's own.
    sources: BTreeMap<usize, Vec<PlannedVariable>>,
    /// How many those are.
    held: usize,
    /// Where scripts are no well-formed templates, by their steps.
    scripts: BTreeMap<StepId, Vec<MalformedTemplate>>,
    room: Room,
}

/// Whom a variable is given to, by its place among what is given alike; without its value, and the value.
type GivenTo<'p> = (usize, &'p PlannedVariable, Option<&'p str>);

/// Variables that are kept as they are printed, for who else is given the same.
const MOST_HELD: usize = 1 << 16;

impl<'a> Printer<'a> {
    fn of(view: View<'a>, resolved: &'a Resolved<'a>, online: Presence<'a>) -> Self {
        let known = view.seen.releases.get(&resolved.release.id).map(AsRef::as_ref);
        let (most_out, sources, room) = (most_out(resolved), BTreeMap::new(), Room::new());
        let scripts = BTreeMap::new();
        Self { view, resolved, online, known, most_out, sources, held: 0, scripts, room }
    }

    fn deployment(
        &mut self,
        pair: Pair,
        layout: &Layout<'_>,
        laid: &[LaidStep<'_>],
        given: &[Given<'_>],
    ) -> PlannedDeployment {
        let waits = self.waits(pair, layout, laid);
        let (seen, known) = (self.view.seen, self.known);
        let is_known = |laid: &LaidStep<'_>| known.is_some_and(|known| known.has_step(laid.step.id));
        let mut steps = self.room.steps();
        for (laid, given) in laid.iter().zip(given).filter(|(laid, _)| is_known(laid)) {
            steps.print(|left| self.step(layout, laid, given, left));
        }
        let mut deployment = PlannedDeployment {
            environment: environment_name(seen, pair),
            tenant: tenant_name(seen, pair),
            steps: Vec::new(),
            steps_as: None,
            more_steps: 0,
            waits,
        };
        self.room.keep(steps, &mut deployment);
        deployment
    }

    /// What it waits for; of the targets as many as are printed of those that get nothing of a step, the others as a number.
    fn waits(&self, pair: Pair, layout: &Layout<'_>, laid: &[LaidStep<'_>]) -> Vec<Wait> {
        let (View { whole: space, seen }, mut waits) = (self.view, Vec::new());
        let key = (self.resolved.project.id, pair.environment, pair.tenant);
        let before: Vec<_> = admission::before(space, key, None).collect();
        for rule in admission::waits(space, key, None) {
            waits.push(Wait { rule, reason: wait_sentence(rule, &before, seen) });
        }
        let mut targets: Vec<&Target> = laid.iter().flat_map(|step| &step.targets).copied().collect();
        targets.sort_unstable_by_key(|target| target.id);
        targets.dedup_by_key(|target| target.id);
        let unready =
            targets.iter().filter_map(|target| wait_reason(target, layout.now, (self.online)(target.id)));
        let offline = |reason| Wait { rule: WaitRule::Offline, reason };
        let mut unready = unready.map(offline);
        waits.extend(unready.by_ref().take(self.most_out));
        let more = unready.count();
        waits.extend((more > 0).then(|| offline(more_unready(more, self.most_out))));
        waits
    }

    /// Whom a tag brought in and who gets nothing, with its whole reason as long as there is room.
    fn left_out(&mut self, pair: Pair, refusals: &[TenantRefusal]) -> Option<LeftOut> {
        let (seen, first) = (self.view.seen, refusals.first()?);
        let mut left_out = LeftOut {
            environment: environment_name(seen, pair),
            tenant: tenant_name(seen, pair),
            rule: first.rule,
            rules: refusals.iter().map(|refusal| refusal.rule).collect(),
            reason: first.reason.clone(),
        };
        if !self.room.take(&left_out) {
            left_out.reason = reasons::tenant_rule(first.rule).to_owned();
        }
        Some(left_out)
    }

    /// A step, if there is room for all that it says.
    fn step(
        &mut self,
        layout: &Layout<'_>,
        laid: &LaidStep<'_>,
        given: &Given<'_>,
        left: &mut usize,
    ) -> Option<PlannedStep> {
        let (step, packages) = (laid.step, &self.resolved.release.packages);
        let package = packages.get(&step.id).map(|package| format!("{} {}", package.id, package.version));
        let substitutes = match &step.action {
            StepAction::Package { substitute, .. } => substitute.clone(),
            StepAction::Script(_) => Vec::new(),
        };
        let state = if laid.skipped.is_some() { StepState::Skipped } else { StepState::Run };
        let (targets, more_targets) = match laid.is_judged() {
            true => print_targets(self.view, layout, laid, self.most_out, left)?,
            false => (Vec::new(), 0),
        };
        let head = PlannedStep {
            name: step.name.to_string(),
            state,
            rule: laid.skipped,
            reason: laid.skipped.map(|rule| step_reason(rule, self.view.seen, layout, laid)),
            targets: Vec::new(),
            more_targets,
            variables: Vec::new(),
            malformed: Vec::new(),
            package,
            substitutes,
        };
        let head = fitting(left, head)?;
        let variables = self.variables(laid, given, left)?;
        let malformed = match state {
            StepState::Run => self.malformed(step, &variables, left)?,
            StepState::Skipped => Vec::new(),
        };
        Some(PlannedStep { targets, variables, malformed, ..head })
    }

    /// Each variable once, or once per target where targets differ; if there is room for all.
    fn variables(
        &mut self,
        laid: &LaidStep<'_>,
        given: &Given<'_>,
        left: &mut usize,
    ) -> Option<Vec<PlannedVariable>> {
        self.look_up(given);
        let mut by_name: BTreeMap<&str, Vec<GivenTo<'_>>> = BTreeMap::new();
        for (place, alike) in given.alike.iter().enumerate() {
            let sources = self.sources.get(&alike.number()).into_iter().flatten();
            for (printed, (_, resolution)) in sources.zip(alike.variables()) {
                by_name.entry(&printed.name).or_default().push((place, printed, shown(&resolution)));
            }
        }
        let mut variables = Vec::new();
        for of_name in by_name.into_values() {
            let [(_, first, value), others @ ..] = of_name.as_slice() else { continue };
            let everywhere = of_name.len() == given.alike.len();
            if everywhere && others.iter().all(|(_, printed, of)| printed == first && of == value) {
                variables.push(fitting(left, with_value(first, *value, None))?);
                continue;
            }
            for (target, place) in laid.targets.iter().zip(&given.of) {
                let Ok(found) = of_name.binary_search_by_key(place, |(place, ..)| *place) else { continue };
                let (_, printed, value) = of_name[found];
                variables.push(fitting(left, with_value(printed, value, Some(target)))?);
            }
        }
        Some(variables)
    }

    /// Where its script and its variables are no well-formed templates, if there is room for all. A script is the same for
    /// whomever it runs, and is looked at once.
    fn malformed(
        &mut self,
        step: &Step,
        variables: &[PlannedVariable],
        left: &mut usize,
    ) -> Option<Vec<MalformedTemplate>> {
        let script = self.scripts.entry(step.id).or_insert_with(|| match &step.action {
            StepAction::Script(body) => malformed("its script", &body.text),
            StepAction::Package { .. } => Vec::new(),
        });
        let of_variable = |variable: &PlannedVariable| {
            let text = variable.value.as_deref().unwrap_or_default();
            malformed(&format!("variable `{}`", variable.name), text)
        };
        let mut found = Vec::new();
        for place in script.iter().cloned().chain(variables.iter().flat_map(of_variable)) {
            // Each target may have a value of its own, and several the same one.
            if found.last() != Some(&place) {
                found.push(fitting(left, place)?);
            }
        }
        Some(found)
    }

    /// Has what is given as it is printed, but for the values.
    fn look_up(&mut self, given: &Given<'_>) {
        if self.held > MOST_HELD {
            self.sources.clear();
            self.held = 0;
        }
        for alike in &given.alike {
            let (seen, held) = (self.view.seen, &mut self.held);
            self.sources.entry(alike.number()).or_insert_with(|| {
                let variables = alike.variables();
                let variables = variables.map(|(name, resolution)| print_source(seen, name, &resolution));
                let variables: Vec<_> = variables.collect();
                *held += 1 + variables.len();
                variables
            });
        }
    }
}

fn with_value(printed: &PlannedVariable, value: Option<&str>, target: Option<&Target>) -> PlannedVariable {
    let target = target.map(|target| target.name.to_string());
    PlannedVariable { target, value: value.map(str::to_owned), ..printed.clone() }
}

/// The targets that a reader expects to see: those that get a step, and the nearest ones that do not, of the environment or
/// with the step's roles. How many more of the environment there are is told with them; if there is room.
fn print_targets(
    view: View<'_>,
    layout: &Layout<'_>,
    laid: &LaidStep<'_>,
    most_out: usize,
    left: &mut usize,
) -> Option<(Vec<PlannedTarget>, usize)> {
    let (View { whole, seen }, environment) = (view, layout.environment);
    let inside = laid.targets.iter().filter_map(|target| view.see(target));
    let inside = inside.map(|target| fitting(left, print_target(seen, target, Vec::new())));
    let mut printed = inside.collect::<Option<Vec<_>>>()?;
    let (most, looked_at) = (printed.len() + most_out, printed.len() + LOOKED_AT);
    let placed = seen.placed(environment);
    let mut of_environment = printed.len();
    let mut all = false;
    if most_out > 0 {
        let mut known: BTreeSet<_> = laid.targets.iter().map(|target| target.id).collect();
        // Whom the request names is nearer than who may serve the tenant, and that nearer than anybody else.
        let named = layout.only_targets.into_iter().flatten().chain(layout.excluded_targets);
        let parts = [seen.serving(layout.tenant), placed.clone(), seen.skilled(&laid.step.roles)];
        let near = parts.iter().flat_map(|part| part.iter().copied().flatten().take(looked_at));
        for id in named.chain(near) {
            if printed.len() >= most {
                break;
            }
            let found = (seen.targets.get(*id), whole.targets.get(*id));
            let (false, (Some(target), Some(in_truth))) = (known.contains(id), found) else { continue };
            let (space, judged) =
                if target.is_only_remembered() { (seen, target) } else { (whole, in_truth) };
            let rules = layout.refusals(space, judged, laid.step);
            if rules.contains(&TargetRule::Environment) && rules.contains(&TargetRule::Role) {
                continue;
            }
            of_environment += usize::from(target.granted.environments.contains(&environment));
            known.insert(*id);
            printed.push(fitting(left, print_target(seen, target, rules))?);
        }
        all = printed.len() < most && parts.iter().all(|part| count(part) <= looked_at);
    }
    let more = if all { 0 } else { count(&placed).saturating_sub(of_environment) };
    printed.sort_by_cached_key(|target| fold(&target.target));
    Some((printed, more))
}

fn print_target(seen: &Space, target: &Target, rules: Vec<TargetRule>) -> PlannedTarget {
    let rule = rules.first().copied();
    PlannedTarget {
        target: target.name.to_string(),
        state: if rule.is_none() { TargetState::In } else { TargetState::Out },
        rule,
        reason: rule.map(|rule| target_reason(rule, seen, target)),
        note: (rule.is_none() && target.advertised.isolation == Isolation::None)
            .then(|| "keeps tenants apart by nothing: isolation = \"none\"".to_owned()),
        rules,
    }
}

/// What stands in the place of a sensitive value.
pub const MASK: &str = "********";

/// A variable without what it comes to.
fn print_source(space: &Space, name: &str, resolution: &Resolution<'_>) -> PlannedVariable {
    let source = match resolution {
        Resolution::Undefined if is_systems(name) => "the deployment itself".to_owned(),
        Resolution::Undefined => {
            "nothing defines it: `#{…}` of it stays as it is written, and a script that asks for it gets nothing"
                .to_owned()
        }
        Resolution::Value(candidate, _) => source(space, candidate),
        Resolution::Ambiguous(one, two) => {
            format!("two equal values: {} and {}", source(space, one), source(space, two))
        }
    };
    PlannedVariable { name: name.to_owned(), target: None, value: None, source }
}

fn shown<'a>(resolution: &Resolution<'a>) -> Option<&'a str> {
    let Resolution::Value(candidate, _) = resolution else { return None };
    Some(match candidate.value {
        StoredValue::Plain(text) => text,
        StoredValue::Sealed(_) => MASK,
    })
}
