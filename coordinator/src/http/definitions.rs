//! What documents define, by kind: list, view, delete.

use std::sync::Arc;

use axum::Json;
use windlass_api::answers::{DefinitionItem, DefinitionKind, DefinitionView, Done, Page, ProjectReleases};
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::{Catalogue, Named as HasName};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::KeyId;

use super::caller::{Changer, Reader};
use super::documents;
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
    let space = sight.space();
    let Page { items, next } = heads(space, &kind, &paging)?;
    let items = items.into_iter().map(|Head { id, slug, name }| {
        let summary = summary(space, &documents::one(space, &kind, &id)?);
        Ok(DefinitionItem { kind: kind.clone(), id, slug, name, summary })
    });
    Ok(Json(Page { items: items.collect::<Result<_, Problem>>()?, next }))
}

/// A thing, with the document that `apply` reads.
#[utoipa::path(get, path = "/definitions/{kind}/{name}", tag = "documents",
    params(("kind" = DefinitionKind, Path, description = "As documents write it."),
        ("name" = String, Path, description = "Id, slug or name.")),
    responses((status = 200, body = DefinitionView)))]
pub async fn view(caller: Reader, Named((kind, name)): Named<(String, String)>) -> Answer<DefinitionView> {
    let sight = caller.sight()?;
    let document = documents::one(sight.space(), &kind, &name)?;
    let Head { id, slug, name } = head(sight.space(), &kind, &name)?;
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
    let vault = Arc::clone(&caller.context.vault);
    let destroyed = tokio::task::spawn_blocking(move || vault.destroy(key)).await;
    let destroyed = destroyed.map_err(|why| Refusal::internal("destroying a key", &why))?;
    destroyed.map_err(|why| {
        tracing::error!(%key, %why, "the file of a destroyed key is still there; it is tried again");
        let text = "the tenant is deleted, but the file of its key is still there; the coordinator tries \
                    again to remove it, and its log tells why it could not";
        Problem::failed(text).into()
    })
}

fn heads(space: &Space, kind: &str, paging: &Paging) -> Result<Page<Head>, Problem> {
    match kind {
        "environment" => heads_in(&space.environments, paging),
        "tag-set" => heads_in(&space.tag_sets, paging),
        "lifecycle" => heads_in(&space.lifecycles, paging),
        "library-set" => heads_in(&space.library_sets, paging),
        "project" => heads_in(&space.projects, paging),
        "tenant" => heads_in(&space.tenants, paging),
        other => Err(documents::no_such_kind(other)),
    }
}

/// A part of a catalogue. Documents are made of what is in it, and of nothing before or behind.
fn heads_in<T: HasName>(catalogue: &Catalogue<T>, paging: &Paging) -> Result<Page<Head>, Problem> {
    let names =
        |found: &&T| paging.admits([found.name().as_str(), found.slug().as_str(), &found.id().to_string()]);
    let found = catalogue.by_name().filter(names);
    Ok(paging.page(found.map(|found| (found.name().folded(), found)))?.map(head_of))
}

fn head_of<T: HasName>(found: &T) -> Head {
    Head { id: found.id().to_string(), slug: found.slug().to_string(), name: found.name().to_string() }
}

fn head(space: &Space, kind: &str, name: &str) -> Result<Head, Problem> {
    match kind {
        "environment" => head_in(&space.environments, name),
        "tag-set" => head_in(&space.tag_sets, name),
        "lifecycle" => head_in(&space.lifecycles, name),
        "library-set" => head_in(&space.library_sets, name),
        "project" => head_in(&space.projects, name),
        "tenant" => head_in(&space.tenants, name),
        other => Err(documents::no_such_kind(other)),
    }
}

fn head_in<T: HasName>(catalogue: &Catalogue<T>, name: &str) -> Result<Head, Problem> {
    Ok(head_of(catalogue.find(name)?))
}

/// What a table shows beside the name.
fn summary(space: &Space, document: &Document) -> String {
    match document {
        Document::Environment(found) => found.description.clone(),
        Document::TagSet(found) => {
            found.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(", ")
        }
        Document::Lifecycle(found) if found.phases.is_empty() => "one phase per environment".to_owned(),
        Document::Lifecycle(found) => {
            found.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(" → ")
        }
        Document::LibrarySet(found) => {
            format!("{} templates, {} variables", found.templates.len(), found.variables.len())
        }
        Document::Project(found) => {
            let newest = space
                .projects
                .named(&found.name)
                .and_then(|project| space.releases_of(project.id).next_back());
            let newest = newest.map_or_else(
                || "no release".to_owned(),
                |newest| format!("newest release {}", newest.version),
            );
            format!("{} steps, {newest}", found.steps.len())
        }
        Document::Tenant(found) => {
            let disabled = if found.enabled { "" } else { "disabled; " };
            let projects: Vec<_> = found.projects.keys().map(String::as_str).collect();
            format!("{disabled}{} [{}]", projects.join(", "), found.tags.join(", "))
        }
    }
}
