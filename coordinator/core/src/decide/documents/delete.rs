//! Deletion of what documents define: refused while anything refers to it, listing what does (SEMANTICS 2).

use windlass_api::documents::Document;
use windlass_api::error::Problem;

use super::super::{Draft, Reply};
use super::references::{
    Moment, refuse_if_used, users_of_environment, users_of_library_set, users_of_lifecycle, users_of_project,
    users_of_tag, users_of_tenant,
};
use crate::catalogue::unknown;
use crate::event::{DefinitionEvent, DefinitionId};

pub(in super::super) fn delete(draft: &mut Draft<'_>, kind: &str, name: &str) -> Result<Reply, Problem> {
    let (space, moment) = (draft.space(), Moment::of(draft));
    let mut key = None;
    let (definition, name, users) = match kind {
        "environment" => {
            let found = space.environments.find(name)?;
            (DefinitionId::Environment(found.id), &found.name, users_of_environment(moment, found.id))
        }
        "tag-set" => {
            let found = space.tag_sets.find(name)?;
            let users = found.tags.iter().flat_map(|tag| users_of_tag(moment, tag.id)).collect();
            (DefinitionId::TagSet(found.id), &found.name, users)
        }
        "lifecycle" => {
            let found = space.lifecycles.find(name)?;
            (DefinitionId::Lifecycle(found.id), &found.name, users_of_lifecycle(space, found.id))
        }
        "library-set" => {
            let found = space.library_sets.find(name)?;
            (DefinitionId::LibrarySet(found.id), &found.name, users_of_library_set(space, found.id))
        }
        "project" => {
            let found = space.projects.find(name)?;
            (DefinitionId::Project(found.id), &found.name, users_of_project(space, found.id))
        }
        "tenant" => {
            let found = space.tenants.find(name)?;
            key = Some((found.id, found.key));
            (DefinitionId::Tenant(found.id), &found.name, users_of_tenant(moment, found.id))
        }
        other => return Err(Problem::usage(unknown("kind", other, Document::KINDS.into_iter()))),
    };
    let name = name.to_string();
    refuse_if_used(&format!("the {kind} `{name}`"), users)?;
    draft.emit(DefinitionEvent::Deleted { definition, name });
    // With a tenant goes what its sensitive values could be read with, in the journal and in every copy of it.
    if let Some((tenant, key)) = key {
        draft.emit(DefinitionEvent::KeyDestroyed { key, tenant });
    }
    Ok(Reply::Done)
}
