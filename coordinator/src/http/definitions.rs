//! What documents define, by kind: list, view, delete.

use std::sync::Arc;

use axum::Json;
use windlass_api::answers::{DefinitionItem, DefinitionKind, DefinitionView, Done, Page, ProjectReleases};
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::in_kind;
use windlass_coordinator_core::kinds::Kind;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::KeyId;

use super::caller::{Changer, Reader};
use super::documents::{self, Shown};
use super::extract::{Asked, Named};
use super::pages::Paging;
use super::refusal::{Answer, Refusal};

/// Releases that a project is shown with.
const RELEASES_SHOWN: usize = 20;

/// What names a thing of a catalogue.
struct Head {
    id: String,
    slug: String,
    name: String,
}

/// The things of a kind of document, in the order of their names.
#[utoipa::path(get, path = "/definitions/{kind}", tag = "documents",
    params(("kind" = DefinitionKind, Path, description = "As documents write it."), Paging),
    responses((status = 200, body = Page<DefinitionItem>)))]
pub async fn list(
    caller: Reader,
    Named(kind): Named<String>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<DefinitionItem>> {
    let sight = caller.sight()?;
    Ok(Json(part(sight.space(), &kind, &paging)?))
}

/// A thing, with the document that `apply` reads.
#[utoipa::path(get, path = "/definitions/{kind}/{name}", tag = "documents",
    params(("kind" = DefinitionKind, Path, description = "As documents write it."),
        ("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = DefinitionView)))]
pub async fn view(caller: Reader, Named((kind, name)): Named<(String, String)>) -> Answer<DefinitionView> {
    let sight = caller.sight()?;
    let (Head { id, slug, name }, document) = find(sight.space(), &kind, &name)?;
    let releases = (kind == "project").then(|| releases(sight.space(), &id)).flatten();
    Ok(Json(DefinitionView { id, slug, name, document, releases }))
}

fn releases(space: &Space, project: &str) -> Option<ProjectReleases> {
    let project = space.projects.named(project)?;
    let versions = space.releases_of(project.id).rev().map(|release| release.version.to_string());
    Some(ProjectReleases {
        count: space.releases_of(project.id).count(),
        newest: versions.take(RELEASES_SHOWN).collect(),
    })
}

/// Deletes a thing; refused while anything refers to it. With a tenant the key of its sensitive values is destroyed.
#[utoipa::path(delete, path = "/definitions/{kind}/{name}", tag = "documents",
    params(("kind" = DefinitionKind, Path, description = "As documents write it."),
        ("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = Done)))]
pub async fn delete(caller: Changer, Named((kind, name)): Named<(String, String)>) -> Answer<Done> {
    // What is being applied is sealed with keys that are there.
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    let sight = caller.sight()?;
    let tenant = sight.space().tenants.named(&name).filter(|_| kind == "tenant");
    let key = tenant.map(|tenant| tenant.key);
    caller.submit_in_space(SpaceCommand::Delete { kind, name }, None).await?;
    if let Some(key) = key {
        destroyed(&caller, key).await?;
    }
    Ok(Json(Done {}))
}

/// Nobody is told that a key is destroyed while its file is still there.
async fn destroyed(caller: &Changer, key: KeyId) -> Result<(), Refusal> {
    // Somebody else may have given the name to another tenant meanwhile: what the journal says counts.
    if !caller.sight()?.space().destroyed_keys.contains(&key) {
        return Ok(());
    }
    let vault = Arc::clone(&caller.context.services.vault);
    let destroyed = tokio::task::spawn_blocking(move || vault.destroy(key)).await;
    let destroyed = destroyed.map_err(|why| Refusal::internal("destroying a key", &why))?;
    destroyed.map_err(|why| {
        tracing::error!(%key, %why, "the file of a destroyed key is still there; it is tried again");
        let text = "the tenant is deleted, but the file of its key is still there; the coordinator tries \
                    again to remove it, and its log tells why it could not";
        Problem::failed(text).into()
    })
}

/// The thing of a kind that a text names, and its document.
fn find(space: &Space, kind: &str, name: &str) -> Result<(Head, Document), Problem> {
    in_kind!(kind,
        Kind => {
            let found = Kind::of(space).find(name)?;
            Ok((head_of(found), found.document(space)))
        },
        other => Err(documents::no_such_kind(other)))
}

fn part(space: &Space, kind: &str, paging: &Paging) -> Result<Page<DefinitionItem>, Problem> {
    in_kind!(kind, Kind => part_of::<Kind>(space, paging), other => Err(documents::no_such_kind(other)))
}

/// A part of the things of a kind. What is shown is made of what is in it, and of nothing before or behind.
fn part_of<T: Shown>(space: &Space, paging: &Paging) -> Result<Page<DefinitionItem>, Problem> {
    paging.page_by_name(T::of(space), |found| {
        let Head { id, slug, name } = head_of(found);
        DefinitionItem { kind: T::WORD.to_owned(), id, slug, name, summary: found.summary(space) }
    })
}

fn head_of<T: Kind>(found: &T) -> Head {
    Head { id: found.id().to_string(), slug: found.slug().to_string(), name: found.name().to_string() }
}
