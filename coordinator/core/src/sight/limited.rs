//! A space in which nothing exists but what somebody sees: kind by kind, what is left, and what is left of it.
//!
//! Each thing is taken apart by all its fields, so that a new one is shown to nobody who is limited before it is said here
//! what is left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use windlass_api::documents::Tenancy;
use windlass_protocol::ids::{DeploymentId, LifecycleId, ProjectId, ReleaseId, StepId, TargetId};
use windlass_protocol::message::{Generation, Participation};

use super::queries::VisibleTenants;
use super::reach::{Places, Way, past, present, ways};
use crate::catalogue::{Catalogue, Named};
use crate::model::{
    Advertisement, Ahead, Deployment, Environment, Granted, Index, LibrarySet, Lifecycle, Package,
    PackageKey, Phase, PhaseRule, Project, Release, ScopedValue, Snapshot, SnapshotSet, Step, StepAction,
    TagSet, Target, Tenant, TenantLimit, ValueScope, Variable,
};
use crate::query::{Empty, Query};
use crate::scope;
use crate::state::{Flow, Space};

/// What is left of `whole`.
pub(super) fn space(whole: &Space, limits: &[TenantLimit]) -> Space {
    let seen = VisibleTenants::by(whole, limits);
    let mut left = Space::new(whole.head.clone());
    left.caps = whole.caps;
    fill(&mut left.tenants, seen.tenants.values().map(|tenant| with_values_of_places(whole, tenant)));
    fill(&mut left.environments, environments(whole, &seen));
    fill(&mut left.tag_sets, whole.tag_sets.iter().filter_map(|set| tag_set(&seen, set)));
    left.history = whole.history.of(|tenant| seen.tenants.contains_key(&tenant));
    left.deployments = deployments(whole, &seen);
    let finished: Vec<_> = whole.finished.iter().filter(|id| left.deployments.contains_key(id)).collect();
    left.finished = finished.into();
    let view = LimitedView::new(whole, &seen, &left);
    let projects = seen.places.keys().filter_map(|id| whole.projects.get(*id));
    fill(&mut left.projects, projects.map(|found| view.project(found)));
    // The sets of what they are connected to, and those that ask for values which they have given.
    let included: BTreeSet<_> = left.projects.iter().flat_map(|project| &project.library_sets).collect();
    let sets = whole.library_sets.iter().filter_map(|set| match included.contains(&set.id) {
        true => Some(view.library_set(set)),
        false => seen.has_value(&set.templates).then(|| view.left_library_set(set)),
    });
    fill(&mut left.library_sets, sets.collect::<Vec<_>>().into_iter());
    let connected = left.projects.iter().filter(|project| seen.connected.contains_key(&project.id));
    let lifecycles: BTreeSet<_> = connected.map(|project| project.lifecycle).collect();
    let lifecycles = lifecycles.into_iter().filter_map(|id| whole.lifecycles.get(id));
    fill(&mut left.lifecycles, lifecycles.map(|found| lifecycle(&seen, found)));
    // What was deployed for them, and what may be.
    let releases = seen.places.keys().flat_map(|id| whole.releases_of(*id)).filter(|release| {
        seen.connected.contains_key(&release.project) || view.pasts.contains_key(&release.id)
    });
    left.releases = releases.map(|found| (found.id, Arc::new(view.release(found)))).collect();
    let roles = roles(&left);
    let targets = whole.targets.iter().filter(|found| view.targets.contains(&found.id));
    fill(&mut left.targets, targets.map(|found| view.target(found, &roles)).collect::<Vec<_>>().into_iter());
    let lost = whole.lost.iter().filter(|(target, _)| view.present.contains(target));
    left.lost = lost.map(|(target, since)| (*target, *since)).collect();
    packages(whole, &mut left);
    left.served_since = whole.served_since;
    left.rebuild_indexes();
    left
}

/// The lifecycle of a project that they are not connected to any more: what it has now is news, and this is none.
const NONE: LifecycleId = LifecycleId::from_bytes([0; 16]);

fn unseen() -> Phase {
    Phase { name: "Elsewhere".to_owned(), environments: Vec::new(), rule: PhaseRule::All, unseen: true }
}

