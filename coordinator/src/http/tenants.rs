//! Tenants beyond their documents: small edits, and what they have not filled.

use std::collections::BTreeMap;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{ApplyAnswer, MissingValue, Page};
use windlass_api::documents::TenantDocument;
use windlass_api::error::Problem;
use windlass_api::requests::{TenantChange, TenantRequest};
use windlass_coordinator_core::decide::Reply;
use windlass_coordinator_core::freeze::freeze;
use windlass_coordinator_core::model::{Project, Tenant};
use windlass_coordinator_core::names;
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::{Context, missing};
use windlass_protocol::ids::EnvironmentId;

use super::caller::{Changer, Reader};
use super::extract::{Asked, Body, Named};
use super::pages::Paging;
use super::refusal::Answer;
use super::{apply, display, documents};

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
    let tenant = TenantDocument {
        name: request.name,
        slug: None,
        enabled: true,
        tags: request.tags,
        projects: request.connect,
        values: BTreeMap::new(),
    };
    Ok(Json(apply::apply_tenant(&caller, tenant).await?))
}

/// Changes a tenant: switch, connections, tags. What is left out stays as it is.
#[utoipa::path(patch, path = "/tenants/{name}", tag = "tenants", request_body = TenantChange,
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = ApplyAnswer)))]
pub async fn change(
    mut caller: Changer,
    Named(name): Named<String>,
    Body(change): Body<TenantChange>,
) -> Answer<ApplyAnswer> {
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    if let Some(Reply::Applied(changes)) = caller.asks("tenant-change", &(&name, &change))? {
        return Ok(Json(ApplyAnswer { changes, warnings: Vec::new() }));
    }
    let document = {
        let sight = caller.sight()?;
        let space = sight.space();
        changed(space, space.tenants.find(&name)?, &change)?
    };
    Ok(Json(apply::apply_tenant(&caller, document).await?))
}

/// The tenant's document with the change made. Names of every spelling are looked up, so that no edit is lost because
/// somebody wrote a slug.
fn changed(space: &Space, tenant: &Tenant, change: &TenantChange) -> Result<TenantDocument, Problem> {
    let mut document = documents::tenant_document(space, tenant);
    document.enabled = change.enabled.unwrap_or(document.enabled);
    for (project, environments) in &change.connect {
        let project = space.projects.find(project)?.name.to_string();
        let connected = document.projects.entry(project).or_default();
        for name in environments {
            let name = space.environments.find(name)?.name.to_string();
            if !connected.contains(&name) {
                connected.push(name);
            }
        }
    }
    for (project, environments) in &change.disconnect {
        let project = space.projects.find(project)?.name.to_string();
        let connected = document.projects.get_mut(&project).ok_or_else(|| {
            Problem::conflict(format!("the tenant `{}` is not connected to `{project}`", tenant.name))
        })?;
        for name in environments {
            let name = space.environments.find(name)?.name.to_string();
            let before = connected.len();
            connected.retain(|connected| *connected != name);
            if connected.len() == before {
                let tenant = &tenant.name;
                let text = format!("the tenant `{tenant}` is not connected to `{name}` of `{project}`");
                return Err(Problem::conflict(text));
            }
        }
        if environments.is_empty() || connected.is_empty() {
            document.projects.remove(&project);
        }
    }
    let mut tags = tenant.tags.clone();
    for text in &change.remove_tags {
        let (_, tag) = names::tag(space, text)?;
        if !tags.remove(&tag) {
            return Err(Problem::conflict(format!("the tenant `{}` does not carry `{text}`", tenant.name)));
        }
    }
    for text in &change.add_tags {
        tags.insert(names::tag(space, text)?.1);
    }
    document.tags = documents::tag_texts(space, tags.iter());
    Ok(document)
}

/// Whose values are missing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// Only this tenant; all where it is left out.
    pub tenant: Option<String>,
}

/// Values that tenants have not filled and that nothing else gives, in the projects and environments that they are
/// connected to, by the projects as they stand.
#[utoipa::path(get, path = "/missing-values", tag = "tenants", params(Whose, Paging),
    responses((status = 200, body = Page<MissingValue>)))]
pub async fn missing_values(
    caller: Reader,
    Asked(whose): Asked<Whose>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<MissingValue>> {
    let reads = &caller.context.quotas.reads;
    let listing = caller.read_heavily(reads, "looking for missing values", move |sight, wanted| {
        let space = sight.space();
        let tenants: Vec<&Tenant> = match &whose.tenant {
            Some(name) => vec![space.tenants.find(name)?],
            None => space.tenants.by_name().collect(),
        };
        let tenants = tenants.into_iter().take_while(|_| wanted.holds());
        let values = tenants.flat_map(|tenant| missing_of(space, tenant));
        let admitted = values.filter(|value| paging.admits([value.tenant.as_str(), &value.variable]));
        let keyed = admitted.enumerate().map(|(index, value)| (format!("{index:08}"), value));
        paging.page(keyed, |value| value)
    });
    Ok(Json(listing.await?))
}

fn missing_of(space: &Space, tenant: &Tenant) -> Vec<MissingValue> {
    let mut found = Vec::new();
    for (project, environments) in &tenant.projects {
        let Some(project) = space.projects.get(*project) else { continue };
        let snapshot = freeze(space, project);
        for environment in environments {
            let context = Context::of(&snapshot, *environment, Some(tenant));
            let missing = missing(&context).into_iter();
            found.extend(missing.map(|variable| value(space, tenant, project, *environment, variable)));
        }
    }
    found
}

fn value(
    space: &Space,
    tenant: &Tenant,
    project: &Project,
    environment: EnvironmentId,
    variable: String,
) -> MissingValue {
    MissingValue {
        tenant: tenant.name.to_string(),
        project: project.name.to_string(),
        environment: display::name(&space.environments, environment),
        variable,
    }
}
