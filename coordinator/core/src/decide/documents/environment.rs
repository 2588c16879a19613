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
    let order = document.order.or_else(|| Some(existing.as_ref()?.order));
    let order = order.map_or_else(|| next_order(draft), Ok)?;
    let id = existing.map_or_else(|| EnvironmentId::from_bytes(draft.fresh.bytes()), |existing| existing.id);
    Ok(Environment { id, slug, name, description: document.description.clone(), order })
}

/// The place after all environments that there are.
fn next_order(draft: &Draft<'_>) -> Result<u32, Problem> {
    let Some(last) = draft.space().environments.iter().max_by_key(|environment| environment.order) else {
        return Ok(0);
    };
    last.order.checked_add(1).ok_or_else(|| {
        Problem::usage(format!(
            "no `order` comes after that of the environment `{}`, which is {}; give this one an `order`, or that one a \
             lower one",
            last.name, last.order
        ))
    })
}
