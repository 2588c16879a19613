//! Templates that ask for something else than before: what tenants have for them has to fit still.
//!
//! A plain value of what is now sensitive would be shown in clear (SEMANTICS 6), and another `select` offers what nobody
//! has. It is judged when everything at hand is defined, so that one apply may change a template and the values.

use windlass_api::documents::{Control, Document};
use windlass_api::error::Problem;

use super::super::Draft;
use super::tenant::Values;
use super::variables::check_control;
use crate::model::{RetiredTemplate, Template};
use crate::names::listed;
use crate::state::Space;

/// The templates of an owner: those that tenants fill, and those that it no longer has.
type Owned<'a> = (&'a [Template], &'a [RetiredTemplate]);

/// Refuses what a document makes of templates where values of tenants do not fit it, naming the tenants.
pub(super) fn refuse_unfit(draft: &Draft<'_>, document: &Document) -> Result<(), Problem> {
    let (before, after) = (draft.space_before(), draft.space());
    let (before, after) = match document {
        Document::Project(document) => {
            let Some(now) = after.projects.called(&document.name) else { return Ok(()) };
            let before = before.projects.get(now.id);
            (before.map(|owner| (owner.templates.as_slice(), owner.retired.as_slice())), &now.templates)
        }
        Document::LibrarySet(document) => {
            let Some(now) = after.library_sets.called(&document.name) else { return Ok(()) };
            let before = before.library_sets.get(now.id);
            (before.map(|owner| (owner.templates.as_slice(), owner.retired.as_slice())), &now.templates)
        }
        _ => return Ok(()),
    };
    let Some(before) = before else { return Ok(()) };
    after
        .iter()
        .filter(|template| asks_anew(before, template))
        .try_for_each(|template| fits(draft.space(), template))
}

/// Whether tenants may have values for a template that were given for another control. What a retired one asked for is
/// not known any more.
fn asks_anew((templates, retired): Owned<'_>, now: &Template) -> bool {
    match templates.iter().find(|template| template.id == now.id) {
        Some(before) => (before.control, &before.options) != (now.control, &now.options),
        None => retired.iter().any(|template| template.id == now.id),
    }
}

fn fits(space: &Space, template: &Template) -> Result<(), Problem> {
    let has_unfit = |values: &Values| {
        let mut of_template = values.iter().filter(|((id, _), _)| *id == template.id);
        of_template.any(|(_, value)| check_control(template.control, &template.options, value).is_err())
    };
    let unfit = space.tenants.by_name().filter(|tenant| has_unfit(&tenant.values));
    let unfit: Vec<_> = unfit.map(|tenant| format!("`{}`", tenant.name)).collect();
    if unfit.is_empty() {
        return Ok(());
    }
    let wanted = match template.control {
        Control::Sensitive => "a sensitive value",
        Control::Checkbox => "`True` or `False`",
        Control::Select => "one of its `options`",
        Control::SingleLine => "a single line",
        Control::MultiLine => "a text",
    };
    Err(Problem::conflict(format!(
        "what it would ask for is {wanted}, and the values of these tenants are not: {}; give them others, before or in the \
         same apply",
        listed(&unfit)
    ))
    .at(&format!("template `{}`", template.name)))
}
