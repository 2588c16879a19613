//! The life of a deployment: start, fetch everywhere, step after step, end; then the next one of its lane.
//!
//! ```text
//! Queued ──start──> Fetching ──all fetched──> Step(0) ──all ended──> Step(1) … ──> Succeeded
//!    │                  │                        │
//!    └── no longer allowed, nothing to do ───────┴── a failure, cancelled, a step without targets ──> Failed, …
//! ```

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::Outcome;

use super::{Draft, Reply};
use crate::event::Event;
use crate::model::{
    Deployment, DeploymentEnd, DeploymentState, DeploymentStep, FetchState, RunState, Stage, StepAction,
};
use crate::plan::{self, LaidStep, Layout};
use crate::scope;
use crate::state::{Lane, Space};

/// How long a target that is not there is waited for (SEMANTICS 3, machine policy: `wait` one hour by default).
const OFFLINE_SECONDS: u64 = 3600;

/// Starts what is first in a lane and still queued; what can't be started ends, and the next one has its turn.
pub(super) fn start_next(draft: &mut Draft<'_>, lane: Lane) {
    while let Some(id) = first_queued(draft, lane) {
        if start(draft, id) {
            advance(draft, id);
            return;
        }
    }
}

fn first_queued(draft: &Draft<'_>, lane: Lane) -> Option<DeploymentId> {
    let first = *draft.space().indexes.lanes.get(&lane)?.front()?;
    let deployment = draft.space().deployments.get(&first)?;
    (deployment.state == DeploymentState::Queued).then_some(first)
}

/// Starts a deployment, every condition checked again. Whether it runs now; if not, it has ended.
fn start(draft: &mut Draft<'_>, id: DeploymentId) -> bool {
    let event = {
        let space = draft.space();
        let Some(deployment) = space.deployments.get(&id) else { return false };
        let release = space.releases.get(&deployment.release).cloned();
        let project = space.projects.get(deployment.project);
        let (Some(release), Some(project)) = (release, project) else {
            return end(draft, id, DeploymentEnd::Cancelled, "its release or project was deleted");
        };
        let refusals = plan::judge(space, project, &release, deployment.environment, deployment.tenant);
        if let Some(refusal) = refusals.first() {
            let reason = format!("no longer allowed when its turn came: {}", refusal.reason);
            return end(draft, id, DeploymentEnd::Cancelled, &reason);
        }
        let layout = Layout {
            release: &release,
            environment: deployment.environment,
            tenant: deployment.tenant.and_then(|tenant| space.tenants.get(tenant)),
            only_targets: deployment.only_targets.as_ref(),
            excluded_targets: &deployment.excluded_targets,
            skipped_steps: &deployment.skipped_steps,
            now: draft.now(),
        };
        let laid = plan::lay_out(space, &layout);
        if let Err(problem) = plan::check_variables(&layout, &laid) {
            return end(draft, id, DeploymentEnd::Failed, &problem.message);
        }
        started(draft, id, &laid)
    };
    match event {
        Some(event) => {
            draft.emit(event);
            true
        }
        None => end(draft, id, DeploymentEnd::NothingDone, "no step had a target"),
    }
}

/// The event for a start with these steps; `None` where nothing would run.
fn started(draft: &Draft<'_>, id: DeploymentId, laid: &[LaidStep<'_>]) -> Option<Event> {
    let running: Vec<_> = laid.iter().filter(|laid| laid.skipped.is_none()).collect();
    if running.is_empty() {
        return None;
    }
    let mut roles: BTreeMap<BTreeSet<String>, BTreeSet<TargetId>> = BTreeMap::new();
    let mut fetch = BTreeSet::new();
    for laid in &running {
        for target in &laid.targets {
            roles.entry(scope::roles(target)).or_default().insert(target.id);
            if matches!(laid.step.action, StepAction::Package { .. }) {
                fetch.insert(target.id);
            }
        }
    }
    let steps = running.iter().map(|laid| DeploymentStep {
        step: laid.step.id,
        targets: laid.targets.iter().map(|target| target.id).collect(),
    });
    let expires = draft.now().plus_seconds(OFFLINE_SECONDS);
    let roles = roles.into_iter().map(|(roles, targets)| (roles, targets.into_iter().collect()));
    Some(Event::DeploymentStarted {
        deployment: id,
        steps: steps.collect(),
        roles: roles.collect(),
        fetch,
        expires,
    })
}

/// Goes on with a deployment whose present stage waits for nobody any more.
pub(super) fn advance(draft: &mut Draft<'_>, id: DeploymentId) {
    while let Some(next) = next(draft.space(), id) {
        match next {
            Next::Step(index) => {
                let expires = draft.now().plus_seconds(OFFLINE_SECONDS);
                draft.emit(Event::StepStarted { deployment: id, index, expires });
            }
            Next::End(how, reason) => return end_and_go_on(draft, id, how, &reason),
        }
    }
}

