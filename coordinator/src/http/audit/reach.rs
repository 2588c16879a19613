//! Who could read what, now: decided by the functions that deployments are laid out with, so that it cannot disagree
//! with what they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use windlass_api::answers::{HeldPackage, Holding, Page, Reachable, ReachedBy, WhatCan, WhatCanItem, WhoCan};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::freeze::freeze;
use windlass_coordinator_core::model::{Project, Release, StepAction, Target, Tenant};
use windlass_coordinator_core::plan::{Layout, lay_out};
use windlass_coordinator_core::query::{Empty, Match};
use windlass_coordinator_core::scope;
use windlass_coordinator_core::state::{Space, WorkKind};
use windlass_coordinator_core::variables::{Needs, Resolution, resolve};
use windlass_coordinator_core::version::Version;
use windlass_protocol::ids::{EnvironmentId, ProjectId, ReleaseId, TargetId};
use windlass_protocol::names::fold;

use super::{Reach, pulled};
use crate::engine::now;
use crate::http::heavy::Wanted;
use crate::http::pages::{self, Part};
use crate::http::presence::Presence;
use crate::http::{deployments, display};

pub(super) fn what_can(
    space: &Space,
    wanted: &Wanted,
    name: &str,
    asked: &Reach,
) -> Result<WhatCan, Problem> {
    let target = space.targets.find(name)?;
    let nothing = match (target.enabled, target.revoked) {
        (false, _) => Some("an operator disabled it".to_owned()),
        (true, true) => Some("its key is revoked".to_owned()),
        (true, false) => None,
    };
    // Laying out for it alone costs what it gets.
    let (alone, mut filling) = (BTreeSet::from([target.id]), Filling::of(asked));
    let environments = scope::environments(&space.environments, target).into_iter();
    'places: for environment in environments.filter(|_| nothing.is_none()) {
        for project in space.projects.by_name() {
            let mut frozen = None;
            for tenant in lanes(space, target, project, environment) {
                let of = tenant.map_or_else(|| "untenanted".to_owned(), |tenant| tenant.id.to_string());
                let place = format!("{environment}/{}/{of}", project.id);
                if filling.is_before(&place) {
                    continue;
                }
                wanted.expect()?;
                let releases = frozen.get_or_insert_with(|| releases(space, project));
                let reached = reach(space, project, releases, environment, tenant, Some(&alone));
                if !filling.take(place, reached.into_values().next()) {
                    break 'places;
                }
            }
        }
    }
    let (could, next) = filling.filled()?;
    let (mut now, mut holds) = (Vec::new(), Vec::new());
    if asked.after.is_none() {
        (now, holds) = (holdings(space, target.id), held(space, target));
    }
    Ok(WhatCan { target: target.name.to_string(), nothing, now, could, holds, next })
}

/// The packages that a target pulled and may still hold.
fn held(space: &Space, target: &Target) -> Vec<HeldPackage> {
    let names = pulled::names(space);
    let pulled = space.pulled.range((target.id, windlass_protocol::Digest::from_bytes([0; 32]))..);
    let pulled = pulled.take_while(|(of, _)| *of == target.id).map(|(_, manifest)| HeldPackage {
        manifest: manifest.to_string(),
        names: names.get(manifest).cloned().unwrap_or_default(),
    });
    pulled.collect()
}

/// Whose values are asked for.
pub(super) struct OfTenant<'a> {
    /// The tenant's name.
    pub(super) name: &'a str,
    /// Only targets that could read this sensitive variable.
    pub(super) secret: Option<&'a str>,
    pub(super) part: &'a Reach,
}