/// A tenant without values for environments that are gone.
fn with_values_of_places(whole: &Space, tenant: &Tenant) -> Tenant {
    let mut left = tenant.clone();
    if !tenant.values.keys().all(|place| whole.is_place(*place)) {
        left.values = whole.values_of(tenant).map(|(place, value)| (*place, value.clone())).collect();
    }
    left
}

/// Roles that steps and values ask for which are seen: what else a machine has is of somebody else's.
fn roles(left: &Space) -> BTreeSet<String> {
    let frozen = || left.releases.values().map(|release| &release.snapshot);
    let steps = left.projects.iter().map(|project| &project.steps);
    let steps = steps.chain(frozen().map(|snapshot| &snapshot.steps)).flatten();
    let of_projects = left.projects.iter().map(|project| &project.variables);
    let of_sets = left.library_sets.iter().map(|set| &set.variables);
    let of_frozen_sets = frozen().flat_map(|found| found.library_sets.iter().map(|set| &set.variables));
    let variables =
        of_projects.chain(of_sets).chain(of_frozen_sets).chain(frozen().map(|found| &found.variables));
    let values = variables.flatten().flat_map(|variable| &variable.values);
    steps.flat_map(|step| &step.roles).chain(values.flat_map(|value| &value.scope.roles)).cloned().collect()
}

/// The environments, numbered anew: a gap would tell of another one.
fn environments(whole: &Space, seen: &VisibleTenants<'_>) -> impl Iterator<Item = Environment> {
    let known =
        whole.environments_in_order().into_iter().filter(|found| seen.environments.contains(&found.id));
    let known: Vec<_> = known.cloned().collect();
    known.into_iter().zip(0..).map(|(found, place)| {
        let Environment { id, slug, name, description, order: _ } = found;
        Environment { id, slug, name, description, order: place }
    })
}

fn fill<T: Named>(catalogue: &mut Catalogue<T>, found: impl Iterator<Item = T>) {
    found.for_each(|thing| catalogue.put(thing));
}

fn tag_set(seen: &VisibleTenants<'_>, found: &TagSet) -> Option<TagSet> {
    let tags: Vec<_> = found.tags.iter().filter(|tag| seen.tags.contains(&tag.id)).cloned().collect();
    let TagSet { id, slug, name, single, tags: _ } = found.clone();
    (!tags.is_empty()).then_some(TagSet { id, slug, name, single, tags })
}

/// A phase of which no environment is seen is none; one that stands for all others stays. Where that leaves no phase, one
/// says so: without any, each environment would be one (SEMANTICS 4).
fn lifecycle(seen: &VisibleTenants<'_>, found: &Lifecycle) -> Lifecycle {
    let phases = found.phases.iter().filter_map(|phase| {
        let left: Vec<_> =
            phase.environments.iter().copied().filter(|id| seen.environments.contains(id)).collect();
        // How many are needed of more than is seen would tell how many there are.
        let rule = match phase.rule {
            PhaseRule::AtLeast(minimum) if minimum as usize >= left.len() => PhaseRule::All,
            rule => rule,
        };
        let rule = if phase.environments.is_empty() { phase.rule } else { rule };
        let Phase { name, environments, rule: _, unseen } = phase.clone();
        let is_seen = environments.is_empty() || !left.is_empty();
        is_seen.then_some(Phase { name, environments: left, rule, unseen })
    });
    let mut phases: Vec<_> = phases.collect();
    if phases.is_empty() && !found.phases.is_empty() {
        phases.push(unseen());
    }
    let Lifecycle { id, slug, name, phases: _ } = found.clone();
    Lifecycle { id, slug, name, phases }
}

