//! Who could read what, now: decided by the functions that deployments are laid out with, so that it cannot disagree
//! with what they do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_api::answers::{HeldPackage, Holding, Reachable, ReachedBy, WhatCan, WhatCanItem, WhoCan};
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
use windlass_protocol::ids::{EnvironmentId, ReleaseId, TargetId};
use windlass_protocol::names::fold;

use super::pulled;
use crate::engine::now;
use crate::http::heavy::Wanted;
use crate::http::presence::Presence;
use crate::http::{deployments, display};

pub(super) fn what_can(space: &Space, wanted: &Wanted, name: &str) -> Result<WhatCan, Problem> {
    let target = space.targets.find(name)?;
    let nothing = match (target.enabled, target.revoked) {
        (false, _) => Some("an operator disabled it".to_owned()),
        (true, true) => Some("its key is revoked".to_owned()),
        (true, false) => None,
    };
    // Laying out for it alone costs what it gets.
    let (alone, mut could) = (BTreeSet::from([target.id]), Vec::new());
    if nothing.is_none() {
        for environment in scope::environments(&space.environments, target) {
            for project in space.projects.by_name() {
                let releases = releases(space, project);
                for tenant in lanes(space, target, project, environment) {
                    wanted.expect()?;
                    let reached = reach(space, project, &releases, environment, tenant, Some(&alone));
                    could.extend(reached.into_values());
                }
            }
        }
    }
    let names = pulled::names(space);
    let holds = space.pulled.range((target.id, windlass_protocol::Digest::from_bytes([0; 32]))..);
    let holds = holds.take_while(|(of, _)| *of == target.id).map(|(_, manifest)| HeldPackage {
        manifest: manifest.to_string(),
        names: names.get(manifest).cloned().unwrap_or_default(),
    });
    Ok(WhatCan {
        target: target.name.to_string(),
        nothing,
        now: holdings(space, target.id),
        could,
        holds: holds.collect(),
    })
}

pub(super) fn who_can(
    space: &Space,
    wanted: &Wanted,
    presence: &dyn Presence,
    name: &str,
    secret: Option<&str>,
) -> Result<WhoCan, Problem> {
    let tenant = space.tenants.find(name)?;
    if let Some(secret) = secret {
        expect_variable(space, secret)?;
    }
    let mut by_target: BTreeMap<TargetId, Vec<WhatCanItem>> = BTreeMap::new();
    for (project, environments) in &tenant.projects {
        let Some(project) = space.projects.get(*project) else { continue };
        let releases = releases(space, project);
        for environment in environments {
            wanted.expect()?;
            for (target, item) in reach(space, project, &releases, *environment, Some(tenant), None) {
                by_target.entry(target).or_default().push(item);
            }
        }
    }
    let has = |item: &WhatCanItem| {
        secret.is_none_or(|secret| item.secrets.iter().any(|name| fold(name) == fold(secret)))
    };
    let mut targets = Vec::new();
    for (id, mut could) in by_target {
        could.retain(has);
        let Some(target) = space.targets.get(id).filter(|_| !could.is_empty()) else { continue };
        let by = match target.granted.tenants.matches(tenant, Empty::MeansNobody) {
            Some(Match::Name) => ReachedBy::Name,
            _ => ReachedBy::Tag,
        };
        let online = presence.online(id);
        targets.push(Reachable { target: target.name.to_string(), online, by, could });
    }
    targets.sort_by(|one, two| one.target.cmp(&two.target));
    Ok(WhoCan { tenant: tenant.name.to_string(), targets })
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
