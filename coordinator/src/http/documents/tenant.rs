//! A tenant's document.

use std::collections::BTreeMap;

use windlass_api::documents::{Document, OwnerValues, TenantDocument};
use windlass_coordinator_core::model::{Template, Tenant};
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{TagId, TemplateId};

use super::{Shown, query, variables};
use crate::http::display;

impl Shown for Tenant {
    fn document(&self, space: &Space) -> Document {
        Document::Tenant(tenant_document(space, self))
    }

    fn summary(&self, space: &Space) -> String {
        let disabled = if self.enabled { "" } else { "disabled; " };
        let mut projects: Vec<_> =
            self.projects.keys().map(|project| display::name(&space.projects, *project)).collect();
        projects.sort();
        format!("{disabled}{} [{}]", projects.join(", "), tag_texts(space, self.tags.iter()).join(", "))
    }
}

/// The tenant as `apply` reads it.
pub fn tenant_document(space: &Space, found: &Tenant) -> TenantDocument {
    let projects = found.projects.iter().map(|(project, environments)| {
        (display::name(&space.projects, *project), display::environments(space, environments))
    });
    TenantDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        enabled: found.enabled,
        tags: tag_texts(space, found.tags.iter()),
        projects: projects.collect(),
        values: values(space, found),
    }
}

/// Tags as `Tag Set/Tag`, sorted.
pub fn tag_texts<'a>(space: &Space, tags: impl Iterator<Item = &'a TagId>) -> Vec<String> {
    let mut texts: Vec<_> = tags.map(|tag| query::tag_text(space, *tag)).collect();
    texts.sort();
    texts
}

/// The tenant's values by owner. A value whose template or environment is gone means
/// nothing any more and is left out.
fn values(space: &Space, tenant: &Tenant) -> BTreeMap<String, OwnerValues> {
    let mut by_owner: BTreeMap<String, OwnerValues> = BTreeMap::new();
    for ((template, environment), stored) in space.values_of(tenant) {
        let Some((owner, name)) = owner_and_name(space, *template) else { continue };
        let owner = by_owner.entry(owner).or_default();
        let value = variables::value(stored);
        match environment {
            None => owner.values.insert(name, value),
            Some(id) => {
                let environment = display::name(&space.environments, *id);
                owner.environments.entry(environment).or_default().insert(name, value)
            }
        };
    }
    by_owner
}

/// What names a template: its owner and its own name. An owner is named by id where a project and a library set have
/// one name.
fn owner_and_name(space: &Space, id: TemplateId) -> Option<(String, String)> {
    let named = |templates: &[Template]| {
        templates.iter().find(|template| template.id == id).map(|template| template.name.clone())
    };
    for project in space.projects.iter() {
        if let Some(name) = named(&project.templates) {
            let unique = space.library_sets.named(project.name.as_str()).is_none();
            let owner = if unique { project.name.to_string() } else { project.id.to_string() };
            return Some((owner, name));
        }
    }
    space.library_sets.iter().find_map(|set| {
        let name = named(&set.templates)?;
        let unique = space.projects.named(set.name.as_str()).is_none();
        Some((if unique { set.name.to_string() } else { set.id.to_string() }, name))
    })
}