pub(super) fn who_can(
    space: &Space,
    wanted: &Wanted,
    presence: &dyn Presence,
    asked: &OfTenant<'_>,
) -> Result<WhoCan, Problem> {
    let tenant = space.tenants.find(asked.name)?;
    if let Some(secret) = asked.secret {
        expect_variable(space, secret)?;
    }
    let has = |item: &WhatCanItem| {
        asked.secret.is_none_or(|secret| item.secrets.iter().any(|name| fold(name) == fold(secret)))
    };
    // Who gets anything is looked for first, and what that is of those alone who are in the part.
    let mut by_target: BTreeMap<(String, TargetId), Vec<(&Project, EnvironmentId)>> = BTreeMap::new();
    let mut frozen: BTreeMap<ProjectId, Vec<Arc<Release>>> = BTreeMap::new();
    for (project, environments) in &tenant.projects {
        let Some(project) = space.projects.get(*project) else { continue };
        let releases = frozen.entry(project.id).or_insert_with(|| releases(space, project));
        for environment in environments {
            wanted.expect()?;
            for target in reached(space, releases, *environment, tenant) {
                by_target.entry((target.name.folded(), target.id)).or_default().push((project, *environment));
            }
        }
    }
    let mut filling = Filling::of(asked.part);
    'places: for ((_, target), places) in &by_target {
        for (project, environment) in places {
            let place = format!("{target}/{}/{environment}", project.id);
            if filling.is_before(&place) {
                continue;
            }
            wanted.expect()?;
            let (alone, releases) = (BTreeSet::from([*target]), frozen.get(&project.id));
            let releases = releases.map_or(&[][..], Vec::as_slice);
            let reached = reach(space, project, releases, *environment, Some(tenant), Some(&alone));
            let item = reached.into_values().next().filter(has).map(|item| (*target, item));
            if !filling.take(place, item) {
                break 'places;
            }
        }
    }
    let (found, next) = filling.filled()?;
    let mut targets: Vec<(TargetId, Reachable)> = Vec::new();
    for (id, item) in found {
        let Some(target) = space.targets.get(id) else { continue };
        match targets.last_mut().filter(|(last, _)| *last == id) {
            Some((_, last)) => last.could.push(item),
            None => targets.push((id, reachable(target, tenant, presence, item))),
        }
    }
    let targets = targets.into_iter().map(|(_, target)| target).collect();
    Ok(WhoCan { tenant: tenant.name.to_string(), targets, next })
}

fn reachable(target: &Target, tenant: &Tenant, presence: &dyn Presence, item: WhatCanItem) -> Reachable {
    let by = match target.granted.tenants.matches(tenant, Empty::MeansNobody) {
        Some(Match::Name) => ReachedBy::Name,
        _ => ReachedBy::Tag,
    };
    let (name, online) = (target.name.to_string(), presence.online(target.id));
    Reachable { target: name, online, by, could: vec![item] }
}

/// The targets that get anything of a tenant's deployment of one of these releases.
fn reached<'a>(
    space: &'a Space,
    releases: &[Arc<Release>],
    environment: EnvironmentId,
    tenant: &Tenant,
) -> Vec<&'a Target> {
    let (nothing, no_steps) = (BTreeSet::new(), BTreeSet::new());
    let mut ids = BTreeSet::new();
    for release in releases {
        let layout = Layout {
            release,
            environment,
            tenant: Some(tenant),
            only_targets: None,
            excluded_targets: &nothing,
            skipped_steps: &no_steps,
            now: now(),
        };
        let laid = lay_out(space, &layout);
        ids.extend(laid.iter().flat_map(|laid| &laid.targets).map(|target| target.id));
    }
    ids.into_iter().filter_map(|id| space.targets.get(id)).collect()
}

/// A part of what could be read while it is filled, place by place: what is there at each is found out for those in the
/// part alone.
struct Filling<'a, T> {
    /// The place that the part begins after, until it is passed.
    after: Option<&'a str>,
    part: Part<T>,
    /// The last place that was looked at and is in the part.
    last: Option<String>,
    next: Option<String>,
}

impl<'a, T: Serialize> Filling<'a, T> {
    fn of(asked: &'a Reach) -> Self {
        Self { after: asked.after.as_deref(), part: Part::of(asked.limit()), last: None, next: None }
    }

    /// Whether a place is in a part before.
    fn is_before(&mut self, place: &str) -> bool {
        let before = self.after.is_some();
        if self.after == Some(place) {
            self.after = None;
        }
        before
    }

    /// Takes what there is at a place, if anything; false where the part is full.
    fn take(&mut self, place: String, item: Option<T>) -> bool {
        if item.is_some_and(|item| !self.part.take(item)) {
            self.next = self.last.take();
            return false;
        }
        self.last = Some(place);
        true
    }

    /// What is in the part, and where the following one begins.
    fn filled(self) -> Result<(Vec<T>, Option<String>), Problem> {
        match self.after {
            Some(after) => Err(pages::no_place(after)),
            None => {
                let Page { items, next } = self.part.followed_by(self.next);
                Ok((items, next))
            }
        }
    }
}

/// Says so where nothing in the space has a variable of this name: nobody would be the wrong answer to a typing error.
fn expect_variable(space: &Space, name: &str) -> Result<(), Problem> {
    let of_projects = space.projects.iter().flat_map(|project| {
        let templates = project.templates.iter().map(|template| template.name.as_str());
        templates.chain(project.variables.iter().map(|variable| variable.name.as_str()))
    });
    let of_sets = space.library_sets.iter().flat_map(|set| {
        let templates = set.templates.iter().map(|template| template.name.as_str());
        templates.chain(set.variables.iter().map(|variable| variable.name.as_str()))
    });
    let known: BTreeSet<_> = of_projects.chain(of_sets).collect();
    if known.iter().any(|known| fold(known) == fold(name)) {
        return Ok(());
    }
    Err(Problem::not_found(unknown("variable", name, known.into_iter())))
}