/// Their deployments: those that are open, and of those that are over what is remembered whatever others do. Targets
/// that a request named are left out: they may be others'. So is what travelled, which tells what a machine had before.
fn deployments(whole: &Space, seen: &VisibleTenants<'_>) -> OrdMap<DeploymentId, Arc<Deployment>> {
    let flows: Vec<Flow> = seen.tenants.keys().map(|tenant| Some(*tenant)).collect();
    let finished = flows.iter().flat_map(|flow| whole.finished.certain(*flow));
    let theirs = whole.open_of(&flows).into_iter().chain(finished);
    let left = |found: &Arc<Deployment>| {
        let known = |ids: &BTreeSet<TargetId>| {
            ids.iter().copied().filter(|target| found.parts.contains_key(target)).collect()
        };
        let (only_targets, excluded_targets) =
            (found.only_targets.as_ref().map(known), known(&found.excluded_targets));
        let mut left = Deployment::clone(found);
        let Deployment {
            id: _,
            project: _,
            subject: _,
            environment: _,
            tenant: _,
            created: _,
            asked: _,
            only_targets: only,
            excluded_targets: excluded,
            skipped_steps: _,
            state: _,
            why: _,
            ended: _,
            graph,
            parts: _,
            frozen: _,
            outputs: _,
        } = &mut left;
        (*only, *excluded, *graph) = (only_targets, excluded_targets, graph.without_traffic());
        Arc::new(left)
    };
    theirs.filter_map(|id| Some((id, left(whole.deployments.get(&id)?)))).collect()
}

/// The packages that steps ask for which are seen, and what of them targets hold.
fn packages(whole: &Space, left: &mut Space) {
    let steps = left.projects.iter().flat_map(|project| &project.steps);
    let frozen = left.releases.values().flat_map(|release| &release.snapshot.steps);
    let mut wanted: BTreeSet<&str> = steps.chain(frozen).filter_map(package_id).collect();
    wanted.extend(
        left.releases.values().flat_map(|release| release.packages.values().map(|of| of.id.as_str())),
    );
    let found = wanted.into_iter().flat_map(|id| whole.packages_of(id));
    let packages: OrdMap<PackageKey, Arc<Package>> =
        found.map(|found| (found.key.clone(), Arc::clone(found))).collect();
    // What targets fetched for them. That a machine has it from others already is nothing that is seen.
    let theirs: BTreeSet<_> = left
        .deployments
        .values()
        .filter_map(|found| Some((found, left.releases.get(&found.release())?)))
        .flat_map(|(found, release)| {
            let has = |target: &TargetId, step: &StepId| {
                found.has_fetched(*target) && found.graph.steps_on(*target).any(|on| on == *step)
            };
            let packages = release.packages.iter();
            packages.flat_map(move |(step, package)| {
                let targets = found.parts.keys().filter(move |target| has(target, step));
                targets.map(move |target| (*target, package.manifest))
            })
        })
        .collect();
    let held = left.history.held().map(|(target, _, _, held)| (target, held.manifest));
    let theirs: BTreeSet<_> = theirs.into_iter().chain(held).collect();
    let pulled = whole.pulled.iter().filter(|pulled| theirs.contains(*pulled));
    left.pulled = pulled.copied().collect();
    left.packages = packages;
}

fn package_id(step: &Step) -> Option<&str> {
    match &step.action {
        StepAction::Package { id, .. } => Some(id),
        StepAction::Script(_) => None,
    }
}

/// Whom and what somebody sees, as far as machines, processes and variables name it.
struct LimitedView<'a> {
    whole: &'a Space,
    seen: &'a VisibleTenants<'a>,
    /// Where things count now, by project.
    now: BTreeMap<ProjectId, Places>,
    /// Targets that are seen.
    targets: BTreeSet<TargetId>,
    /// Those of them that serve somebody who is seen, or work for them. Of the others it is known that they may hold
    /// something of theirs.
    present: BTreeSet<TargetId>,
    /// What was, by release.
    pasts: BTreeMap<ReleaseId, Places>,
}

impl<'a> LimitedView<'a> {
    /// `left` has their deployments and their history already.
    fn new(whole: &'a Space, seen: &'a VisibleTenants<'a>, left: &Space) -> Self {
        let (now, mut present) = present(whole, seen);
        let open = left.deployments.values().filter(|deployment| !deployment.is_over());
        let works = open.flat_map(|deployment| deployment.parts.keys().copied());
        present.extend(works.filter(|target| whole.targets.get(*target).is_some()));
        let theirs = |tenant| seen.tenants.contains_key(&tenant);
        let holds = whole.targets.iter().filter(|found| whole.history.may_hold_of(found.id).any(theirs));
        let targets: BTreeSet<_> = holds.map(|found| found.id).chain(present.iter().copied()).collect();
        let pasts = past(left, &targets);
        Self { whole, seen, now, targets, present, pasts }
    }

