//! Deployments: list and view.

use std::sync::Arc;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{
    DeploymentItem, DeploymentStepView, DeploymentTargetView, DeploymentView, Page, WaitView,
};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::nearest;
use windlass_coordinator_core::decide::outcome_in_words;
use windlass_coordinator_core::model::{
    Deployment, DeploymentState, FetchState, Release, RunState, TargetWork,
};
use windlass_coordinator_core::plan::wait_reason;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::Outcome;

use super::caller::Reader;
use super::deploy::deployment_id;
use super::doors::{FetchProgress, Presence};
use super::extract::{Asked, Named};
use super::pages::Paging;
use super::refusal::Answer;
use super::words;
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

/// The states that a list may be asked for.
const STATES: [&str; 8] =
    ["open", "queued", "fetching", "running", "succeeded", "failed", "cancelled", "nothing-done"];

/// Says so where no state is called this: an empty list would be the wrong answer to a typing error.
fn expect_state(name: &str) -> Result<(), Problem> {
    if STATES.contains(&name) {
        return Ok(());
    }
    Err(Problem::usage(match nearest(name, STATES.into_iter()) {
        Some(nearest) => format!("there is no state `{name}`; did you mean `{nearest}`?"),
        None => format!("there is no state `{name}`; it is one of {}", STATES.join(", ")),
    }))
}

/// The deployments, the newest first. Older ones than the last 10,000 that ended are in the audit alone.
#[utoipa::path(get, path = "/deployments", tag = "deployments", params(Which, Paging),
    responses((status = 200, body = Page<DeploymentItem>)))]
pub async fn list(
    caller: Reader,
    Asked(which): Asked<Which>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<DeploymentItem>> {
    let moment = caller.moment()?;
    let space = moment.space();
    let project = which.project.as_deref().map(|name| space.projects.find(name)).transpose()?;
    let environment = which.environment.as_deref().map(|name| space.environments.find(name)).transpose()?;
    let tenant = which.tenant.as_deref().map(|name| space.tenants.find(name)).transpose()?;
    which.state.as_deref().map_or(Ok(()), expect_state)?;
    let state = |found: &Deployment| match which.state.as_deref() {
        None => true,
        Some("open") => !found.is_over(),
        Some(state) => words::state(found.state) == state,
    };
    let mut found: Vec<&Arc<Deployment>> = space
        .deployments
        .values()
        .filter(|found| project.is_none_or(|project| found.project == project.id))
        .filter(|found| environment.is_none_or(|environment| found.environment == environment.id))
        .filter(|found| tenant.is_none_or(|tenant| found.tenant == Some(tenant.id)))
        .filter(|found| state(found))
        .collect();
    found.sort_by_key(|found| std::cmp::Reverse((found.created, found.id)));
    let after = paging.after.as_deref().map(deployment_id).transpose()?;
    let after = after.map(|id| find(space, id).map(|found| (found.created, found.id))).transpose()?;
    let behind =
        found.into_iter().filter(|found| after.is_none_or(|after| (found.created, found.id) < after));
    let items = behind.map(|found| item(space, found));
    let admitted = items.filter(|item| {
        paging.admits([item.project.as_str(), &item.environment].into_iter().chain(item.tenant.as_deref()))
    });
    let mut items: Vec<_> = admitted.take(paging.limit() + 1).collect();
    let more = items.len() > paging.limit();
    items.truncate(paging.limit());
    let next = items.last().filter(|_| more).map(|item| item.id.clone());
    Ok(Json(Page { items, next }))
}

/// A deployment: where it stands, what it waits for, how far each step is on each target.
#[utoipa::path(get, path = "/deployments/{id}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id.")),
    responses((status = 200, body = DeploymentView)))]
pub async fn view(caller: Reader, Named(id): Named<String>) -> Answer<DeploymentView> {
    let moment = caller.moment()?;
    let space = moment.space();
    let found = find(space, deployment_id(&id)?)?;
    Ok(Json(view_of(space, caller.context.presence.as_ref(), found)))
}

/// The deployment of this id.
pub fn find(space: &Space, id: DeploymentId) -> Result<&Arc<Deployment>, Problem> {
    space.deployments.get(&id).ok_or_else(|| Problem::not_found(format!("there is no deployment `{id}`")))
}

/// A deployment as lists show it.
pub fn item(space: &Space, found: &Deployment) -> DeploymentItem {
    let release = space.releases.get(&found.release);
    DeploymentItem {
        id: found.id.to_string(),
        project: words::name(&space.projects, found.project),
        release: release.map_or_else(|| found.release.to_string(), |release| release.version.to_string()),
        environment: words::name(&space.environments, found.environment),
        tenant: words::tenant(space, found.tenant),
        state: words::state(found.state).to_owned(),
        created: words::time(found.created),
    }
}

