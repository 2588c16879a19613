//! Why: of a target, of a tenant, of a deployment.

use std::collections::BTreeSet;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{DeploymentStory, TargetExplained, TenantExplained};
use windlass_api::error::Problem;
use windlass_api::plan::TargetState;
use windlass_coordinator_core::matching::Question;
use windlass_coordinator_core::plan;

use super::audit::story;
use super::caller::Reader;
use super::deployments::deployment_id;
use super::extract::{Asked, Named};
use super::refusal::Answer;
use super::releases;
use crate::engine::now;

/// What a target is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AboutTarget {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The tenant; untenanted where it is left out.
    pub tenant: Option<String>,
}

/// Whether a target gets each step of a project as it stands, and why not.
#[utoipa::path(get, path = "/targets/{name}/explanation", tag = "explain",
    params(("name" = String, Path, description = "Id, slug or name."), AboutTarget),
    responses((status = 200, body = Vec<TargetExplained>)))]
pub async fn target(
    caller: Reader,
    Named(name): Named<String>,
    Asked(about): Asked<AboutTarget>,
) -> Answer<Vec<TargetExplained>> {
    let sight = caller.sight()?;
    sight.expect_named(about.tenant.is_some())?;
    let space = sight.space();
    let target = space.targets.find(&name)?;
    let project = space.projects.find(&about.project)?;
    let environment = space.environments.find(&about.environment)?.id;
    let tenant = about.tenant.as_deref().map(|name| space.tenants.find(name)).transpose()?;
    let (excluded, presence) = (BTreeSet::new(), caller.context.presence.as_ref());
    let explain = |step: &windlass_coordinator_core::model::Step| {
        let (only, excluded, roles) = (None, &excluded, &step.roles);
        let question = Question { environment, tenant, roles, only, excluded, now: now() };
        let rules = sight.target_rules(target.id, &question);
        let rule = rules.first().copied();
        TargetExplained {
            step: step.name.to_string(),
            state: if rule.is_none() { TargetState::In } else { TargetState::Out },
            rule,
            reason: rule.map(|rule| plan::target_reason(rule, space, target)),
            rules,
            waits: match rule {
                None => plan::wait_reason(target, question.now, presence.online(target.id)),
                Some(_) => None,
            },
        }
    };
    Ok(Json(project.steps.iter().map(explain).collect()))
}

/// What a tenant is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AboutTenant {
    /// The project.
    pub project: String,
    /// The release's version, or `latest`.
    pub version: String,
    /// The environment.
    pub environment: String,
}

/// Whether a release may be deployed for a tenant, and why not.
#[utoipa::path(get, path = "/tenants/{name}/explanation", tag = "explain",
    params(("name" = String, Path, description = "Id, slug or name."), AboutTenant),
    responses((status = 200, body = TenantExplained)))]
pub async fn tenant(
    caller: Reader,
    Named(name): Named<String>,
    Asked(about): Asked<AboutTenant>,
) -> Answer<TenantExplained> {
    let sight = caller.sight()?;
    let space = sight.space();
    let tenant = space.tenants.find(&name)?;
    let project = space.projects.find(&about.project)?;
    let release = releases::find(space, &about.project, &about.version)?;
    let environment = space.environments.find(&about.environment)?.id;
    let refusals = sight.judge(project, release, environment, tenant);
    Ok(Json(TenantExplained {
        allowed: refusals.is_empty(),
        rule: refusals.first().map(|refusal| refusal.rule),
        rules: refusals.iter().map(|refusal| refusal.rule).collect(),
        reasons: refusals.into_iter().map(|refusal| refusal.reason).collect(),
    }))
}

/// Events of a deployment that are told at most, the last ones.
const LINES: usize = 2000;

/// What happened in a deployment and why, from the record.
#[utoipa::path(get, path = "/deployments/{id}/explanation", tag = "explain",
    params(("id" = String, Path, description = "The deployment's id.")),
    responses((status = 200, body = DeploymentStory)))]
pub async fn deployment(caller: Reader, Named(id): Named<String>) -> Answer<DeploymentStory> {
    let id = deployment_id(&id)?;
    let (data, reads) = (caller.context.services.data.clone(), &caller.context.quotas.reads);
    let telling = caller.read_heavily(reads, "reading the journal", move |sight, wanted| {
        story::tell(&data, sight, wanted, id, LINES)
    });
    let (earlier, lines) = telling.await?;
    if lines.is_empty() {
        return Err(Problem::not_found(format!("there is no deployment `{id}`")).into());
    }
    Ok(Json(DeploymentStory { deployment: id.to_string(), earlier, lines }))
}
