//! Library sets.

use windlass_api::documents::LibrarySetDocument;
use windlass_api::error::Problem;
use windlass_protocol::ids::LibrarySetId;

use super::super::Draft;
use super::names;
use super::references::{ReferenceScope, users_of_library_set};
use super::variables::{self, Scopes};
use super::{DefinitionContext, Documented};
use crate::model::LibrarySet;
use crate::names::{PendingTenants, StepNames};

impl Documented for LibrarySet {
    type Document = LibrarySetDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &LibrarySetDocument,
        _: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        users_of_library_set(moment.space(), self.id)
    }
}

fn define(draft: &mut Draft<'_>, document: &LibrarySetDocument) -> Result<LibrarySet, Problem> {
    let (name, slug) = names::named(&document.name, document.slug.as_deref())?;
    let existing = draft.space().library_sets.called(&document.name).cloned();
    let old = existing.as_ref();
    let old_templates = old.map(|set| (set.templates.as_slice(), set.retired.as_slice())).unwrap_or_default();
    let (templates, retired) = variables::templates(draft, &document.templates, old_templates)?;
    let scopes =
        Scopes { steps: StepNames::default(), of_project: false, pending: &PendingTenants::default() };
    let old_variables = old.map(|set| set.variables.as_slice()).unwrap_or_default();
    let variables = variables::variables(draft, &document.variables, old_variables, &scopes)?;
    let id = old.map(|set| set.id);
    let id = id.unwrap_or_else(|| LibrarySetId::from_bytes(draft.fresh.bytes()));
    Ok(LibrarySet { id, slug, name, templates, retired, variables })
}
