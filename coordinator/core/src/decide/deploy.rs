//! A request to deploy becomes deployments, each of which starts at once or waits in its lane (SEMANTICS 8).

use windlass_api::error::Problem;
use windlass_api::requests::DeployRequest;
use windlass_protocol::ids::DeploymentId;

use super::{Draft, Reply, progress};
use crate::event::Event;
use crate::model::{Deployment, DeploymentState};
use crate::plan::{self, Pair, Resolved};
use crate::state::Space;

/// Deployments that one request may make.
const MOST_DEPLOYMENTS: usize = 10_000;

pub(super) fn deploy(draft: &mut Draft<'_>, request: &DeployRequest) -> Result<Reply, Problem> {
    let before = draft.space_before();
    check_expected(before, request, draft)?;
    let resolved = plan::resolve(before, request)?;
    if resolved.pairs.len() > MOST_DEPLOYMENTS {
        return Err(Problem::usage(format!("a request makes at most {MOST_DEPLOYMENTS} deployments")));
    }
    let pairs = admitted(before, &resolved)?;
    for pair in &pairs {
        check_layout(before, &resolved, *pair, draft)?;
    }
    let mut made = Vec::new();
    for pair in pairs {
        let id = DeploymentId::from_bytes(draft.fresh.bytes());
        let deployment = new_deployment(draft, &resolved, pair, id);
        let lane = deployment.lane();
        draft.emit(Event::DeploymentCreated { deployment });
        progress::start_next(draft, lane);
        made.push(id);
    }
    Ok(Reply::Deployments(made))
}

fn check_expected(space: &Space, request: &DeployRequest, draft: &Draft<'_>) -> Result<(), Problem> {
    let Some(expected) = &request.expect else { return Ok(()) };
    let plan = plan::plan(space, request, draft.now(), &|_| true)?;
    if plan.digest == *expected {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "the plan is another one now, {} instead of {expected}; look at it again with --plan",
        plan.digest
    )))
}

/// The pairs that may be deployed. A tenant that somebody named and that may not is an error for the whole command;
/// one that a tag brought in is left out. None left is an error.
fn admitted(space: &Space, resolved: &Resolved<'_>) -> Result<Vec<Pair>, Problem> {
    let mut admitted = Vec::new();
    let mut first_refusal = None;
    for pair in &resolved.pairs {
        let refusals = plan::judge(space, resolved.project, resolved.release, pair.environment, pair.tenant);
        let Some(refusal) = refusals.first() else {
            admitted.push(*pair);
            continue;
        };
        let environment = space.environments.get(pair.environment).map(|found| found.name.to_string());
        let who = pair
            .tenant
            .and_then(|id| space.tenants.get(id))
            .map(|tenant| format!("tenant `{}`", tenant.name));
        let who = who.unwrap_or_else(|| "the untenanted deployment".to_owned());
        let sentence = format!("{who} in {}: {}", environment.unwrap_or_default(), refusal.reason);
        if pair.named {
            return Err(Problem::conflict(sentence));
        }
        first_refusal.get_or_insert(sentence);
    }
    match (admitted.is_empty(), first_refusal) {
        (true, Some(sentence)) => Err(Problem::failed(format!("nobody is left to deploy to; {sentence}"))),
        _ => Ok(admitted),
    }
}

fn check_layout(
    space: &Space,
    resolved: &Resolved<'_>,
    pair: Pair,
    draft: &Draft<'_>,
) -> Result<(), Problem> {
    let layout = plan::Layout {
        release: resolved.release,
        environment: pair.environment,
        tenant: pair.tenant.and_then(|id| space.tenants.get(id)),
        only_targets: resolved.only_targets.as_ref(),
        excluded_targets: &resolved.excluded_targets,
        skipped_steps: &resolved.skipped_steps,
        now: draft.now(),
    };
    plan::check_variables(&layout, &plan::lay_out(space, &layout))
}

fn new_deployment(draft: &Draft<'_>, resolved: &Resolved<'_>, pair: Pair, id: DeploymentId) -> Deployment {
    Deployment {
        id,
        project: resolved.project.id,
        release: resolved.release.id,
        environment: pair.environment,
        tenant: pair.tenant,
        created: draft.now(),
        only_targets: resolved.only_targets.clone(),
        excluded_targets: resolved.excluded_targets.clone(),
        skipped_steps: resolved.skipped_steps.clone(),
        state: DeploymentState::Queued,
        reason: None,
        steps: Vec::new(),
        work: imbl::OrdMap::new(),
        pending: imbl::OrdSet::new(),
        tenant_values: imbl::OrdMap::new(),
        outputs: imbl::OrdMap::new(),
    }
}
