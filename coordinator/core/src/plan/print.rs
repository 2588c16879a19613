//! A plan as people get it: everything in names, everything with its reason.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::plan::{
    LeftOut, MalformedTemplate, Plan, PlannedDeployment, PlannedStep, PlannedTarget, PlannedVariable,
    StepRule, StepState, TargetRule, TargetState, Wait, WaitRule,
};
use windlass_api::requests::DeployRequest;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Isolation;
use windlass_protocol::names::fold;

use super::given::{Alike, Given};
use super::identity::{Identity, LOOKED_AT};
use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved, resolve};
use super::tenants::admitted_shown;
use super::waits::{wait_reason, wait_sentence};
use crate::admission;
use crate::model::{Release, Step, StepAction, StoredValue, Target};
use crate::scope;
use crate::sight::Sight;
use crate::state::{Space, count};
use crate::variables::{Candidate, Resolution, Source, is_systems, malformed};

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
    print(View { whole: space, seen: space }, &resolve(space, request)?, now, online)
}

/// What `request` would do, as somebody sees it: what is decided is the same for everybody.
pub fn plan_in_sight(
    sight: &Sight,
    request: &DeployRequest,
    now: Timestamp,
    online: Presence<'_>,
) -> Result<Plan, Problem> {
    let (whole, seen) = (sight.whole(), sight.space());
    let resolved = resolve(seen, request)?;
    sight.expect_named(resolved.pairs.iter().all(|pair| pair.tenant.is_some()))?;
    print(View { whole, seen }, &resolved.on(whole)?, now, online)
}

fn print(
    view: View<'_>,
    resolved: &Resolved<'_>,
    now: Timestamp,
    online: Presence<'_>,
) -> Result<Plan, Problem> {
    let View { whole, seen } = view;
    let (mut identity, mut printer) = (Identity::of(resolved), Printer::of(view, resolved, online));
    let mut deployments = Vec::new();
    let admitted = admitted_shown(whole, seen, resolved, now, |pair, layout, laid, given| {
        identity.deployment(whole, pair, layout, laid, given, printer.most_out);
        deployments.push(printer.deployment(pair, layout, laid, given));
    })?;
    let mut left_out = Vec::new();
    for (pair, refusals) in &admitted.left_out {
        let rules: Vec<_> = refusals.iter().map(|refusal| refusal.rule).collect();
        identity.left_out(*pair, &rules);
        let Some(first) = refusals.first() else { continue };
        let (environment, tenant) = (environment_name(seen, *pair), tenant_name(seen, *pair));
        left_out.push(LeftOut { environment, tenant, rule: first.rule, rules, reason: first.reason.clone() });
    }
    let (project, release) = (resolved.project.name.to_string(), resolved.release.version.to_string());
    Ok(Plan { digest: identity.digest(), project, release, deployments, left_out })
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
    /// Where scripts are no well-formed templates, by their steps.
    scripts: BTreeMap<StepId, Vec<MalformedTemplate>>,
}

impl<'a> Printer<'a> {
    fn of(view: View<'a>, resolved: &'a Resolved<'a>, online: Presence<'a>) -> Self {
        let known = view.seen.releases.get(&resolved.release.id).map(AsRef::as_ref);
        let most_out = MOST_OUT.min(MOST_OUT_IN_ALL / resolved.pairs.len().max(1));
        Self { view, resolved, online, known, most_out, sources: BTreeMap::new(), scripts: BTreeMap::new() }
    }

