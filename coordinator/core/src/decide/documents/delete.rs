//! Deletion: refused while anything refers to the thing, listing what does (SEMANTICS 2).

use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, LibrarySetId, LifecycleId, ProjectId, TagId, TenantId};

use super::super::{Draft, Reply};
use crate::authorise::{self, Action};
use crate::catalogue::unknown;
use crate::event::{DefinitionId, Event};
use crate::model::{Enrolment, ScopedValue, Step, Template, Tenant, ValueScope};
use crate::query::Query;
use crate::state::{Space, State};

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
    draft.emit(Event::Deleted { definition, name });
    // With a tenant goes what its sensitive values could be read with, in the journal and in every copy of it.
    if let Some((tenant, key)) = key {
        draft.emit(Event::KeyDestroyed { key, tenant });
    }
    Ok(Reply::Done)
}

/// What refers to what is asked of one moment: enrolment tokens end by themselves, or with who made them.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    state: &'a State,
    space: &'a Space,
    now: Timestamp,
}

impl<'a> Moment<'a> {
    pub(super) fn of(draft: &'a Draft<'_>) -> Self {
        Self { state: draft.state(), space: draft.space(), now: draft.now() }
    }

    /// The enrolment tokens that a machine can still use: only these grant what they name.
    fn usable_tokens(self) -> impl Iterator<Item = &'a Enrolment> {
        let usable = move |token: &&Enrolment| {
            token.used_by.len() < token.uses as usize
                && self.now <= token.expires
                && authorise::maker_may(self.state, token.made_by, Action::Change, self.now)
        };
        self.space.enrolments.values().map(|token| &**token).filter(usable)
    }
}

/// Most users that the sentence lists; how many more there are, it counts.
const LISTED: usize = 5;

pub(super) fn refuse_if_used(what: &str, mut users: Vec<String>) -> Result<(), Problem> {
    users.dedup();
    if users.is_empty() {
        return Ok(());
    }
    let more = users.len().saturating_sub(LISTED);
    let listed = users[..users.len().min(LISTED)].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Problem::conflict(format!("{what} is in use by {listed}{more}; take it out there first")))
}

/// Every query in the space, with who has it.
fn queries(moment: Moment<'_>) -> impl Iterator<Item = (String, &Query)> {
    let space = moment.space;
    let of_steps = steps(space).map(|(who, step)| (who, &step.tenants));
    let of_values = scopes(space).map(|(who, scope)| (who, &scope.tenants));
    let of_targets =
        space.targets.by_name().map(|target| (format!("target `{}`", target.name), &target.granted.tenants));
    let of_tokens = moment
        .usable_tokens()
        .map(|token| (format!("enrolment token `{}`", token.id), &token.granted.tenants));
    of_steps.chain(of_values).chain(of_targets).chain(of_tokens)
}

/// Every step of a project, with whose it is.
fn steps(space: &Space) -> impl Iterator<Item = (String, &Step)> {
    space.projects.by_name().flat_map(|project| {
        project
            .steps
            .iter()
            .map(move |step| (format!("step `{}` of project `{}`", step.name, project.name), step))
    })
}

/// Every scope of a value, with whose it is.
fn scopes(space: &Space) -> impl Iterator<Item = (String, &ValueScope)> {
    let of_projects =
        space.projects.by_name().map(|project| (format!("project `{}`", project.name), &project.variables));
    let of_sets =
        space.library_sets.by_name().map(|set| (format!("library set `{}`", set.name), &set.variables));
    of_projects.chain(of_sets).flat_map(|(owner, variables)| {
        variables.iter().flat_map(move |variable| {
            let who = format!("variable `{}` of {owner}", variable.name);
            variable.values.iter().map(move |ScopedValue { scope, .. }| (who.clone(), scope))
        })
    })
}

pub(super) fn users_of_tag(moment: Moment<'_>, tag: TagId) -> Vec<String> {
    let carrying = moment.space.tenants.by_name().filter(|tenant| tenant.tags.contains(&tag));
    let tenants = carrying.map(|tenant| format!("tenant `{}`", tenant.name));
    let queries = queries(moment).filter(|(_, query)| query.named_tags().any(|named| named == tag));
    tenants.chain(queries.map(|(who, _)| who)).collect()
}