    /// How these steps, and what is for them, count for somebody: as a project stands, and as it was when this release was
    /// deployed for them.
    fn ways(&self, project: ProjectId, release: Option<ReleaseId>, steps: &[Step]) -> Vec<Way<'_>> {
        let now = self.now.get(&project).into_iter().flat_map(|places| ways(places, false, steps, self.seen));
        let past = release.and_then(|release| self.pasts.get(&release));
        now.chain(past.into_iter().flat_map(|places| ways(places, true, steps, self.seen))).collect()
    }

    /// A target that may serve somebody who is seen, where somebody who is seen is connected. That it takes part in
    /// untenanted deployments too is nothing that is seen; of one that may only hold something of theirs, nothing is.
    fn target(&self, found: &Target, roles: &BTreeSet<String>) -> Target {
        let Target { id, slug, name, enabled, revoked, key, granted, advertised: _, told_claims: _, ahead } =
            found.clone();
        let nobody = Query { narrowed: true, ..Query::default() };
        let (told_claims, participation) = (BTreeSet::new(), Participation::Tenanted);
        if !self.present.contains(&id) {
            let granted = Granted {
                roles: BTreeSet::new(),
                environments: BTreeSet::new(),
                tenants: nobody,
                participation,
            };
            let advertised = Advertisement {
                roles: None,
                environments: None,
                tenants: None,
                tenant_tags: None,
                participation: None,
                isolation: found.advertised.isolation,
                agent_version: String::new(),
            };
            let (enabled, revoked, ahead) = (true, false, None);
            return Target { id, slug, name, enabled, revoked, key, granted, advertised, told_claims, ahead };
        }
        let Granted { roles: mut granted_roles, mut environments, tenants, participation: _ } = granted;
        environments.retain(|environment| self.seen.environments.contains(environment));
        // Shown as tenanted, one that is for no tenant has none.
        let takes_part = scope::takes_part(found, true);
        let tenants = self.seen.query(&tenants, Empty::MeansNobody).filter(|_| takes_part).unwrap_or(nobody);
        granted_roles.retain(|role| roles.contains(role));
        // How far ahead its agent is tells how much everybody did.
        let ahead =
            ahead.map(|ahead| Ahead { generation: Generation::default(), confirmed: ahead.confirmed });
        Target {
            id,
            slug,
            name,
            enabled,
            revoked,
            key,
            granted: Granted { roles: granted_roles, environments, tenants, participation },
            advertised: self.seen.advertisement(&found.advertised, roles),
            told_claims,
            ahead,
        }
    }

    /// A project that they are not connected to any more is there by its name, with what names their own values.
    fn project(&self, found: &Project) -> Project {
        let Project {
            id,
            slug,
            name,
            mut tenancy,
            mut lifecycle,
            mut library_sets,
            mut templates,
            retired: _,
            mut variables,
            mut steps,
        } = found.clone();
        if self.seen.connected.contains_key(&id) {
            let ways = self.ways(id, None, &steps);
            steps = self.steps(&steps, &ways);
            variables = self.variables(&variables, &ways);
        } else {
            templates = self.seen.own_templates(&templates);
            (library_sets, variables, steps) = Default::default();
            (tenancy, lifecycle) = (Tenancy::TenantedOrUntenanted, NONE);
        }
        let retired = Vec::new();
        Project { id, slug, name, tenancy, lifecycle, library_sets, templates, retired, variables, steps }
    }

    /// A set counts where they are connected to projects that include it.
    fn library_set(&self, found: &LibrarySet) -> LibrarySet {
        let connected = self.now.keys().filter_map(|id| self.whole.projects.get(*id));
        let including = connected.filter(|project| project.library_sets.contains(&found.id));
        let ways: Vec<_> =
            including.flat_map(|project| self.ways(project.id, None, &project.steps)).collect();
        let variables = self.variables(&found.variables, &ways);
        let LibrarySet { id, slug, name, templates, retired: _, variables: _ } = found.clone();
        LibrarySet { id, slug, name, templates, retired: Vec::new(), variables }
    }

    /// A set that nothing includes which they are connected to: what names their own values.
    fn left_library_set(&self, found: &LibrarySet) -> LibrarySet {
        let LibrarySet { id, slug, name, templates, retired: _, variables: _ } = found.clone();
        let (templates, retired, variables) = (self.seen.own_templates(&templates), Vec::new(), Vec::new());
        LibrarySet { id, slug, name, templates, retired, variables }
    }

    fn release(&self, found: &Release) -> Release {
        let snapshot = &found.snapshot;
        let ways = self.ways(found.project, Some(found.id), &snapshot.steps);
        let steps = self.steps(&snapshot.steps, &ways);
        let known: BTreeSet<_> = steps.iter().map(|step| step.id).collect();
        let sets = snapshot.library_sets.iter().map(|set| {
            let SnapshotSet { id, templates, variables } = set.clone();
            SnapshotSet { id, templates, variables: self.variables(&variables, &ways) }
        });
        let snapshot = Arc::new(Snapshot {
            library_sets: sets.collect(),
            variables: self.variables(&snapshot.variables, &ways),
            templates: snapshot.templates.clone(),
            steps,
            index: Index::default(),
        });
        let Release { id, project, version, created, notes, snapshot: _, mut packages } = found.clone();
        packages.retain(|step, _| known.contains(step));
        Release { id, project, version, created, notes, snapshot, packages }
    }

    fn steps(&self, found: &[Step], ways: &[Way<'_>]) -> Vec<Step> {
        found.iter().filter_map(|step| self.step(step, ways)).collect()
    }

    /// A step that runs for somebody who is seen, where they are, or that ran for them.
    fn step(&self, found: &Step, ways: &[Way<'_>]) -> Option<Step> {
        let mut its = ways.iter().filter(|way| way.steps.contains(&found.id));
        let ran = its.clone().any(|way| way.was);
        // Of one that ran, nothing more is told than that.
        let (mut environments, mut excluded_environments) = (BTreeSet::new(), BTreeSet::new());
        let mut tenants = Query { narrowed: true, ..Query::default() };
        if its.any(|way| !way.was) {
            let places = ways.iter().filter(|way| ran || !way.was).map(|way| way.place).collect();
            environments = &found.environments & &places;
            excluded_environments = &found.excluded_environments & &places;
            tenants = self.seen.query(&found.tenants, Empty::MeansEverybody)?;
        } else if !ran {
            return None;
        }
        let mut left = found.clone();
        let Step {
            id: _,
            slug: _,
            name: _,
            roles: _,
            environments: places,
            excluded_environments: excluded,
            tenants: query,
            action: _,
            needs: _,
            timeout_seconds: _,
            safe_to_repeat: _,
            concurrent: _,
            disabled: _,
        } = &mut left;
        (*places, *excluded, *query) = (environments, excluded_environments, tenants);
        Some(left)
    }

    /// The variables with the values that count for somebody who is seen, in any of these ways.
    fn variables(&self, found: &[Variable], ways: &[Way<'_>]) -> Vec<Variable> {
        let values = |variable: &Variable| {
            variable.values.iter().filter_map(|value| self.value(value, ways)).collect()
        };
        let left =
            found.iter().map(|variable| Variable { name: variable.name.clone(), values: values(variable) });
        left.filter(|variable| !variable.values.is_empty()).collect()
    }

    fn value(&self, found: &ScopedValue, ways: &[Way<'_>]) -> Option<ScopedValue> {
        let scope =
            ways.iter().filter_map(|way| way.left(&found.scope, self.seen)).reduce(|one, other| ValueScope {
                environments: &one.environments | &other.environments,
                targets: &one.targets | &other.targets,
                steps: &one.steps | &other.steps,
                roles: &one.roles | &other.roles,
                tenants: one.tenants,
            });
        let ScopedValue { id, value, scope: _ } = found.clone();
        Some(ScopedValue { id, value, scope: scope? })
    }
}