/// What comes after a stage that is over.
enum Next {
    /// The step of this index.
    Step(usize),
    /// Nothing: it ends, for this reason.
    End(DeploymentEnd, String),
}

/// What comes next in a running deployment; `None` while its present stage waits for somebody.
fn next(space: &Space, id: DeploymentId) -> Option<Next> {
    let deployment = space.deployments.get(&id)?;
    let DeploymentState::Running(stage) = deployment.state else { return None };
    if !deployment.pending.is_empty() {
        return None;
    }
    if let Some(reason) =
        failure(space, deployment, stage).or_else(|| left_without_targets(space, deployment))
    {
        return Some(Next::End(DeploymentEnd::Failed, reason));
    }
    let index = match stage {
        Stage::Fetching => 0,
        Stage::Step(index) => index + 1,
    };
    if index < deployment.steps.len() {
        return Some(Next::Step(index));
    }
    Some(Next::End(DeploymentEnd::Succeeded, "every step succeeded on every target".to_owned()))
}

/// Most targets that a reason names; how many more there are, it counts.
const LISTED: usize = 5;

/// The first step whose targets were all taken out since the deployment started, as a sentence. Such a step is no
/// success, whatever it had done by then, so neither is the deployment (SEMANTICS 3, "While it runs").
fn left_without_targets(space: &Space, deployment: &Deployment) -> Option<String> {
    let removed = |target: &TargetId| {
        let reason = deployment.work.get(target)?.removed.as_ref()?;
        Some(format!("{} ({reason})", target_name(space, *target)))
    };
    let step = deployment.steps.iter().find(|step| step.targets.iter().all(|id| removed(id).is_some()))?;
    let release = space.releases.get(&deployment.release)?;
    let called = release.snapshot.steps.iter().find(|known| known.id == step.step)?;
    let more = step.targets.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed: Vec<_> = step.targets.iter().filter_map(removed).take(LISTED).collect();
    Some(format!("step `{}` has no target left; scope-removed: {}{more}", called.name, listed.join(", ")))
}

fn target_name(space: &Space, id: TargetId) -> String {
    space.targets.get(id).map_or_else(|| "a deleted target".to_owned(), |found| found.name.to_string())
}

/// What failed in a stage that is over, as a sentence.
fn failure(space: &Space, deployment: &Deployment, stage: Stage) -> Option<String> {
    let name = |id| target_name(space, id);
    match stage {
        Stage::Fetching => deployment.work.iter().find_map(|(target, work)| match &work.fetch {
            FetchState::Failed(reason) if work.removed.is_none() => {
                Some(format!("fetching packages failed on {}: {reason}", name(*target)))
            }
            _ => None,
        }),
        Stage::Step(index) => {
            let step = deployment.steps.get(index)?;
            let release = space.releases.get(&deployment.release)?;
            let called = release.snapshot.steps.iter().find(|known| known.id == step.step)?;
            step.targets.iter().find_map(|target| {
                let work = deployment.work.get(target).filter(|work| work.removed.is_none())?;
                let RunState::Ended { outcome, .. } = work.runs.get(&step.step)? else { return None };
                let how = outcome_in_words(outcome)?;
                Some(format!("step `{}` {how} on {}", called.name, name(*target)))
            })
        }
    }
}

/// How a step ended otherwise than well; `None` where it ended well.
pub fn outcome_in_words(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Succeeded => None,
        Outcome::Failed { reason } => Some(format!("failed ({reason})")),
        Outcome::TimedOut => Some("ran out of time".to_owned()),
        Outcome::Stopped => Some("was stopped".to_owned()),
        Outcome::Unknown => Some("ended nobody knows how: its supervisor was gone".to_owned()),
    }
}

pub(super) fn cancel(draft: &mut Draft<'_>, id: DeploymentId) -> Result<Reply, Problem> {
    let deployment = draft.space().deployments.get(&id);
    let deployment =
        deployment.ok_or_else(|| Problem::not_found(format!("there is no deployment `{id}`")))?;
    if deployment.is_over() {
        return Err(Problem::conflict(format!("the deployment `{id}` is over already")));
    }
    end_and_go_on(draft, id, DeploymentEnd::Cancelled, "somebody cancelled it");
    Ok(Reply::Done)
}

fn end_and_go_on(draft: &mut Draft<'_>, id: DeploymentId, how: DeploymentEnd, reason: &str) {
    let lane = draft.space().deployments.get(&id).map(|deployment| deployment.lane());
    end(draft, id, how, reason);
    if let Some(lane) = lane {
        start_next(draft, lane);
    }
}

/// Ends a deployment; always false: it does not run.
fn end(draft: &mut Draft<'_>, deployment: DeploymentId, end: DeploymentEnd, reason: &str) -> bool {
    draft.emit(Event::DeploymentEnded { deployment, end, reason: reason.to_owned() });
    false
}
