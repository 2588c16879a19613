//! Templates that ask for something else than before: what tenants have for them has to fit still.
//!
//! A plain value of what is now sensitive would be shown in clear (SEMANTICS 6), and another `select` offers what nobody
//! has. It is judged when everything at hand is defined, so that one apply may change a template and the values.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::{Control, Document};
use windlass_api::error::Problem;
use windlass_protocol::ids::TemplateId;

use super::super::Draft;
use super::variables::check_control;
use crate::model::{RetiredTemplate, Template, Tenant};
use crate::names::listed;
use crate::state::Space;

/// The templates of an owner: those that tenants fill, and those that it no longer has.
type Owned<'a> = (&'a [Template], &'a [RetiredTemplate]);

/// Templates with their places among those of their owner.
type Anew<'a> = BTreeMap<TemplateId, (usize, &'a Template)>;

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
    let anew = asked_anew(before, after);
    let mut unfit: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for tenant in draft.space().tenants.by_name().filter(|_| !anew.is_empty()) {
        for place in unfit_of(draft.space(), tenant, &anew) {
            unfit.entry(place).or_default().push(format!("`{}`", tenant.name));
        }
    }
    unfit.first_key_value().map_or(Ok(()), |(place, tenants)| Err(unfitting(&after[*place], tenants)))
}

/// Of the templates of an owner as they are now, those for which tenants may have values that were given for another
/// control, with their places among all. What a retired one asked for is not known any more.
fn asked_anew<'a>((templates, retired): Owned<'_>, now: &'a [Template]) -> Anew<'a> {
    let before: BTreeMap<_, _> = templates.iter().map(|template| (template.id, template)).collect();
    let retired: BTreeSet<_> = retired.iter().map(|template| template.id).collect();
    let asks_anew = |(_, now): &(usize, &Template)| match before.get(&now.id) {
        Some(before) => (before.control, &before.options) != (now.control, &now.options),
        None => retired.contains(&now.id),
    };
    now.iter()
        .enumerate()
        .filter(asks_anew)
        .map(|(place, template)| (template.id, (place, template)))
        .collect()
}

/// The places of the templates that the tenant's values do not fit.
fn unfit_of(space: &Space, tenant: &Tenant, anew: &Anew<'_>) -> BTreeSet<usize> {
    let unfit = space.values_of(tenant).filter_map(|((id, _), value)| {
        let (place, template) = anew.get(id)?;
        check_control(template.control, &template.options, value).is_err().then_some(*place)
    });
    unfit.collect()
}

fn unfitting(template: &Template, tenants: &[String]) -> Problem {
    let wanted = match template.control {
        Control::Sensitive => "a sensitive value",
        Control::Checkbox => "`True` or `False`",
        Control::Select => "one of its `options`",
        Control::SingleLine => "a single line",
        Control::MultiLine => "a text",
    };
    Problem::conflict(format!(
        "what it would ask for is {wanted}, and the values of these tenants are not: {}; give them others, before or in the \
         same apply",
        listed(tenants)
    ))
    .at(&format!("template `{}`", template.name))
}
