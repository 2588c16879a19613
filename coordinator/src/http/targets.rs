//! Targets: what they are granted, what they say, what comes of it; and the operators' switches.

use axum::Json;
use windlass_api::answers::{AheadView, Done, Page, ScopeParticipation, ScopeView, TargetItem, TargetView};
use windlass_api::query::QueryText;
use windlass_api::requests::GrantText;
use windlass_coordinator_core::decide::{SpaceCommand, TargetChange};
use windlass_coordinator_core::model::{Advertisement, Ahead, Target};
use windlass_coordinator_core::scope;
use windlass_coordinator_core::state::Space;

use super::caller::{Changer, Reader};
use super::extract::{Asked, Body, Named};
use super::pages::Paging;
use super::presence::Presence;
use super::refusal::Answer;
use super::{display, documents};

/// The targets, in the order of their names.
#[utoipa::path(get, path = "/targets", tag = "targets", params(Paging),
    responses((status = 200, body = Page<TargetItem>)))]
pub async fn list(caller: Reader, Asked(paging): Asked<Paging>) -> Answer<Page<TargetItem>> {
    let sight = caller.sight()?;
    let space = sight.space();
    let presence = caller.context.presence.as_ref();
    Ok(Json(paging.page_by_name(&space.targets, |target| item(space, presence, target))?))
}

/// A target: granted, advertised and effective scope, over-claims, presence.
#[utoipa::path(get, path = "/targets/{name}", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn view(caller: Reader, Named(name): Named<String>) -> Answer<TargetView> {
    let sight = caller.sight()?;
    let space = sight.space();
    Ok(Json(view_of(space, caller.context.presence.as_ref(), space.targets.find(&name)?)))
}

/// Sets what a target is granted.
#[utoipa::path(put, path = "/targets/{name}/grant", tag = "targets", request_body = GrantText,
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn grant(
    caller: Changer,
    Named(name): Named<String>,
    Body(grant): Body<GrantText>,
) -> Answer<TargetView> {
    change_and_view(caller, name, TargetChange::Grant(grant)).await
}

/// Lets a target take part.
#[utoipa::path(post, path = "/targets/{name}/enable", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn enable(caller: Changer, Named(name): Named<String>) -> Answer<TargetView> {
    change_and_view(caller, name, TargetChange::Enable).await
}

/// Does not let a target take part any more, and ends its session.
#[utoipa::path(post, path = "/targets/{name}/disable", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn disable(caller: Changer, Named(name): Named<String>) -> Answer<TargetView> {
    change_and_view(caller, name, TargetChange::Disable).await
}

/// Revokes a target's key, and ends its session. Only a new enrolment brings it back.
#[utoipa::path(post, path = "/targets/{name}/revoke", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn revoke(caller: Changer, Named(name): Named<String>) -> Answer<TargetView> {
    change_and_view(caller, name, TargetChange::Revoke).await
}

/// Lets a target take part again whose agent has seen later work than the journal knows. What is given from then on is of a
/// new epoch, so that the agent takes it.
#[utoipa::path(post, path = "/targets/{name}/confirm", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = TargetView)))]
pub async fn confirm(caller: Changer, Named(name): Named<String>) -> Answer<TargetView> {
    change_and_view(caller, name, TargetChange::Confirm).await
}

/// Deletes a target.
#[utoipa::path(delete, path = "/targets/{name}", tag = "targets",
    params(("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = Done)))]
pub async fn delete(caller: Changer, Named(target): Named<String>) -> Answer<Done> {
    let command = SpaceCommand::ChangeTarget { target, change: TargetChange::Delete };
    caller.submit_in_space(command, None).await?;
    Ok(Json(Done {}))
}

async fn change_and_view(caller: Changer, name: String, change: TargetChange) -> Answer<TargetView> {
    // The id, because the name may be another one's by the time of the answer.
    let id = caller.sight()?.space().targets.find(&name)?.id.to_string();
    let command = SpaceCommand::ChangeTarget { target: id.clone(), change };
    caller.submit_in_space(command, None).await?;
    let sight = caller.sight()?;
    let space = sight.space();
    Ok(Json(view_of(space, caller.context.presence.as_ref(), space.targets.find(&id)?)))
}

fn item(space: &Space, presence: &dyn Presence, target: &Target) -> TargetItem {
    TargetItem {
        id: target.id.to_string(),
        slug: target.slug.to_string(),
        name: target.name.to_string(),
        enabled: target.enabled,
        revoked: target.revoked,
        held: target.is_held(),
        online: !target.is_only_remembered() && presence.online(target.id),
        roles: scope::roles(target).iter().cloned().collect(),
        environments: display::environments(space, &scope::environments(&space.environments, target)),
        over_claims: scope::over_claims(space, target).next().is_some(),
    }
}

fn view_of(space: &Space, presence: &dyn Presence, target: &Target) -> TargetView {
    let (granted, advertised) = (&target.granted, &target.advertised);
    let participation = |of| Some(display::participation(of));
    let item = item(space, presence, target);
    let said_tenants = said_tenants(advertised);
    let effective = ScopeView {
        roles: Some(item.roles.clone()),
        environments: Some(item.environments.clone()),
        tenants: said_tenants.clone().or_else(|| Some(documents::query_text(space, &granted.tenants))),
        participation: Some(
            scope::participation(target).map_or(ScopeParticipation::None, display::participation),
        ),
    };
    let mut tenants: Vec<_> = scope::tenants(space, target).map(|tenant| tenant.name.to_string()).collect();
    tenants.sort();
    TargetView {
        item,
        granted: ScopeView {
            roles: Some(granted.roles.iter().cloned().collect()),
            environments: Some(display::environments(space, &granted.environments)),
            tenants: Some(documents::query_text(space, &granted.tenants)),
            participation: participation(granted.participation),
        },
        advertised: ScopeView {
            roles: advertised.roles.as_ref().map(|roles| roles.iter().cloned().collect()),
            environments: advertised.environments.as_ref().map(|said| owned(said.iter())),
            tenants: said_tenants,
            participation: advertised.participation.and_then(participation),
        },
        effective,
        tenants,
        claims: scope::over_claims(space, target).collect(),
        isolation: display::isolation(advertised.isolation),
        agent_version: advertised.agent_version.clone(),
        last_seen: Some(target.id)
            .filter(|_| !target.is_only_remembered())
            .and_then(|id| presence.last_seen(id))
            .map(display::time),
        certificate_expires: display::time(target.key.certificate_expires),
        public_key: target.key.public_key.to_string(),
        ahead: target.ahead.map(|Ahead { generation, confirmed }| AheadView {
            epoch: generation.epoch,
            sequence: generation.sequence,
            confirmed,
        }),
    }
}

/// The tenants and tags of an agent's configuration, as it wrote them.
fn said_tenants(said: &Advertisement) -> Option<QueryText> {
    let (tenants, tags) = (said.tenants.as_ref(), said.tenant_tags.as_ref());
    (tenants.is_some() || tags.is_some()).then(|| QueryText {
        tenants: tenants.map(|said| owned(said.iter())).unwrap_or_default(),
        tags: tags.map(|said| owned(said.iter())).unwrap_or_default(),
        ..QueryText::default()
    })
}

fn owned<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}