fn view_of(space: &Space, presence: &dyn Presence, found: &Deployment) -> DeploymentView {
    let release = space.releases.get(&found.release);
    let mut steps = Vec::new();
    for step in &found.steps {
        let name = step_name(release.map(Arc::as_ref), step.step);
        for target in &step.targets {
            let work = found.work.get(target);
            steps.push(step_view(
                space,
                &name,
                *target,
                work,
                work.and_then(|work| work.runs.get(&step.step)),
            ));
        }
    }
    let targets: Vec<_> = found
        .work
        .iter()
        .map(|(target, work)| target_view(space, *target, work, presence.progress(found.id, *target)))
        .collect();
    DeploymentView {
        item: item(space, found),
        reason: found.reason.clone(),
        waits: waits(space, presence, found),
        steps,
        targets,
    }
}

/// What it waits for: the ones before it in its lane, and targets that are not connected.
fn waits(space: &Space, presence: &dyn Presence, found: &Deployment) -> Vec<WaitView> {
    match found.state {
        DeploymentState::Ended(_) => Vec::new(),
        DeploymentState::Queued => {
            let lane = space.indexes.lanes.get(&found.lane());
            let before =
                lane.and_then(|lane| lane.iter().position(|waiting| *waiting == found.id)).unwrap_or(0);
            let reason = match before {
                1 => "another deployment of this project to the same place comes first".to_owned(),
                more => format!("{more} deployments of this project to the same place come first"),
            };
            vec![WaitView { rule: "queue".to_owned(), reason }]
        }
        DeploymentState::Running(_) => {
            let targets = found.pending.iter().filter_map(|target| space.targets.get(*target));
            let reasons = targets.filter_map(|target| wait_reason(target, now(), presence.online(target.id)));
            reasons.map(|reason| WaitView { rule: "offline".to_owned(), reason }).collect()
        }
    }
}

/// The name of a step of a release; its id where nothing knows it.
pub fn step_name(release: Option<&Release>, id: StepId) -> String {
    let known = release.and_then(|release| release.snapshot.steps.iter().find(|step| step.id == id));
    known.map_or_else(|| id.to_string(), |step| step.name.to_string())
}

fn target_view(
    space: &Space,
    target: TargetId,
    work: &TargetWork,
    progress: Option<FetchProgress>,
) -> DeploymentTargetView {
    let (fetch, progress, failed) = match &work.fetch {
        FetchState::NotNeeded => ("not-needed", FetchProgress::default(), None),
        FetchState::Assigned { .. } => ("assigned", progress.unwrap_or_default(), None),
        FetchState::Done { moved, saved } => {
            ("done", FetchProgress { moved: *moved, saved: *saved, total: moved + saved }, None)
        }
        // It did not fail: it was told to stop.
        FetchState::Failed(reason) if work.removed.as_ref() == Some(reason) => {
            ("stopped", FetchProgress::default(), None)
        }
        FetchState::Failed(reason) => ("failed", FetchProgress::default(), Some(reason.clone())),
    };
    DeploymentTargetView {
        target: words::name(&space.targets, target),
        fetch: fetch.to_owned(),
        moved: progress.moved,
        saved: progress.saved,
        total: progress.total,
        end: work.removed.as_ref().map(|_| "scope-removed".to_owned()),
        reason: work.removed.clone().or(failed),
    }
}

fn step_view(
    space: &Space,
    step: &str,
    target: TargetId,
    work: Option<&TargetWork>,
    run: Option<&RunState>,
) -> DeploymentStepView {
    let removed = work.and_then(|work| work.removed.clone());
    let (state, reason, lines) = match (run, removed) {
        // What it had brought to its end before it was taken out, it did.
        (Some(RunState::Ended { outcome: Outcome::Succeeded, lines }), Some(_)) => {
            ("succeeded", None, *lines)
        }
        (run, Some(reason)) => ("scope-removed", Some(reason), lines_of(run)),
        (None, None) => ("waiting", None, 0),
        (Some(RunState::Assigned { .. }), None) => ("assigned", None, 0),
        (Some(RunState::Started { .. }), None) => ("running", None, 0),
        (Some(RunState::Ended { outcome, lines }), None) => match outcome_in_words(outcome) {
            None => ("succeeded", None, *lines),
            reason => ("failed", reason, *lines),
        },
    };
    let target = words::name(&space.targets, target);
    DeploymentStepView { step: step.to_owned(), target, state: state.to_owned(), reason, lines }
}

const fn lines_of(run: Option<&RunState>) -> u64 {
    match run {
        Some(RunState::Ended { lines, .. }) => *lines,
        _ => 0,
    }
}
