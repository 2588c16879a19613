//! Changes of many tenants at once: switch, connections, tags.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_api::requests::TenantChange;
use windlass_protocol::ids::{EnvironmentId, ProjectId, TagId};

use super::super::{Draft, Reply};
use super::tenant::expect_one_of_single_sets;
use super::{put, told};
use crate::kinds::Kind;
use crate::model::Tenant;
use crate::names;
use crate::state::Space;

/// Changes all tenants that a query includes, all or nothing.
pub(in crate::decide) fn change(
    draft: &mut Draft<'_>,
    whose: &QueryText,
    change: &TenantChange,
) -> Result<Reply, Problem> {
    draft.instead("change fewer tenants at once");
    let space = draft.space();
    let tenants = names::included_tenants(space, whose)?;
    let edit = Edit::of(space, change)?;
    let tenants: Vec<Tenant> = tenants.into_iter().map(|(tenant, _)| tenant.clone()).collect();
    edit.expect_of_use(space, &tenants)?;
    let mut changes = Vec::with_capacity(tenants.len());
    for tenant in &tenants {
        draft.expect_wanted()?;
        let changed = edit.made(draft.space(), tenant)?;
        changes.push(put(draft, &changed)?);
        draft.refuse_too_much()?;
    }
    let of = tenants.iter().map(|tenant| (Tenant::WORD, tenant.name.as_str()));
    Ok(told(draft, of.zip(changes)))
}

/// A change in ids.
struct Edit {
    enabled: Option<bool>,
    connect: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>,
    /// No environment means all of the project's.
    disconnect: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>,
    add: BTreeSet<TagId>,
    /// As they were written.
    remove: BTreeMap<TagId, String>,
}

impl Edit {
    /// Names of every spelling are looked up, so that no edit is lost because somebody wrote a slug.
    fn of(space: &Space, change: &TenantChange) -> Result<Self, Problem> {
        let connections =
            |texts: &BTreeMap<String, Vec<String>>| -> Result<BTreeMap<_, BTreeSet<_>>, Problem> {
                let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
                for (project, environments) in texts {
                    let project = space.projects.find(project)?.id;
                    found.entry(project).or_default().extend(names::environment_ids(space, environments)?);
                }
                Ok(found)
            };
        let tags = |texts: &[String]| -> Result<BTreeMap<_, _>, Problem> {
            texts.iter().map(|text| Ok((names::tag(space, text)?.1, text.clone()))).collect()
        };
        Ok(Self {
            enabled: change.enabled,
            connect: connections(&change.connect)?,
            disconnect: connections(&change.disconnect)?,
            add: tags(&change.add_tags)?.into_keys().collect(),
            remove: tags(&change.remove_tags)?,
        })
    }

    /// What is taken away has to be there, with one of them at least: else somebody meant another thing.
    fn expect_of_use(&self, space: &Space, tenants: &[Tenant]) -> Result<(), Problem> {
        let whose = match tenants {
            [one] => format!("the tenant `{}` is not", one.name),
            many => format!("none of the {} tenants is", many.len()),
        };
        for (tag, text) in &self.remove {
            if !tenants.iter().any(|tenant| tenant.tags.contains(tag)) {
                return Err(Problem::conflict(format!("{whose} tagged with `{text}`")));
            }
        }
        for (id, environments) in &self.disconnect {
            let Some(project) = space.projects.get(*id) else { continue };
            if !tenants.iter().any(|tenant| tenant.projects.contains_key(id)) {
                return Err(Problem::conflict(format!("{whose} connected to `{}`", project.name)));
            }
            for environment in environments {
                if !tenants.iter().any(|tenant| tenant.is_connected(*id, *environment)) {
                    let environment =
                        space.environments.get(*environment).map_or("", |found| found.name.as_str());
                    let text = format!("{whose} connected to `{environment}` of `{}`", project.name);
                    return Err(Problem::conflict(text));
                }
            }
        }
        Ok(())
    }

    /// The tenant with the change made.
    fn made(&self, space: &Space, tenant: &Tenant) -> Result<Tenant, Problem> {
        let mut changed = tenant.clone();
        changed.enabled = self.enabled.unwrap_or(tenant.enabled);
        for (project, environments) in &self.connect {
            changed.projects.entry(*project).or_default().extend(environments);
        }
        for (project, environments) in &self.disconnect {
            let Some(connected) = changed.projects.get_mut(project) else { continue };
            connected.retain(|environment| !environments.contains(environment));
            if environments.is_empty() || connected.is_empty() {
                changed.projects.remove(project);
            }
        }
        changed.tags.retain(|tag| !self.remove.contains_key(tag));
        changed.tags.extend(&self.add);
        let within = |problem: Problem| problem.at(&format!("tenant `{}`", tenant.name));
        expect_one_of_single_sets(space, &changed.tags).map_err(within)?;
        Ok(changed)
    }
}
