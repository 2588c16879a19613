//! What refers to a thing: as long as anything does, it is not deleted (SEMANTICS 2). A thing of the same name made anew
//! would be another one, and what excluded the old one would exclude nobody. What a release froze refers to what it names
//! like what stands in a document.

use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{
    EnvironmentId, LibrarySetId, LifecycleId, ProjectId, TagId, TargetId, TemplateId, TenantId,
};

use super::super::Draft;
use crate::authorise::{self, Action};
use crate::model::{
    ApiToken, Deployment, DeploymentState, Enrolment, Granted, Lifecycle, Release, Step, Template, Tenant,
    ValueScope, Variable,
};
use crate::names::listed;
use crate::query::Query;
use crate::state::{Facet, Space, State};

/// What refers to what is asked of one moment: enrolment tokens end by themselves, or with who made them.
#[derive(Clone, Copy)]
pub(in super::super) struct ReferenceScope<'a> {
    state: &'a State,
    space: &'a Space,
    now: Timestamp,
}

impl<'a> ReferenceScope<'a> {
    pub(in super::super) fn of(draft: &'a Draft<'_>) -> Self {
        Self { state: draft.state(), space: draft.space(), now: draft.now() }
    }

    pub(super) const fn space(self) -> &'a Space {
        self.space
    }

    /// The enrolment tokens that a machine can still use.
    fn usable_tokens(self) -> impl Iterator<Item = &'a Enrolment> {
        let usable = move |token: &&Enrolment| {
            token.used_by.len() < token.uses as usize
                && self.now <= token.expires
                && authorise::maker_may(self.state, token.made_by, Action::Change, self.now)
        };
        self.space.enrolments.values().map(|token| &**token).filter(usable)
    }
}

pub(in super::super) fn refuse_if_used(what: &str, mut users: Vec<String>) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    users.retain(|user| seen.insert(user.clone()));
    if users.is_empty() {
        return Ok(());
    }
    Err(Problem::conflict(format!("{what} is in use by {}; take it out there first", listed(&users))))
}

/// How the things that several kinds of definitions may name are named in each of them.
#[derive(Clone, Copy)]
struct Naming<'a> {
    step: &'a dyn Fn(&Step) -> bool,
    scope: &'a dyn Fn(&ValueScope) -> bool,
    granted: &'a dyn Fn(&Granted) -> bool,
    /// By what the targets are found that are granted so.
    facets: &'a [Facet],
}

impl Naming<'_> {
    fn variable(self, variable: &Variable) -> bool {
        variable.values.iter().any(|value| (self.scope)(&value.scope))
    }

    fn release(self, release: &Release) -> bool {
        let snapshot = &release.snapshot;
        let of_sets = snapshot.library_sets.iter().flat_map(|set| &set.variables);
        snapshot.steps.iter().any(|step| (self.step)(step))
            || snapshot.variables.iter().chain(of_sets).any(|variable| self.variable(variable))
    }

    /// Everything that names the thing in a step, in the scope of a value or in a grant, now or in a release.
    fn users(self, moment: ReferenceScope<'_>) -> Vec<String> {
        let space = moment.space;
        let mut users = Vec::new();
        for project in space.projects.by_name() {
            let steps = project.steps.iter().filter(|step| (self.step)(step));
            users.extend(steps.map(|step| format!("step `{}` of project `{}`", step.name, project.name)));
            let variables = project.variables.iter().filter(|variable| self.variable(variable));
            users.extend(
                variables
                    .map(|variable| format!("variable `{}` of project `{}`", variable.name, project.name)),
            );
        }
        for set in space.library_sets.by_name() {
            let variables = set.variables.iter().filter(|variable| self.variable(variable));
            users.extend(
                variables
                    .map(|variable| format!("variable `{}` of library set `{}`", variable.name, set.name)),
            );
        }
        let targets = space.granted(self.facets.iter().cloned()).into_iter();
        users.extend(targets.map(|target| format!("target `{}`", target.name)));
        // One that brings a target back keeps that one's grant, and gives none of its own.
        let tokens = moment.usable_tokens().filter(|token| token.target.is_none());
        let tokens = tokens.filter(|token| (self.granted)(&token.granted));
        users.extend(tokens.map(|token| format!("enrolment token `{}`", token.id)));
        users.extend(releases(space, |release| self.release(release)));
        users
    }
}

/// The releases that do, as people know them.
fn releases(space: &Space, refers: impl Fn(&Release) -> bool) -> impl Iterator<Item = String> {
    let found = space.releases.values().filter(move |release| refers(release));
    found.map(|release| match space.projects.get(release.project) {
        Some(project) => format!("release {} of project `{}`", release.version, project.name),
        None => format!("release {}", release.version),
    })
}

/// The deployments that do and are not over, of everybody.
fn deployments(space: &Space, refers: impl Fn(&Deployment) -> bool) -> impl Iterator<Item = String> {
    let open = space.open_of(space.indexes.keys.keys()).into_iter();
    let open = open.filter_map(|id| space.deployments.get(&id));
    open.filter(move |deployment| refers(deployment)).map(|deployment| deployment.id.to_string())
}

fn tenants(space: &Space, refers: impl Fn(&Tenant) -> bool) -> impl Iterator<Item = String> {
    let found = space.tenants.by_name().filter(move |tenant| refers(tenant));
    found.map(|tenant| format!("tenant `{}`", tenant.name))
}

