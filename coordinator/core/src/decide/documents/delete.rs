//! Deletion of what documents define: refused while anything refers to it, listing what does (SEMANTICS 2).

use windlass_api::documents::Document;
use windlass_api::error::Problem;

use super::super::{Draft, Reply};
use super::Documented;
use super::references::{ReferenceScope, refuse_if_used};
use crate::catalogue::unknown;
use crate::event::DefinitionEvent;

pub(in super::super) fn delete(draft: &mut Draft<'_>, kind: &str, name: &str) -> Result<Reply, Problem> {
    in_kind!(kind,
        Kind => delete_one::<Kind>(draft, name),
        other => Err(Problem::usage(unknown("kind", other, Document::KINDS.into_iter()))))
}

fn delete_one<T: Documented>(draft: &mut Draft<'_>, name: &str) -> Result<Reply, Problem> {
    let found = T::of(draft.space()).find(name)?;
    let (id, name, destroys) = (found.id(), found.name().to_string(), found.destroys());
    refuse_if_used(&format!("the {} `{name}`", T::WORD), found.users(ReferenceScope::of(draft)))?;
    draft.emit(DefinitionEvent::Deleted { definition: T::definition(id), name });
    // With a tenant goes what its sensitive values could be read with, in the journal and in every copy of it.
    if let Some((tenant, key)) = destroys {
        draft.emit(DefinitionEvent::KeyDestroyed { key, tenant });
    }
    Ok(Reply::Done)
}
