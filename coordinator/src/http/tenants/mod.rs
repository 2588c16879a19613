//! Tenants beyond their documents: making them, changes of one or of many, and lists.

mod lists;

use axum::Json;
use windlass_api::answers::ApplyAnswer;
use windlass_api::documents::{Document, TenantDocument, ValueText};
use windlass_api::error::Problem;
use windlass_api::requests::{ApplyRequest, PlacedDocument, TenantRequest, TenantsChange};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::state::Space;

use super::caller::Changer;
use super::extract::Body;
use super::refusal::Answer;
use super::{apply, documents};

pub use lists::{__path_counts, __path_list, __path_missing_values, counts, list, missing_values};

/// Makes a tenant.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = TenantRequest,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn create(mut caller: Changer, Body(request): Body<TenantRequest>) -> Answer<ApplyAnswer> {
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    if let Some(reply) = caller.asks("tenant", &request)? {
        return Ok(Json(apply::applied(reply, Vec::new())?));
    }
    let (tenant, unfilled) = {
        let sight = caller.sight()?;
        if sight.space().tenants.named(&request.name).is_some() {
            return Err(Problem::conflict(format!("there is a tenant `{}` already", request.name)).into());
        }
        new(sight.space(), request)?
    };
    let document = PlacedDocument { place: String::new(), document: Document::Tenant(tenant) };
    let request = ApplyRequest { documents: vec![document], ..ApplyRequest::default() };
    let mut answer = apply::apply_locked(&caller, request).await?;
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
    }
    (tenant.name, tenant.slug, tenant.enabled) = (name, None, true);
    tenant.tags.extend(tags);
    for (project, environments) in connect {
        let project = space.projects.find(&project)?.name.to_string();
        tenant.projects.entry(project).or_default().extend(environments);
    }
    Ok((tenant, unfilled))
}

/// Changes tenants, all or nothing, or only says what would change.
#[utoipa::path(patch, path = "/tenants", tag = "tenants", request_body = TenantsChange,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn change(caller: Changer, Body(request): Body<TenantsChange>) -> Answer<ApplyAnswer> {
    let TenantsChange { tenants, change, dry_run } = request;
    let command = SpaceCommand::ChangeTenants { tenants, change };
    let reply = match dry_run {
        true => caller.rehearse_in_space(command).await?,
        false => caller.submit_in_space(command, None).await?,
    };
    Ok(Json(apply::applied(reply, Vec::new())?))
}
