//! Tenants: tags, connections, values.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;
use windlass_api::documents::{OwnerValues, TenantDocument, ValueText};
use windlass_api::error::Problem;
use windlass_protocol::ids::{EnvironmentId, KeyId, TagId, TemplateId, TenantId};
use windlass_protocol::names::fold;

use super::super::Draft;
use super::names::{check_query_word, named};
use super::references::{ReferenceScope, filled_now, users_of_tenant};
use super::variables;
use super::{DefinitionContext, Documented};
use crate::catalogue::unknown;
use crate::model::{StoredValue, Tenant};
use crate::names;
use crate::state::Space;

pub(super) type ValueKey = (TemplateId, Option<EnvironmentId>);
type Values = OrdMap<ValueKey, StoredValue>;

impl Documented for Tenant {
    type Document = TenantDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &TenantDocument,
        context: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document, context)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        users_of_tenant(moment, self.id)
    }

    fn destroys(&self) -> Option<(TenantId, KeyId)> {
        Some((self.id, self.key))
    }
}

fn define(
    draft: &mut Draft<'_>,
    document: &TenantDocument,
    context: &DefinitionContext<'_>,
) -> Result<Tenant, Problem> {
    let (mut name, mut slug) = named(&document.name, document.slug.as_deref())?;
    let existing = draft.space().tenants.called(&document.name).cloned();
    if existing.is_none() {
        check_query_word(&document.name)?;
    }
    let key = existing.as_ref().map(|tenant| tenant.key).or(context.key);
    let key = key.unwrap_or_else(|| KeyId::from_bytes(draft.fresh.bytes()));
    let id = existing.as_ref().map(|tenant| tenant.id).or_else(|| context.pending.called(&document.name));
    let id = id.unwrap_or_else(|| TenantId::from_bytes(draft.fresh.bytes()));
    let space = draft.space();
    let kept = existing.as_ref().filter(|_| context.only_add);
    let mut enabled = document.enabled;
    if let Some(known) = kept {
        (name, slug, enabled) = (known.name.clone(), known.slug.clone(), known.enabled);
    }
    let tags = tags(space, &document.tags, kept)?;
    let mut projects = BTreeMap::new();
    for (project, environments) in &document.projects {
        let found = space.projects.find(project)?;
        let within = |problem: Problem| problem.at(&format!("project `{}`", found.name));
        let environments = names::environment_ids(space, environments).map_err(within)?;
        if projects.insert(found.id, environments).is_some() {
            return Err(named_twice("project", found.name.as_str()).at("projects"));
        }
    }
    for (project, environments) in kept.iter().flat_map(|known| &known.projects) {
        projects.entry(*project).or_default().extend(environments);
    }
    let before = existing.as_ref().map(|tenant| tenant.values.clone()).unwrap_or_default();
    let mut values = Values::new();
    for (owner, texts) in &document.values {
        let within = |problem: Problem| problem.at(&format!("values of `{owner}`"));
        owner_values(space, owner, texts, &before, key, &mut values).map_err(within)?;
    }
    // What the document cannot say, because it is for templates or environments that are not there now, stays as it is; and
    // so does what it leaves out, where it only adds.
    let space = draft.space();
    let filled = LazyCell::new(|| filled_now(space));
    let unsaid = |(place, _): &(&ValueKey, &StoredValue)| {
        let is_said = || space.is_place(**place) && filled.contains(&place.0);
        !values.contains_key(*place) && (context.only_add || !is_said())
    };
    let unsaid: Values = before.iter().filter(unsaid).map(|(place, value)| (*place, value.clone())).collect();
    let all = values.clone().union(unsaid.clone());
    let mut tenant = Tenant { id, slug, name, enabled, key, tags, projects, values: all };
    if existing.as_ref() != Some(&tenant) {
        // Of use to releases, as long as the template's owner is there; in an environment, as long as that is.
        let retired = LazyCell::new(|| retired_now(space));
        let of_use = unsaid.into_iter().filter(|(place, _)| {
            space.is_place(*place) && (filled.contains(&place.0) || retired.contains(&place.0))
        });
        tenant.values = values.union(of_use.collect());
    }
    Ok(tenant)
}

