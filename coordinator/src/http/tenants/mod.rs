//! Tenants beyond their documents: making them, small edits of one or of many, and lists.

mod lists;

use axum::Json;
use windlass_api::answers::ApplyAnswer;
use windlass_api::documents::{TenantDocument, ValueText};
use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_api::requests::{TenantChange, TenantRequest, TenantsChange};
use windlass_coordinator_core::decide::{Reply, SpaceCommand};
use windlass_coordinator_core::state::Space;

use super::caller::Changer;
use super::extract::{Body, Named};
use super::refusal::{Answer, Refusal};
use super::{apply, documents};

pub use lists::{__path_counts, __path_list, __path_missing_values, counts, list, missing_values};

/// Makes a tenant.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = TenantRequest,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn create(mut caller: Changer, Body(request): Body<TenantRequest>) -> Answer<ApplyAnswer> {
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    if let Some(Reply::Applied(changes)) = caller.asks("tenant", &request)? {
        return Ok(Json(ApplyAnswer { changes, warnings: Vec::new() }));
    }
    if caller.sight()?.space().tenants.named(&request.name).is_some() {
        return Err(Problem::conflict(format!("there is a tenant `{}` already", request.name)).into());
    }
    let (tenant, unfilled) = new(caller.sight()?.space(), request)?;
    let mut answer = apply::apply_tenant(&caller, tenant).await?;
    answer.warnings.extend(unfilled);
    Ok(Json(answer))
}

/// The document of a tenant that is made, and what is still to be filled of one that is made like another. A customer's
/// secrets are that customer's alone.
fn new(space: &Space, request: TenantRequest) -> Result<(TenantDocument, Vec<String>), Problem> {
    let TenantRequest { name, like, tags, connect } = request;
    let mut unfilled = Vec::new();
    let mut tenant = match &like {
        Some(other) => documents::tenant_document(space, space.tenants.find(other)?),
        None => TenantDocument::named(String::new()),
    };
    for (owner, values) in &mut tenant.values {
        let mut keep = |name: &String, value: &mut ValueText| {
            let plain = !matches!(value, ValueText::Unchanged);
            if !plain {
                unfilled.push(format!("`{owner}`: `{name}` is sensitive and was not copied; fill it"));
            }
            plain
        };
        values.values.retain(&mut keep);
        values.environments.values_mut().for_each(|values| values.retain(&mut keep));
        values.environments.retain(|_, values| !values.is_empty());
    }
    tenant.values.retain(|_, values| !values.values.is_empty() || !values.environments.is_empty());
    (tenant.name, tenant.slug, tenant.enabled) = (name, None, true);
    tenant.tags.extend(tags);
    for (project, environments) in connect {
        let project = space.projects.find(&project)?.name.to_string();
        tenant.projects.entry(project).or_default().extend(environments);
    }
    Ok((tenant, unfilled))
}

/// Changes a tenant: switch, connections, tags. What is left out stays as it is.
#[utoipa::path(patch, path = "/tenants/{name}", tag = "tenants", request_body = TenantChange,
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = ApplyAnswer)))]
pub async fn change(
    caller: Changer,
    Named(name): Named<String>,
    Body(change): Body<TenantChange>,
) -> Answer<ApplyAnswer> {
    let tenants = QueryText { tenants: vec![name], ..QueryText::default() };
    Ok(Json(changed(&caller, TenantsChange { tenants, change, dry_run: false }).await?))
}

/// Changes many tenants, all or nothing, or only says what would change.
#[utoipa::path(patch, path = "/tenants", tag = "tenants", request_body = TenantsChange,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn change_many(caller: Changer, Body(request): Body<TenantsChange>) -> Answer<ApplyAnswer> {
    Ok(Json(changed(&caller, request).await?))
}

async fn changed(caller: &Changer, request: TenantsChange) -> Result<ApplyAnswer, Refusal> {
    let TenantsChange { tenants, change, dry_run } = request;
    let command = SpaceCommand::ChangeTenants { tenants, change };
    let reply = match dry_run {
        true => caller.rehearse_in_space(command).await?,
        false => caller.submit_in_space(command, None).await?,
    };
    match reply {
        Reply::Applied(changes) => Ok(ApplyAnswer { changes, warnings: Vec::new() }),
        _ => Err(Refusal::internal("changing tenants", &"the decision has another answer")),
    }
}