/// For whom a target could get a deployment of a project to an environment.
fn lanes<'a>(
    space: &'a Space,
    target: &'a Target,
    project: &Project,
    environment: EnvironmentId,
) -> Vec<Option<&'a Tenant>> {
    let served = scope::tenants(space, target);
    let connected = served.filter(|tenant| tenant.is_connected(project.id, environment)).map(Some);
    let untenanted = scope::takes_part(target, false).then_some(None);
    untenanted.into_iter().chain(connected).collect()
}

/// The project as it stands, as a release, and its newest release: the latter also knows what packages read.
fn releases(space: &Space, project: &Project) -> Vec<Arc<Release>> {
    let as_it_stands = Release {
        id: ReleaseId::from_bytes([0; 16]),
        project: project.id,
        version: Version::first(),
        created: now(),
        notes: String::new(),
        snapshot: Arc::new(freeze(space, project)),
        packages: BTreeMap::new(),
    };
    let newest = space.releases_of(project.id).next_back().cloned();
    std::iter::once(Arc::new(as_it_stands)).chain(newest).collect()
}

/// What each target would read of a deployment, or each of these.
fn reach(
    space: &Space,
    project: &Project,
    releases: &[Arc<Release>],
    environment: EnvironmentId,
    tenant: Option<&Tenant>,
    only_targets: Option<&BTreeSet<TargetId>>,
) -> BTreeMap<TargetId, WhatCanItem> {
    let nothing = BTreeSet::new();
    let no_steps = BTreeSet::new();
    let mut reached: BTreeMap<TargetId, Reads> = BTreeMap::new();
    for release in releases {
        let layout = Layout {
            release,
            environment,
            tenant,
            only_targets,
            excluded_targets: &nothing,
            skipped_steps: &no_steps,
            now: now(),
        };
        for laid in lay_out(space, &layout) {
            for target in &laid.targets {
                let reads = reached.entry(target.id).or_default();
                reads.steps.insert(laid.step.name.to_string());
                if let StepAction::Package { id, .. } = &laid.step.action {
                    reads.packages.insert(id.clone());
                }
                let roles = scope::roles(target);
                let context = layout.context(laid.step, (target.id, &roles));
                for name in Needs::of(&laid.step.needs, &context).names.into_values() {
                    match resolve(&name, &context) {
                        Resolution::Undefined => {}
                        Resolution::Value(candidate, _) if !candidate.value.is_sensitive() => {
                            reads.variables.insert(name);
                        }
                        // Of two equal values nobody knows which: the worse is assumed.
                        Resolution::Value(..) | Resolution::Ambiguous(..) => {
                            reads.secrets.insert(name);
                        }
                    }
                }
            }
        }
    }
    let item = |(target, reads): (TargetId, Reads)| {
        let item = WhatCanItem {
            project: project.name.to_string(),
            environment: display::name(&space.environments, environment),
            tenant: tenant.map(|tenant| tenant.name.to_string()),
            steps: reads.steps.into_iter().collect(),
            packages: reads.packages.into_iter().collect(),
            variables: reads.variables.into_iter().collect(),
            secrets: reads.secrets.into_iter().collect(),
        };
        (target, item)
    };
    reached.into_iter().map(item).collect()
}

#[derive(Default)]
struct Reads {
    steps: BTreeSet<String>,
    packages: BTreeSet<String>,
    variables: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

/// What assignments let a target read at this moment.
fn holdings(space: &Space, target: TargetId) -> Vec<Holding> {
    let of = |item: &windlass_coordinator_core::state::WorkItem| {
        let deployment = space.deployments.get(&item.deployment)?;
        let release = space.releases.get(&deployment.release());
        let step = match item.kind {
            WorkKind::Fetch => None,
            WorkKind::Run(step) => Some(deployments::step_name(release.map(Arc::as_ref), step)),
        };
        let mine = deployment.graph.steps_on(target);
        let packages = mine.filter_map(|step| release?.packages.get(&step));
        let packages: BTreeSet<_> =
            packages.map(|package| format!("{} {}", package.id, package.version)).collect();
        let fetching = item.kind == WorkKind::Fetch;
        Some(Holding {
            deployment: deployment.id.to_string(),
            tenant: display::tenant(space, deployment.tenant),
            step,
            packages: packages.into_iter().filter(|_| fetching).collect(),
        })
    };
    space.work_of(target).filter_map(|(_, item)| of(item)).collect()
}