/// The templates that their owners no longer have.
fn retired_now(space: &Space) -> BTreeSet<TemplateId> {
    let of_projects = space.projects.iter().map(|project| &project.retired);
    let of_sets = space.library_sets.iter().map(|set| &set.retired);
    of_projects.chain(of_sets).flatten().map(|template| template.id).collect()
}

/// The tags of a document, and those that are kept.
fn tags(space: &Space, names: &[String], kept: Option<&Tenant>) -> Result<BTreeSet<TagId>, Problem> {
    let said = names.iter().map(|name| Ok(names::tag(space, name)?.1));
    let kept = kept.into_iter().flat_map(|known| known.tags.iter().map(|tag| Ok(*tag)));
    let tags = said.chain(kept).collect::<Result<_, Problem>>()?;
    expect_one_of_single_sets(space, &tags)?;
    Ok(tags)
}

/// A tenant carries at most one tag of a set that is `single` (SEMANTICS 2).
pub(super) fn expect_one_of_single_sets(space: &Space, tags: &BTreeSet<TagId>) -> Result<(), Problem> {
    let mut of_sets: BTreeMap<_, TagId> = BTreeMap::new();
    for tag in tags {
        let set = space.indexes.tag_names.get(tag).and_then(|(set, _)| space.tag_sets.get(*set));
        let Some(set) = set.filter(|set| set.single) else { continue };
        if let Some(other) = of_sets.insert(set.id, *tag) {
            let carried = set.tags.iter().filter(|one| one.id == other || one.id == *tag);
            let carried: Vec<_> = carried.map(|one| format!("`{}/{}`", set.name, one.name)).collect();
            let text = format!("{}: a tenant carries at most one tag of this set", carried.join(" and "));
            return Err(Problem::usage(text));
        }
    }
    Ok(())
}

fn owner_values(
    space: &Space,
    owner: &str,
    texts: &OwnerValues,
    before: &Values,
    key: KeyId,
    values: &mut Values,
) -> Result<(), Problem> {
    let (templates, of_project) = match (space.projects.named(owner), space.library_sets.named(owner)) {
        (Some(project), None) => (&project.templates, true),
        (None, Some(set)) => (&set.templates, false),
        (Some(_), Some(_)) => {
            return Err(Problem::conflict(
                "a project and a library set have this name; use the id of the one you mean",
            ));
        }
        (None, None) => {
            let sets = space.library_sets.iter().map(|set| set.name.as_str());
            let known = space.projects.iter().map(|project| project.name.as_str()).chain(sets);
            return Err(Problem::not_found(unknown("project or library set", owner, known)));
        }
    };
    let by_name: BTreeMap<_, _> = templates.iter().map(|template| (fold(&template.name), template)).collect();
    let mut put = |name: &str, environment: Option<EnvironmentId>, text: &ValueText| {
        let template = *by_name.get(&fold(name)).ok_or_else(|| {
            let known = templates.iter().map(|template| template.name.as_str());
            Problem::not_found(unknown("template", name, known))
        })?;
        let place = (template.id, environment);
        let value = variables::stored(text, before.get(&place), key)
            .and_then(|value| {
                variables::check_control(template.control, &template.options, &value)?;
                Ok(value)
            })
            .map_err(|problem| problem.at(&format!("`{}`", template.name)))?;
        if values.insert(place, value).is_some() {
            return Err(Problem::usage(format!(
                "the value of `{}` is given twice; give it once",
                template.name
            )));
        }
        Ok(())
    };
    for (name, text) in &texts.values {
        put(name, None, text)?;
    }
    if !of_project && !texts.environments.is_empty() {
        return Err(Problem::usage(
            "a library set's templates are filled once per tenant, not per environment",
        ));
    }
    for (environment, texts) in &texts.environments {
        let environment = space.environments.find(environment)?.id;
        for (name, text) in texts {
            put(name, Some(environment), text)?;
        }
    }
    Ok(())
}

/// Two names of one thing, such as its name and its slug: which of the two entries is meant, nobody can know.
fn named_twice(kind: &str, name: &str) -> Problem {
    Problem::usage(format!(
        "the {kind} `{name}` is named twice, by two of its names; put both entries into one"
    ))
}
