//! Deployments: list and view.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{
    DeploymentItem, DeploymentStatus, DeploymentStepView, DeploymentTargetView, DeploymentView, FetchStatus,
    Page, PartEnd, StepStatus, WaitView,
};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::running_time;
use windlass_coordinator_core::graph::{RunState, WorkKind};
use windlass_coordinator_core::model::{
    ChosenPackage, Deployment, PackageKey, Release, RunEnd, RunOutcome, Step,
};
use windlass_coordinator_core::reasons;
use windlass_coordinator_core::sight::{Connected, Sight, Waiting};
use windlass_coordinator_core::state::{Space, WorkItem};
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::names::nearest;

use super::caller::Reader;
use super::display;
use super::extract::{Asked, Named};
use super::pages::{Paging, no_place};
use super::presence::{FetchProgress, Presence};
use super::refusal::Answer;
use crate::engine::now;

/// Which deployments.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of this project.
    pub project: Option<String>,
    /// Only those to this environment.
    pub environment: Option<String>,
    /// Only those for this tenant.
    pub tenant: Option<String>,
    /// Only those in this state; `open` for all that are not over.
    pub state: Option<String>,
}

/// All that are not over.
const OPEN: &str = "open";

/// Says so where no state is called this: an empty list would be the wrong answer to a typing error.
fn expect_state(name: &str) -> Result<(), Problem> {
    let states = || std::iter::once(OPEN).chain(DeploymentStatus::ALL.iter().map(|state| state.word()));
    if states().any(|state| state == name) {
        return Ok(());
    }
    Err(Problem::usage(match nearest(name, states()) {
        Some(nearest) => format!("there is no state `{name}`; did you mean `{nearest}`?"),
        None => {
            format!("there is no state `{name}`; it is one of {}", states().collect::<Vec<_>>().join(", "))
        }
    }))
}

/// The deployments, the newest first. Of those that ended, the last 20 of each tenant are listed for certain, and more as
/// long as they are among 10,000 that are shared out fairly, but not to who is limited to tenants; the audit has all.
#[utoipa::path(get, path = "/deployments", tag = "deployments", params(Which, Paging),
    responses((status = 200, body = Page<DeploymentItem>)))]
pub async fn list(
    caller: Reader,
    Asked(which): Asked<Which>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<DeploymentItem>> {
    let sight = caller.sight()?;
    let space = sight.space();
    let project = which.project.as_deref().map(|name| space.projects.find(name)).transpose()?;
    let environment = which.environment.as_deref().map(|name| space.environments.find(name)).transpose()?;
    let tenant = which.tenant.as_deref().map(|name| space.tenants.find(name)).transpose()?;
    which.state.as_deref().map_or(Ok(()), expect_state)?;
    let state = |found: &Deployment| match which.state.as_deref() {
        None => true,
        Some(OPEN) => !found.is_over(),
        Some(state) => display::state(found).word() == state,
    };
    let mut found: Vec<&Arc<Deployment>> = space
        .deployments
        .values()
        .filter(|found| project.is_none_or(|project| found.project == project.id))
        .filter(|found| environment.is_none_or(|environment| found.environment == environment.id))
        .filter(|found| tenant.is_none_or(|tenant| found.tenant == Some(tenant.id)))
        .filter(|found| state(found))
        .collect();
    let newest = |found: &&Arc<Deployment>| Reverse((found.created, found.id));
    found.sort_by_key(newest);
    let start = match &paging.after {
        Some(after) => behind(space, &found, after, newest).ok_or_else(|| no_place(after))?,
        None => 0,
    };
    let named = |found: &&Arc<Deployment>| {
        if paging.filter.is_none() {
            return true;
        }
        let project = display::name(&space.projects, found.project);
        let environment = display::name(&space.environments, found.environment);
        let tenant = display::tenant(space, found.tenant);
        paging.admits([project.as_str(), &environment].into_iter().chain(tenant.as_deref()))
    };
    let keyed = found.split_off(start).into_iter().filter(named).map(|found| (found.id.to_string(), found));
    Ok(Json(paging.fill(keyed, |found| item(space, found))))
}

/// Where the part begins that follows the deployment of this id, in a list in this order.
fn behind<'a, K: Ord>(
    space: &'a Space,
    list: &[&'a Arc<Deployment>],
    after: &str,
    order: impl Fn(&&'a Arc<Deployment>) -> K,
) -> Option<usize> {
    let last = space.deployments.get(&after.parse::<DeploymentId>().ok()?)?;
    Some(list.binary_search_by_key(&order(&last), order).ok()? + 1)
}

/// A deployment: where it stands, what it waits for, how far each step is on each target.
#[utoipa::path(get, path = "/deployments/{id}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id.")),
    responses((status = 200, body = DeploymentView)))]
