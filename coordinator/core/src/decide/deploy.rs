//! A request to deploy becomes deployments, which wait for their turn (SEMANTICS 8).

use windlass_api::error::Problem;
use windlass_api::requests::DeployRequest;
use windlass_protocol::ids::DeploymentId;

use super::{Draft, LeftOut, Reply};
use crate::event::{DeploymentCreated, DeploymentEvent, Observation};
use crate::model::Subject;
use crate::plan::{self, Admitted, Printed};

pub(super) fn deploy(
    draft: &mut Draft<'_>,
    request: &DeployRequest,
    planned_at: Option<u64>,
) -> Result<Reply, Problem> {
    let before = draft.space_before();
    let resolved = plan::resolve(before, request)?;
    let Admitted { pairs, left_out } = match &request.expect {
        Some(expected) if planned_at != Some(draft.sequence_before()) => {
            plan::expected(before, &resolved, draft.now(), expected)?
        }
        _ => plan::admitted(before, before, &resolved, draft.now())?,
    };
    let made = pairs.iter().map(|pair| {
        let created = DeploymentCreated {
            id: DeploymentId::from_bytes(draft.fresh.bytes()),
            project: resolved.project.id,
            subject: Subject::Release(resolved.release.id),
            environment: pair.environment,
            tenant: pair.tenant,
            only_targets: resolved.only_targets.clone(),
            excluded_targets: resolved.excluded_targets.clone(),
            skipped_steps: resolved.skipped_steps.clone(),
        };
        let id = created.id;
        draft.emit(DeploymentEvent::Created { deployment: created });
        id
    });
    let made = made.collect();
    let left_out: Vec<_> = left_out
        .into_iter()
        .filter_map(|(pair, refusals)| {
            let rules = refusals.iter().map(|refusal| refusal.rule).collect();
            Some(LeftOut { environment: pair.environment, tenant: pair.tenant?, rules })
        })
        .collect();
    for LeftOut { environment, tenant, rules } in left_out.clone() {
        draft.emit(DeploymentEvent::LeftOut { release: resolved.release.id, environment, tenant, rules });
    }
    Ok(Reply::Deployments { made, left_out })
}

/// Records that somebody was shown a plan, values and all (SEMANTICS 8): as it was when it was made, whatever its names
/// mean by now. Each tenant that was named stands in an event of its own.
pub(super) fn record_plan(draft: &mut Draft<'_>, printed: &Printed) -> Reply {
    let Printed { project, release, environments, tenants, digest, deployments } = printed.clone();
    for tenant in tenants.tenants {
        draft.emit(Observation::PlanNamed { release, tenant, digest: digest.clone() });
    }
    let tags = tenants.tags;
    draft.emit(Observation::PlanPrinted { project, release, environments, tags, digest, deployments });
    Reply::Done
}