    fn deployment(
        &mut self,
        pair: Pair,
        layout: &Layout<'_>,
        laid: &[LaidStep<'_>],
        given: &[Given<'_>],
    ) -> PlannedDeployment {
        let View { whole: space, seen } = self.view;
        let mut waits = Vec::new();
        let key = (self.resolved.project.id, pair.environment, pair.tenant);
        let before: Vec<_> = admission::before(space, key, None).collect();
        for rule in admission::waits(space, key, None) {
            waits.push(Wait { rule, reason: wait_sentence(rule, &before, seen) });
        }
        let mut targets: Vec<&Target> = laid.iter().flat_map(|step| &step.targets).copied().collect();
        targets.sort_unstable_by_key(|target| target.id);
        targets.dedup_by_key(|target| target.id);
        for target in targets {
            let reason = wait_reason(target, layout.now, (self.online)(target.id));
            waits.extend(reason.map(|reason| Wait { rule: WaitRule::Offline, reason }));
        }
        let known = self.known;
        let is_known = |laid: &LaidStep<'_>| known.is_some_and(|known| known.has_step(laid.step.id));
        let steps = laid.iter().zip(given).filter(|(laid, _)| is_known(laid));
        PlannedDeployment {
            environment: environment_name(seen, pair),
            tenant: tenant_name(seen, pair),
            steps: steps.map(|(laid, given)| self.step(layout, laid, given)).collect(),
            waits,
        }
    }

    fn step(&mut self, layout: &Layout<'_>, laid: &LaidStep<'_>, given: &Given<'_>) -> PlannedStep {
        let (step, packages) = (laid.step, &self.resolved.release.packages);
        let package = packages.get(&step.id).map(|package| format!("{} {}", package.id, package.version));
        let substitutes = match &step.action {
            StepAction::Package { substitute, .. } => substitute.clone(),
            StepAction::Script(_) => Vec::new(),
        };
        let state = if laid.skipped.is_some() { StepState::Skipped } else { StepState::Run };
        let variables = self.variables(laid, given);
        let malformed = if state == StepState::Run { self.malformed(step, &variables) } else { Vec::new() };
        let (targets, more_targets) = match laid.is_judged() {
            true => print_targets(self.view, layout, laid, self.most_out),
            false => (Vec::new(), 0),
        };
        PlannedStep {
            name: step.name.to_string(),
            state,
            rule: laid.skipped,
            reason: laid.skipped.map(|rule| step_reason(rule, self.view.seen, layout, laid)),
            targets,
            more_targets,
            variables,
            malformed,
            package,
            substitutes,
        }
    }

    /// Each variable once, or once per target where targets differ.
    fn variables(&mut self, laid: &LaidStep<'_>, given: &Given<'_>) -> Vec<PlannedVariable> {
        if let [all] = given.alike.as_slice() {
            let mut printed: Vec<_> = self.alike(all).collect();
            printed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            return printed;
        }
        let mut by_name: BTreeMap<String, BTreeMap<usize, PlannedVariable>> = BTreeMap::new();
        for (place, alike) in given.alike.iter().enumerate() {
            for variable in self.alike(alike) {
                by_name.entry(variable.name.clone()).or_default().insert(place, variable);
            }
        }
        let mut printed = Vec::new();
        for of_name in by_name.into_values() {
            let Some(first) = of_name.values().next() else { continue };
            if of_name.len() == given.alike.len() && of_name.values().all(|variable| variable == first) {
                printed.push(first.clone());
                continue;
            }
            printed.extend(laid.targets.iter().zip(&given.of).filter_map(|(target, place)| {
                let target = Some(target.name.to_string());
                Some(PlannedVariable { target, ..of_name.get(place)?.clone() })
            }));
        }
        printed
    }

    /// Where its script and its variables are no well-formed templates. A script is the same for whomever it runs, and is
    /// looked at once.
    fn malformed(&mut self, step: &Step, variables: &[PlannedVariable]) -> Vec<MalformedTemplate> {
        let script = self.scripts.entry(step.id).or_insert_with(|| match &step.action {
            StepAction::Script(body) => malformed("its script", &body.text),
            StepAction::Package { .. } => Vec::new(),
        });
        let mut found = script.clone();
        for variable in variables {
            let text = variable.value.as_deref().unwrap_or_default();
            found.extend(malformed(&format!("variable `{}`", variable.name), text));
        }
        // Each target may have a value of its own, and several the same one.
        found.dedup();
        found
    }

    fn alike(&mut self, alike: &Alike<'_>) -> impl Iterator<Item = PlannedVariable> {
        let seen = self.view.seen;
        let sources = self.sources.entry(alike.number()).or_insert_with(|| {
            let variables = alike.variables();
            variables.map(|(name, resolution)| print_source(seen, name, &resolution)).collect()
        });
        let variables = sources.iter().zip(alike.variables());
        variables.map(|(printed, (_, resolution))| PlannedVariable {
            value: shown(&resolution),
            ..printed.clone()
        })
    }
}

fn step_reason(rule: StepRule, space: &Space, layout: &Layout<'_>, laid: &LaidStep<'_>) -> String {
    let environment = space.environments.get(layout.environment).map(|found| found.name.to_string());
    let environment = environment.unwrap_or_default();
    match (rule, layout.tenant) {
        (StepRule::StepEnvironment, _) => format!("does not run in {environment}"),
        (StepRule::StepTenant, Some(tenant)) => format!("does not run for {}", tenant.name),
        (StepRule::StepTenant, None) => "runs for certain tenants only".to_owned(),
        (StepRule::StepSkipped, _) => "skipped by the request".to_owned(),
        (StepRule::StepDisabled, _) => "is disabled".to_owned(),
        (StepRule::NoTarget, _) => {
            let roles: Vec<_> = laid.step.roles.iter().map(String::as_str).collect();
            format!("no target with the role {} is in scope", roles.join(" or "))
        }
    }
}

/// Most targets that are printed of those that get nothing of a step; how many more there are, is counted.
const MOST_OUT: usize = 20;

/// As many are printed of a step in all deployments of a plan together.
const MOST_OUT_IN_ALL: usize = 1000;

/// The targets that a reader expects to see: those that get a step, and the nearest ones that do not, of the environment or
/// with the step's roles. How many more of the environment there are is told with them.
fn print_targets(
    view: View<'_>,
    layout: &Layout<'_>,
    laid: &LaidStep<'_>,
    most_out: usize,
) -> (Vec<PlannedTarget>, usize) {
    let (View { whole, seen }, environment) = (view, layout.environment);
    let inside = laid.targets.iter().filter_map(|target| view.see(target));
    let mut printed: Vec<_> = inside.map(|target| print_target(seen, target, Vec::new())).collect();
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
            let rules = layout.refusals(whole, in_truth, laid.step);
            if rules.contains(&TargetRule::Environment) && rules.contains(&TargetRule::Role) {
                continue;
            }
            of_environment += usize::from(target.granted.environments.contains(&environment));
            known.insert(*id);
            printed.push(print_target(seen, target, rules));
        }
        all = printed.len() < most && parts.iter().all(|part| count(part) <= looked_at);
    }
    let more = if all { 0 } else { count(&placed).saturating_sub(of_environment) };
    printed.sort_by_cached_key(|target| fold(&target.target));
    (printed, more)
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

/// Why a rule leaves a target out, as a sentence about the target.
pub fn target_reason(rule: TargetRule, space: &Space, target: &Target) -> String {
    match rule {
        TargetRule::Environment => {
            let environments = scope::environments(&space.environments, target).into_iter();
            let names = environments.filter_map(|id| space.environments.get(id));
            scoped_to("environments", names.map(|environment| environment.name.to_string()))
        }
        TargetRule::Role => scoped_to("roles", scope::roles(target).iter().cloned()),
        TargetRule::Participation => match scope::participation(target) {
            Some(participation) => format!("takes part in {participation:?} deployments only").to_lowercase(),
            None => {
                "takes part in no deployments: what it advertises and what it is granted exclude each other"
                    .into()
            }
        },
        TargetRule::Tenant => scoped_to_tenants(space, target),
        TargetRule::Disabled => "is disabled".to_owned(),
        TargetRule::Revoked => "has its key revoked".to_owned(),
        TargetRule::Excluded => "is left out by the request".to_owned(),
    }
}

/// Most names in a reason; how many more there are, it counts.
const LISTED: usize = 5;

fn scoped_to(what: &str, names: impl Iterator<Item = String>) -> String {
    format!("is scoped to {}", listed(what, names))
}

fn listed(what: &str, names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    match names.as_slice() {
        [] => format!("no {what}"),
        [one] => format!("{} {one}", what.trim_end_matches('s')),
        several if several.len() <= LISTED => format!("{what} {}", several.join(", ")),
        several => format!("{what} {} and {} more", several[..LISTED].join(", "), several.len() - LISTED),
    }
}

/// As the grant says it: who carries a tag that it names is not looked up, for that may be everybody.
fn scoped_to_tenants(space: &Space, target: &Target) -> String {
    let query = &target.granted.tenants;
    let named = query.tenants.iter().filter_map(|id| space.tenants.get(*id));
    let named: BTreeSet<_> =
        named.filter(|tenant| scope::has_tenant(space, target, tenant)).map(|tenant| &tenant.name).collect();
    let tenants = scoped_to("tenants", named.iter().map(ToString::to_string));
    if query.tags.is_empty() {
        return tenants;
    }
    let mut tags = BTreeSet::new();
    for (set, named) in query.tags.iter().filter_map(|(set, tags)| Some((space.tag_sets.get(*set)?, tags))) {
        let named = set.tags.iter().filter(|tag| named.contains(&tag.id));
        tags.extend(named.map(|tag| format!("{}/{}", set.name, tag.name)));
    }
    let tags = listed("tags", tags.into_iter());
    let scoped =
        if named.is_empty() { format!("is scoped to {tags}") } else { format!("{tenants} and {tags}") };
    let narrows = target.advertised.tenants.is_some() || target.advertised.tenant_tags.is_some();
    if narrows { format!("{scoped}, and its agent narrows that") } else { scoped }
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

fn shown(resolution: &Resolution<'_>) -> Option<String> {
    let Resolution::Value(candidate, _) = resolution else { return None };
    Some(match candidate.value {
        StoredValue::Plain(text) => text.clone(),
        StoredValue::Sealed(_) => MASK.to_owned(),
    })
}

/// Where a candidate comes from, in words.
pub fn source(space: &Space, candidate: &Candidate<'_>) -> String {
    let set = |id| space.library_sets.get(id).map(|set| set.name.to_string()).unwrap_or_default();
    let scope = candidate.rank.in_words();
    let scoped = if scope.is_empty() { String::new() } else { format!(", scoped by {scope}") };
    match candidate.source {
        Source::Project => format!("project{scoped}"),
        Source::LibrarySet(id) => format!("library set `{}`{scoped}", set(id)),
        Source::TenantForProject => "the tenant's value for the project".to_owned(),
        Source::TenantForLibrarySet(id) => format!("the tenant's value for library set `{}`", set(id)),
        Source::Default => "the template's default".to_owned(),
    }
}