pub async fn view(caller: Reader, Named(id): Named<String>) -> Answer<DeploymentView> {
    let sight = caller.sight()?;
    let space = sight.space();
    let found = find(space, deployment_id(&id)?)?;
    Ok(Json(view_of(&sight, caller.context.presence.as_ref(), found)))
}

/// The deployment of this id.
pub fn find(space: &Space, id: DeploymentId) -> Result<&Arc<Deployment>, Problem> {
    space.deployments.get(&id).ok_or_else(|| Problem::not_found(format!("there is no deployment `{id}`")))
}

/// A deployment as lists show it.
pub fn item(space: &Space, found: &Deployment) -> DeploymentItem {
    let release = space.releases.get(&found.release());
    DeploymentItem {
        id: found.id.to_string(),
        project: display::name(&space.projects, found.project),
        release: release.map_or_else(|| found.release().to_string(), |release| release.version.to_string()),
        environment: display::name(&space.environments, found.environment),
        tenant: display::tenant(space, found.tenant),
        state: display::state(found),
        created: display::time(found.created),
    }
}

fn view_of(sight: &Sight, presence: &dyn Presence, found: &Deployment) -> DeploymentView {
    let space = sight.space();
    let release = space.releases.get(&found.release());
    let mut steps = Vec::new();
    for (place, node) in found.graph.nodes().enumerate() {
        let WorkKind::Run(step) = node.plot.work else { continue };
        let release = release.map(Arc::as_ref);
        let timeout = known_step(release, step).map_or(0, |step| step.timeout_seconds);
        let step = DescribedStep { name: step_name(release, step), timeout };
        for target in &node.plot.targets {
            steps.push(step_view(space, found, &step, *target, place));
        }
    }
    let fetch = found.graph.place_of(WorkKind::Fetch);
    let targets = found.parts.keys().map(|target| {
        let run = fetch.and_then(|fetch| found.graph.run(fetch, *target));
        let (state, progress) = (run.map(|run| &run.state), presence.progress(found.id, *target));
        let traffic = match sight.is_whole() {
            true => traffic(state, progress),
            false => Traffic::of_whole(whole_size(space, found, release.map(Arc::as_ref), *target)),
        };
        target_view(space, found, *target, state, traffic)
    });
    DeploymentView {
        item: item(space, found),
        reason: found.why.as_ref().map(|why| reasons::end(space, found, why)),
        ended: found.ended.map(display::time),
        waits: waits(sight, presence, found),
        steps,
        targets: targets.collect(),
    }
}

fn waits(sight: &Sight, presence: &dyn Presence, found: &Deployment) -> Vec<WaitView> {
    let (online, last_seen) = (|target| presence.online(target), |target| presence.last_seen(target));
    let connected = Connected { online: &online, last_seen: &last_seen };
    let view = |Waiting { rule, reason, since, until, by, advice }| WaitView {
        rule,
        reason,
        since: since.map(display::time),
        until: until.map(display::time),
        by: by.map(|by| by.to_string()),
        advice,
    };
    sight.waits(found, now(), connected).into_iter().map(view).collect()
}

fn known_step(release: Option<&Release>, id: StepId) -> Option<&Step> {
    release.and_then(|release| release.snapshot.steps.iter().find(|step| step.id == id))
}

/// The name of a step of a release; its id where nothing knows it.
pub fn step_name(release: Option<&Release>, id: StepId) -> String {
    known_step(release, id).map_or_else(|| id.to_string(), |step| step.name.to_string())
}

/// How far the bytes of a target's packages have come.
#[derive(Default)]
struct Traffic {
    moved: Option<u64>,
    saved: Option<u64>,
    total: u64,
}

impl Traffic {
    /// For who is limited to tenants, on every machine: what had to travel tells what it has of others, and on which
    /// machines that is told, which of them serve others.
    const fn of_whole(total: u64) -> Self {
        Self { moved: None, saved: None, total }
    }
}

/// What travelled and what did not have to, by now.
fn traffic(state: Option<&RunState>, progress: Option<FetchProgress>) -> Traffic {
    let FetchProgress { moved, saved, total } = match state {
        Some(RunState::Assigned { .. } | RunState::Started { .. }) => progress.unwrap_or_default(),
        Some(RunState::Ended(RunEnd { outcome: RunOutcome::Succeeded, moved, saved, .. })) => {
            FetchProgress { moved: *moved, saved: *saved, total: moved.saturating_add(*saved) }
        }
        None | Some(RunState::Ended(_)) => FetchProgress::default(),
    };
    Traffic { moved: Some(moved), saved: Some(saved), total }
}