fn users_of_tenant(moment: Moment<'_>, id: TenantId) -> Vec<String> {
    let space = moment.space;
    let queries = queries(moment).filter(|(_, query)| query.named_tenants().any(|named| named == id));
    let running = space
        .deployments
        .values()
        .filter(|deployment| deployment.tenant == Some(id) && !deployment.is_over());
    queries.map(|(who, _)| who).chain(running.map(|deployment| deployment.id.to_string())).collect()
}

fn users_of_environment(moment: Moment<'_>, id: EnvironmentId) -> Vec<String> {
    let space = moment.space;
    let lifecycles = space
        .lifecycles
        .by_name()
        .filter(|lifecycle| lifecycle.phases.iter().any(|phase| phase.environments.contains(&id)));
    let steps = steps(space)
        .filter(|(_, step)| step.environments.contains(&id) || step.excluded_environments.contains(&id));
    let scopes = scopes(space).filter(|(_, scope)| scope.environments.contains(&id));
    let tenants = space.tenants.by_name().filter(|tenant| {
        let connected = tenant.projects.values().any(|environments| environments.contains(&id));
        connected || tenant.values.keys().any(|(_, environment)| *environment == Some(id))
    });
    let targets = space.targets.by_name().filter(|target| target.granted.environments.contains(&id));
    let tokens = moment.usable_tokens().filter(|token| token.granted.environments.contains(&id));
    let running =
        space.deployments.values().filter(|deployment| deployment.environment == id && !deployment.is_over());
    lifecycles
        .map(|lifecycle| format!("lifecycle `{}`", lifecycle.name))
        .chain(steps.map(|(who, _)| who))
        .chain(scopes.map(|(who, _)| who))
        .chain(tenants.map(|tenant| format!("tenant `{}`", tenant.name)))
        .chain(targets.map(|target| format!("target `{}`", target.name)))
        .chain(tokens.map(|token| format!("enrolment token `{}`", token.id)))
        .chain(running.map(|deployment| deployment.id.to_string()))
        .collect()
}

fn users_of_lifecycle(space: &Space, id: LifecycleId) -> Vec<String> {
    let projects = space.projects.by_name().filter(|project| project.lifecycle == id);
    let mut users: Vec<_> = projects.map(|project| format!("project `{}`", project.name)).collect();
    if space.lifecycles.get(id).is_some_and(|lifecycle| lifecycle.slug.as_str() == "default") {
        users.push("every project that names no lifecycle".to_owned());
    }
    users
}

fn users_of_library_set(space: &Space, id: LibrarySetId) -> Vec<String> {
    let projects = space.projects.by_name().filter(|project| project.library_sets.contains(&id));
    let templates = space.library_sets.get(id).map(|set| set.templates.as_slice()).unwrap_or_default();
    let tenants = space.tenants.by_name().filter(|tenant| fills_any(tenant, templates));
    projects
        .map(|project| format!("project `{}`", project.name))
        .chain(tenants.map(|tenant| format!("tenant `{}`", tenant.name)))
        .collect()
}

fn users_of_project(space: &Space, id: ProjectId) -> Vec<String> {
    let templates = space.projects.get(id).map(|project| project.templates.as_slice()).unwrap_or_default();
    let tenants = space
        .tenants
        .by_name()
        .filter(|tenant| tenant.projects.contains_key(&id) || fills_any(tenant, templates));
    let releases = space.releases_of(id).map(|release| format!("release {}", release.version));
    tenants.map(|tenant| format!("tenant `{}`", tenant.name)).chain(releases).collect()
}

/// Whether a tenant has a value of its own for one of these templates.
fn fills_any(tenant: &Tenant, templates: &[Template]) -> bool {
    tenant.values.keys().any(|(filled, _)| templates.iter().any(|template| template.id == *filled))
}
