//! Deploying: the plan first, then the deployments.

use axum::Json;
use windlass_api::answers::{DeploymentsMade, Done};
use windlass_api::plan::{LeftOut, Plan};
use windlass_api::requests::{DeployRequest, ReasonRequest};
use windlass_coordinator_core::decide::{Reply, SpaceCommand};
use windlass_coordinator_core::event::Stream;
use windlass_coordinator_core::plan::{self, Printed};
use windlass_coordinator_core::reasons;

use super::caller::{Changer, Reader};
use super::deployments::{deployment_id, item};
use super::display;
use super::extract::{Body, Named};
use super::refusal::{Answer, Refusal};
use crate::engine::now;

/// What a request to deploy would do, without doing it: who gets what, who does not and why. That it was looked at is
/// recorded, for a plan shows values.
#[utoipa::path(post, path = "/plans", tag = "deployments", request_body = DeployRequest,
    responses((status = 200, body = Plan)))]
pub async fn plan(caller: Reader, Body(request): Body<DeployRequest>) -> Answer<Plan> {
    caller.context.plans.keep(caller.token()).await?;
    let presence = std::sync::Arc::clone(&caller.context.presence);
    let planned = caller.read_heavily(&caller.context.quotas.short, "planning", move |sight, wanted| {
        let online = |target| presence.online(target);
        let plan = plan::plan_in_sight(sight, &request, now(), &online, &|| wanted.expect())?;
        let printed = Printed::new(sight.space(), &request, &plan)?;
        Ok((plan, printed))
    });
    let (plan, printed) = planned.await?;
    caller.observe(SpaceCommand::RecordPlan(printed)).await?;
    Ok(Json(plan))
}

/// Deploys a release: one deployment for each environment and tenant, all or none.
#[utoipa::path(post, path = "/deployments", tag = "deployments", request_body = DeployRequest,
    responses((status = 200, body = DeploymentsMade)))]
pub async fn deploy(caller: Changer, Body(request): Body<DeployRequest>) -> Answer<DeploymentsMade> {
    let reason = request.reason.clone();
    let command = match expected(&caller, &request).await? {
        Some(at) => SpaceCommand::DeployPlanned(request, at),
        None => SpaceCommand::Deploy(request),
    };
    let Reply::Deployments { made, left_out } = caller.submit_in_space(command, reason).await? else {
        return Err(Refusal::internal("deploying", &"the decision has another answer"));
    };
    let sight = caller.sight()?;
    let space = sight.space();
    let deployments = made.iter().filter_map(|id| space.deployments.get(id)).map(|found| item(space, found));
    let left_out = left_out.into_iter().filter_map(|left| {
        let rule = *left.rules.first()?;
        let environment = display::name(&space.environments, left.environment);
        let tenant = Some(display::name(&space.tenants, left.tenant));
        Some(LeftOut {
            environment,
            tenant,
            rule,
            reason: reasons::tenant_rule(rule).to_owned(),
            rules: left.rules,
        })
    });
    Ok(Json(DeploymentsMade { deployments: deployments.collect(), left_out: left_out.collect() }))
}

/// Refuses what expects another plan, beside the engine, which decides for everybody. Where the plan is the expected one, it
/// tells at which number of the space's stream: the engine looks again if that has gone on. What cannot be planned it
/// refuses in its own words.
async fn expected(caller: &Changer, request: &DeployRequest) -> Result<Option<u64>, Refusal> {
    let Some(expected) = &request.expect else { return Ok(None) };
    // A repetition gets the answer that it had the first time, whatever the plan is by now.
    if caller.repeats_in_space(SpaceCommand::Deploy(request.clone()))? {
        return Ok(None);
    }
    let asked = request.clone();
    let planning = caller.read_heavily(&caller.context.quotas.short, "planning", move |sight, wanted| {
        let digest = plan::digest_in_sight(sight, &asked, now(), &|| wanted.expect()).ok();
        let at = sight.expect_whole().map(|state| state.sequence(Stream::Space(sight.space_id())));
        Ok((digest, at.ok()))
    });
    let (Some(digest), at) = planning.await? else { return Ok(None) };
    plan::refuse_another(&digest, expected)?;
    Ok(at)
}

/// Cancels a deployment that is not over: what runs is stopped.
#[utoipa::path(post, path = "/deployments/{id}/cancel", tag = "deployments", request_body = ReasonRequest,
    params(("id" = String, Path, description = "The deployment's id.")),
    responses((status = 200, body = Done)))]
pub async fn cancel(
    caller: Changer,
    Named(id): Named<String>,
    Body(request): Body<ReasonRequest>,
) -> Answer<Done> {
    caller.submit_in_space(SpaceCommand::Cancel(deployment_id(&id)?), request.reason).await?;
    Ok(Json(Done {}))
}
