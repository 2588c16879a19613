//! Environments.

use windlass_api::documents::EnvironmentDocument;
use windlass_api::error::Problem;
use windlass_protocol::ids::EnvironmentId;

use super::super::Draft;
use super::names;
use super::references::{ReferenceScope, users_of_environment};
use super::{DefinitionContext, Documented};
use crate::model::Environment;

impl Documented for Environment {
    type Document = EnvironmentDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &EnvironmentDocument,
        _: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        users_of_environment(moment, self.id)
    }
}

fn define(draft: &mut Draft<'_>, document: &EnvironmentDocument) -> Result<Environment, Problem> {
    let (name, slug) = names::named(&document.name, document.slug.as_deref())?;
    let existing = draft.space().environments.called(&document.name).cloned();
    let last = draft.space().environments.iter().map(|environment| environment.order).max();
    let next = last.map_or(0, |last| last + 1);
    let order = document.order.unwrap_or_else(|| existing.as_ref().map_or(next, |existing| existing.order));
    let id = existing.map_or_else(|| EnvironmentId::from_bytes(draft.fresh.bytes()), |existing| existing.id);
    Ok(Environment { id, slug, name, description: document.description.clone(), order })
}
