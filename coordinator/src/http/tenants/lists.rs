//! Lists of tenants: whom a query includes, how many carry each tag, and what they have not filled.

use std::collections::BTreeMap;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{MissingValue, Page, TagCount, TenantItem};
use windlass_api::query::QueryText;
use windlass_coordinator_core::freeze::freeze;
use windlass_coordinator_core::model::{Project, Snapshot, Tenant};
use windlass_coordinator_core::names;
use windlass_coordinator_core::query::Match;
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::{Context, missing};
use windlass_protocol::ids::{EnvironmentId, ProjectId};

use super::super::caller::Reader;
use super::super::extract::Asked;
use super::super::pages::Paging;
use super::super::refusal::Answer;
use super::super::{display, documents};

/// Which tenants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Included {
    /// Only whom this query includes, as it is written on the command line: `Ring/Canary,tenant:Customer-2,!Ring/Pinned`.
    pub query: Option<String>,
}

/// The tenants, or those that a query includes and why, in the order of their names.
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(Included, Paging),
    responses((status = 200, body = Page<TenantItem>)))]
pub async fn list(
    caller: Reader,
    Asked(included): Asked<Included>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<TenantItem>> {
    let sight = caller.sight()?;
    let space = sight.space();
    let Some(query) = &included.query else {
        return Ok(Json(paging.page_by_name(&space.tenants, |tenant| item(space, tenant, None))?));
    };
    let found = names::included_tenants(space, &QueryText::written(query)?)?;
    let admitted = found.into_iter().filter(|(tenant, _)| {
        paging.admits([tenant.name.as_str(), tenant.slug.as_str(), &tenant.id.to_string()])
    });
    let keyed = admitted.map(|found| (found.0.name.folded(), found));
    Ok(Json(paging.page(keyed, |(tenant, why)| item(space, tenant, Some(why)))?))
}

fn item(space: &Space, tenant: &Tenant, why: Option<Match>) -> TenantItem {
    let mut projects: Vec<_> = tenant.projects.keys().map(|id| display::name(&space.projects, *id)).collect();
    projects.sort();
    TenantItem {
        id: tenant.id.to_string(),
        slug: tenant.slug.to_string(),
        name: tenant.name.to_string(),
        enabled: tenant.enabled,
        tags: documents::tag_texts(space, tenant.tags.iter()),
        projects,
        named: why.map(|why| why == Match::Name),
    }
}

/// What is counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Counted {
    /// The tag set.
    pub by: String,
}

/// How many tenants carry each tag of a set, in the set's order.
#[utoipa::path(get, path = "/tenant-counts", tag = "tenants", params(Counted),
    responses((status = 200, body = Vec<TagCount>)))]
pub async fn counts(caller: Reader, Asked(counted): Asked<Counted>) -> Answer<Vec<TagCount>> {
    let reads = &caller.context.quotas.reads;
    let counting = caller.read_heavily(reads, "counting tenants", move |sight, _| {
        let space = sight.space();
        let set = space.tag_sets.find(&counted.by)?;
        let counts = set.tags.iter().map(|tag| count(Some(tag.name.to_string()), space.carriers(tag.id)));
        let carries = |tenant: &&Tenant| set.tags.iter().all(|tag| !tenant.tags.contains(&tag.id));
        let without = count(None, space.tenants.iter().filter(carries));
        Ok(counts.chain([without]).collect())
    });
    Ok(Json(counting.await?))
}

fn count<'a>(tag: Option<String>, tenants: impl Iterator<Item = &'a Tenant>) -> TagCount {
    let mut count = TagCount { tag, tenants: 0, disabled: 0 };
    for tenant in tenants {
        count.tenants += 1;
        count.disabled += usize::from(!tenant.enabled);
    }
    count
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
        let mut snapshots = BTreeMap::new();
        let values = tenants.flat_map(|tenant| missing_of(space, tenant, &mut snapshots));
        let admitted = values.filter(|value| paging.admits([value.tenant.as_str(), &value.variable]));
        let keyed = admitted.enumerate().map(|(index, value)| (format!("{index:08}"), value));
        paging.page(keyed, |value| value)
    });
    Ok(Json(listing.await?))
}

fn missing_of(
    space: &Space,
    tenant: &Tenant,
    snapshots: &mut BTreeMap<ProjectId, Snapshot>,
) -> Vec<MissingValue> {
    let mut found = Vec::new();
    for (project, environments) in &tenant.projects {
        let Some(project) = space.projects.get(*project) else { continue };
        let snapshot = snapshots.entry(project.id).or_insert_with(|| freeze(space, project));
        for environment in environments {
            let context = Context::of(snapshot, *environment, Some(tenant));
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