/// Bytes of all packages that a target needs for a deployment.
fn whole_size(space: &Space, found: &Deployment, release: Option<&Release>, target: TargetId) -> u64 {
    let packages = found.graph.steps_on(target).filter_map(|step| release?.packages.get(&step));
    let sizes: BTreeMap<_, _> =
        packages.map(|package| (package.manifest, package_size(space, package))).collect();
    sizes.values().sum()
}

/// Bytes of a package when it is unpacked; 0 where it is gone.
pub fn package_size(space: &Space, chosen: &ChosenPackage) -> u64 {
    let key = PackageKey { id: chosen.id.clone(), version: chosen.version.clone() };
    space.packages.get(&key).map_or(0, |package| package.size)
}

fn target_view(
    space: &Space,
    found: &Deployment,
    target: TargetId,
    state: Option<&RunState>,
    Traffic { moved, saved, total }: Traffic,
) -> DeploymentTargetView {
    let removed = removal(space, found, target);
    let name = reasons::target_name(space, found, target);
    let (fetch, failed) = match state {
        None => (FetchStatus::NotNeeded, None),
        Some(RunState::Assigned { .. } | RunState::Started { .. }) => (FetchStatus::Assigned, None),
        Some(RunState::Ended(RunEnd { outcome, .. })) => match outcome {
            RunOutcome::Succeeded => (FetchStatus::Done, None),
            // It did not fail: it was told to stop.
            RunOutcome::Stopped => (FetchStatus::Stopped, None),
            RunOutcome::Failed(why) => (FetchStatus::Failed, Some(reasons::failure(why))),
            other => (FetchStatus::Failed, reasons::outcome_in_words(other, &name)),
        },
    };
    DeploymentTargetView {
        target: name,
        fetch,
        moved,
        saved,
        total,
        end: removed.as_ref().map(|_| PartEnd::ScopeRemoved),
        reason: removed.or(failed),
    }
}

/// Why a target gets nothing more of a deployment, if it does not.
fn removal(space: &Space, found: &Deployment, target: TargetId) -> Option<String> {
    let why = found.parts.get(&target)?.removed?;
    Some(reasons::removal(space, found, target, why))
}

/// A step as what runs of it is shown.
struct DescribedStep {
    name: String,
    /// Seconds.
    timeout: u32,
}

fn step_view(
    space: &Space,
    found: &Deployment,
    step: &DescribedStep,
    target: TargetId,
    place: usize,
) -> DeploymentStepView {
    let run = found.graph.run(place, target);
    let name = reasons::target_name(space, found, target);
    let (state, reason, lines) = match (run.map(|run| &run.state), removal(space, found, target)) {
        (Some(RunState::Ended(end)), Some(reason)) if end.outcome == RunOutcome::Stopped => {
            (StepStatus::ScopeRemoved, Some(reason), Some(end.lines))
        }
        // What it had brought to its end before it was taken out, it did.
        (Some(RunState::Ended(end)), _) => match reasons::outcome_in_words(&end.outcome, &name) {
            None => (StepStatus::Succeeded, None, Some(end.lines)),
            reason => (StepStatus::Failed, reason, Some(end.lines)),
        },
        (_, Some(reason)) => (StepStatus::ScopeRemoved, Some(reason), None),
        (None, None) if found.is_over() => (StepStatus::NotReached, None, None),
        (None, None) => (StepStatus::Waiting, None, None),
        (Some(RunState::Assigned { .. }), None) => (StepStatus::Assigned, None, None),
        (Some(RunState::Started { .. }), None) => (StepStatus::Running, None, None),
    };
    let times = match (state, run.map(|run| &run.state)) {
        (StepStatus::Assigned, Some(RunState::Assigned { since, expires, .. })) => {
            // When it is given up, which may be later where the coordinator was away.
            let is_this = |item: &&WorkItem| (item.deployment, item.node) == (found.id, place);
            let item = space.work_of(target).map(|(_, item)| item).find(is_this);
            Some((*since, item.map_or(*expires, |item| item.deadline)))
        }
        (StepStatus::Running, Some(RunState::Started { deadline, .. })) => {
            Some(running_time(*deadline, step.timeout))
        }
        _ => None,
    };
    let (since, until) = times.map(|(since, until)| (display::time(since), display::time(until))).unzip();
    DeploymentStepView { step: step.name.clone(), target: name, state, reason, since, until, lines }
}

/// The id that a text is. What is no id is no deployment either.
pub fn deployment_id(text: &str) -> Result<DeploymentId, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("there is no deployment `{text}`")))
}