/// Users of what a tenant query can name.
fn users_in_queries(
    moment: ReferenceScope<'_>,
    names: &dyn Fn(&Query) -> bool,
    facets: &[Facet],
) -> Vec<String> {
    let naming = Naming {
        step: &|step| names(&step.tenants),
        scope: &|scope| names(&scope.tenants),
        granted: &|granted| names(&granted.tenants),
        facets,
    };
    let limited = |token: &&ApiToken| {
        token.limit.as_ref().is_some_and(|limit| limit.space == moment.space.head.id && names(&limit.tenants))
            && authorise::role_at(moment.state, token.id, moment.now).is_some()
    };
    let tokens = moment.state.tokens.values().filter(limited).map(|token| format!("token `{}`", token.name));
    naming.users(moment).into_iter().chain(tokens).collect()
}

pub(super) fn users_of_tag(moment: ReferenceScope<'_>, tag: TagId) -> Vec<String> {
    let carrying = moment.space.carriers_by_name([&tag]);
    let carrying = carrying.into_iter().map(|tenant| format!("tenant `{}`", tenant.name));
    let named = users_in_queries(
        moment,
        &|query| query.named_tags().any(|named| named == tag),
        &[Facet::NamesTag(tag)],
    );
    carrying.chain(named).collect()
}

pub(super) fn users_of_tenant(moment: ReferenceScope<'_>, id: TenantId) -> Vec<String> {
    let deployed = moment.space.open_of(&[Some(id)]).into_iter().map(|deployment| deployment.to_string());
    let facets = [Facet::Tenant(id), Facet::ExcludesTenant(id)];
    let named = users_in_queries(moment, &|query| query.named_tenants().any(|named| named == id), &facets);
    deployed.chain(named).collect()
}

pub(super) fn users_of_environment(moment: ReferenceScope<'_>, id: EnvironmentId) -> Vec<String> {
    let space = moment.space;
    let lifecycles = space
        .lifecycles
        .by_name()
        .filter(|lifecycle| lifecycle.phases.iter().any(|phase| phase.environments.contains(&id)))
        .map(|lifecycle| format!("lifecycle `{}`", lifecycle.name));
    let filled_now = filled_now(space);
    let tenants = tenants(space, |tenant| {
        let connected = tenant.projects.values().any(|environments| environments.contains(&id));
        // A value for a template that is not there now is seen nowhere, and cannot be taken out.
        let mut filled = tenant.values.keys().filter(|(_, environment)| *environment == Some(id));
        connected || filled.any(|(template, _)| filled_now.contains(template))
    });
    let naming = Naming {
        step: &|step| step.environments.contains(&id) || step.excluded_environments.contains(&id),
        scope: &|scope| scope.environments.contains(&id),
        granted: &|granted| granted.environments.contains(&id),
        facets: &[Facet::Environment(id)],
    };
    lifecycles
        .chain(deployments(space, |deployment| deployment.environment == id))
        .chain(tenants)
        .chain(naming.users(moment))
        .collect()
}

/// The templates that tenants fill now.
pub(super) fn filled_now(space: &Space) -> BTreeSet<TemplateId> {
    let of_projects = space.projects.iter().map(|project| &project.templates);
    let of_sets = space.library_sets.iter().map(|set| &set.templates);
    of_projects.chain(of_sets).flatten().map(|template| template.id).collect()
}

pub(in super::super) fn users_of_target(moment: ReferenceScope<'_>, id: TargetId) -> Vec<String> {
    // One that runs has its targets; one that waits will look for whom its request named. A token that brings the target
    // back holds nothing: it is worth nothing without it, and a lost machine is to be got rid of at once.
    let waiting = deployments(moment.space, |deployment| {
        let only = deployment.only_targets.as_ref().is_some_and(|only| only.contains(&id));
        deployment.state == DeploymentState::Queued && (only || deployment.excluded_targets.contains(&id))
    });
    let naming = Naming {
        step: &|_| false,
        scope: &|scope| scope.targets.contains(&id),
        granted: &|_| false,
        facets: &[],
    };
    waiting.chain(naming.users(moment)).collect()
}

pub(super) fn users_of_lifecycle(space: &Space, id: LifecycleId) -> Vec<String> {
    let projects = space.projects.by_name().filter(|project| project.lifecycle == id);
    let mut users: Vec<_> = projects.map(|project| format!("project `{}`", project.name)).collect();
    if space.lifecycles.named(Lifecycle::DEFAULT).is_some_and(|lifecycle| lifecycle.id == id) {
        users.push("every project that names no lifecycle".to_owned());
    }
    users
}

pub(super) fn users_of_library_set(space: &Space, id: LibrarySetId) -> Vec<String> {
    let projects = space.projects.by_name().filter(|project| project.library_sets.contains(&id));
    let templates = space.library_sets.get(id).map(|set| ids(&set.templates)).unwrap_or_default();
    projects
        .map(|project| format!("project `{}`", project.name))
        .chain(tenants(space, |tenant| fills_any(space, tenant, &templates)))
        .chain(releases(space, |release| release.snapshot.library_sets.iter().any(|set| set.id == id)))
        .collect()
}

pub(super) fn users_of_project(space: &Space, id: ProjectId) -> Vec<String> {
    let templates = space.projects.get(id).map(|project| ids(&project.templates)).unwrap_or_default();
    tenants(space, |tenant| tenant.projects.contains_key(&id) || fills_any(space, tenant, &templates))
        .chain(releases(space, |release| release.project == id))
        .collect()
}

/// Whether a tenant has a value of its own for one of these templates, in an environment that is there.
fn fills_any(space: &Space, tenant: &Tenant, templates: &BTreeSet<TemplateId>) -> bool {
    space.values_of(tenant).any(|((filled, _), _)| templates.contains(filled))
}

fn ids(templates: &[Template]) -> BTreeSet<TemplateId> {
    templates.iter().map(|template| template.id).collect()
}
