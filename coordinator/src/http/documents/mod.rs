//! From the state back to documents: exactly what `apply` reads, so that applying it again changes nothing.

mod project;
mod query;
mod tenant;
mod variables;

use windlass_api::documents::{
    Document, EnvironmentDocument, LibrarySetDocument, LifecycleDocument, PhaseText, TagSelection,
    TagSetDocument, TagText,
};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::model::{Environment, LibrarySet, Lifecycle, PhaseRule, TagSet};
use windlass_coordinator_core::state::Space;

pub use query::query_text;
pub use tenant::{tag_texts, tenant_document};

use super::words;

/// Every document of a space, or those of one kind, each after those that it refers to.
pub fn export(space: &Space, kind: Option<&str>) -> Result<Vec<Document>, Problem> {
    if let Some(kind) = kind {
        return of_kind(space, kind);
    }
    let all = Document::KINDS.into_iter().map(|kind| of_kind(space, kind));
    Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Every document of one kind, in the order of their names.
pub fn of_kind(space: &Space, kind: &str) -> Result<Vec<Document>, Problem> {
    Ok(match kind {
        "environment" => space.environments_in_order().into_iter().map(environment).collect(),
        "tag-set" => space.tag_sets.by_name().map(tag_set).collect(),
        "lifecycle" => space.lifecycles.by_name().map(|found| lifecycle(space, found)).collect(),
        "library-set" => space.library_sets.by_name().map(|found| library_set(space, found)).collect(),
        "project" => space.projects.by_name().map(|found| project::project(space, found)).collect(),
        "tenant" => {
            space.tenants.by_name().map(|found| Document::Tenant(tenant_document(space, found))).collect()
        }
        other => return Err(no_such_kind(other)),
    })
}

/// The document of the thing that `name` names.
pub fn one(space: &Space, kind: &str, name: &str) -> Result<Document, Problem> {
    Ok(match kind {
        "environment" => environment(space.environments.find(name)?),
        "tag-set" => tag_set(space.tag_sets.find(name)?),
        "lifecycle" => lifecycle(space, space.lifecycles.find(name)?),
        "library-set" => library_set(space, space.library_sets.find(name)?),
        "project" => project::project(space, space.projects.find(name)?),
        "tenant" => Document::Tenant(tenant_document(space, space.tenants.find(name)?)),
        other => return Err(no_such_kind(other)),
    })
}

/// The sentence for a kind that documents do not have.
pub fn no_such_kind(kind: &str) -> Problem {
    Problem::usage(unknown("kind", kind, Document::KINDS.into_iter()))
}

fn environment(found: &Environment) -> Document {
    Document::Environment(EnvironmentDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        description: found.description.clone(),
        order: Some(found.order),
    })
}

fn tag_set(found: &TagSet) -> Document {
    let tags =
        found.tags.iter().map(|tag| TagText { name: tag.name.to_string(), colour: tag.colour.clone() });
    Document::TagSet(TagSetDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        selection: if found.single { TagSelection::Single } else { TagSelection::Multi },
        tags: tags.collect(),
    })
}

fn lifecycle(space: &Space, found: &Lifecycle) -> Document {
    let phases = found.phases.iter().map(|phase| PhaseText {
        name: phase.name.clone(),
        environments: phase.environments.iter().map(|id| words::name(&space.environments, *id)).collect(),
        optional: phase.rule == PhaseRule::Optional,
        minimum: match phase.rule {
            PhaseRule::AtLeast(minimum) => Some(minimum),
            PhaseRule::All | PhaseRule::Optional => None,
        },
    });
    Document::Lifecycle(LifecycleDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        phases: phases.collect(),
    })
}

fn library_set(space: &Space, found: &LibrarySet) -> Document {
    Document::LibrarySet(LibrarySetDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        templates: variables::templates(&found.templates),
        variables: variables::variables(space, &found.variables, &[]),
    })
}
