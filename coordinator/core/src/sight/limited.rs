//! A space in which nothing exists but what somebody sees: kind by kind, what is left, and what is left of it.
//!
//! Each thing is taken apart by all its fields, so that a new one is shown to nobody who is limited before it is said here
//! what is left of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use windlass_protocol::ids::{DeploymentId, EnvironmentId, ProjectId, ReleaseId, StepId, TargetId};
use windlass_protocol::message::{Generation, Participation};

use super::queries::VisibleTenants;
use crate::catalogue::{Catalogue, Named};
use crate::model::{
    Ahead, Deployment, Environment, Granted, Index, LibrarySet, Lifecycle, Package, PackageKey, Phase,
    PhaseRule, Project, Release, ScopedValue, Snapshot, SnapshotSet, Step, StepAction, TagSet, Target,
    TenantLimit, ValueScope, Variable,
};
use crate::query::{Empty, Query};
use crate::scope;
use crate::state::{Flow, Space};

/// What is left of `whole`.
pub(super) fn space(whole: &Space, limits: &[TenantLimit]) -> Space {
    let seen = VisibleTenants::by(whole, limits);
    let mut left = Space::new(whole.head.clone());
    left.caps = whole.caps;
    fill(&mut left.tenants, seen.tenants.values().map(|tenant| (*tenant).clone()));
    fill(&mut left.environments, environments(whole, &seen));
    fill(&mut left.tag_sets, whole.tag_sets.iter().filter_map(|set| tag_set(&seen, set)));
    left.history = whole.history.of(|tenant| seen.tenants.contains_key(&tenant));
    left.deployments = deployments(whole, &seen);
    let finished: Vec<_> = whole.finished.iter().filter(|id| left.deployments.contains_key(id)).collect();
    left.finished = finished.into();
    let mut view = LimitedView::new(whole, &seen, &left);
    let targets: Vec<_> =
        whole.targets.iter().filter_map(|found| view.target(whole, &left.deployments, found)).collect();
    fill(&mut left.targets, targets.into_iter());
    view.targets = left.targets.iter().map(|target| target.id).collect();
    let projects = seen.places.keys().filter_map(|id| whole.projects.get(*id));
    fill(&mut left.projects, projects.map(|found| view.project(found)));
    // The sets of what they are connected to, and those that ask for values which they have given.
    let included: BTreeSet<_> = left.projects.iter().flat_map(|project| &project.library_sets).collect();
    let sets = whole.library_sets.iter().filter_map(|set| match included.contains(&set.id) {
        true => Some(view.library_set(set, &left.projects)),
        false => seen.has_value(&set.templates).then(|| view.left_library_set(set)),
    });
    fill(&mut left.library_sets, sets.collect::<Vec<_>>().into_iter());
    let lifecycles: BTreeSet<_> = left.projects.iter().map(|project| project.lifecycle).collect();
    let lifecycles = lifecycles.into_iter().filter_map(|id| whole.lifecycles.get(id));
    fill(&mut left.lifecycles, lifecycles.map(|found| lifecycle(&seen, found)));
    // What was deployed for them, and what may be.
    let releases = seen.places.keys().flat_map(|id| whole.releases_of(*id)).filter(|release| {
        seen.connected.contains_key(&release.project) || view.deployed.contains_key(&release.id)
    });
    left.releases = releases.map(|found| (found.id, Arc::new(view.release(found)))).collect();
    let lost = whole.lost.iter().filter(|(target, _)| view.targets.contains(target));
    left.lost = lost.map(|(target, since)| (*target, *since)).collect();
    packages(whole, &mut left);
    left.served_since = whole.served_since;
    left.rebuild_indexes();
    left
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
        let (name, environments) = ("Elsewhere".to_owned(), Vec::new());
        phases.push(Phase { name, environments, rule: PhaseRule::All, unseen: true });
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
    seen: &'a VisibleTenants<'a>,
    targets: BTreeSet<TargetId>,
    /// Roles of steps that are seen: another one is of somebody else's machines.
    roles: BTreeSet<String>,
    /// Steps of releases that ran for them, whoever such steps are for in other releases.
    ran: BTreeSet<(ReleaseId, StepId)>,
    /// Where each release is or was deployed for them.
    deployed: BTreeMap<ReleaseId, BTreeSet<EnvironmentId>>,
}

/// What is looked at, and where: what was theirs once opens what it was, and nothing that came after it.
struct Among<'a> {
    places: Cow<'a, BTreeSet<EnvironmentId>>,
    /// None for a project as it stands.
    release: Option<ReleaseId>,
}

impl<'a> LimitedView<'a> {
    /// `left` has their deployments and their history already.
    fn new(whole: &Space, seen: &'a VisibleTenants<'a>, left: &Space) -> Self {
        let steps = |found: &Arc<Deployment>| {
            let release = found.release();
            let steps = found.graph.nodes().filter_map(|node| node.plot.work.step());
            steps.map(|step| (release, step)).collect::<Vec<_>>()
        };
        let ran = left.deployments.values().flat_map(steps).collect();
        let mut deployed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let known = left.deployments.values().map(|found| (found.release(), found.environment));
        for (release, environment) in known.chain(left.history.releases()) {
            deployed.entry(release).or_default().insert(environment);
        }
        let (targets, roles) = Default::default();
        let mut view = Self { seen, targets, roles, ran, deployed };
        for project in seen.places.keys() {
            let found = whole.projects.get(*project).map(|project| (project.steps.as_slice(), None));
            let frozen = whole.releases_of(*project);
            let frozen = frozen.map(|release| (release.snapshot.steps.as_slice(), Some(release.id)));
            for (steps, release) in found.into_iter().chain(frozen) {
                let among = view.among(*project, release);
                let theirs = steps.iter().filter(|step| view.step(step, &among).is_some());
                let roles: Vec<_> = theirs.flat_map(|step| step.roles.iter().cloned()).collect();
                view.roles.extend(roles);
            }
        }
        view
    }

    /// Where a release counts for them, or a project as it stands.
    fn among(&self, project: ProjectId, release: Option<ReleaseId>) -> Among<'a> {
        static NOWHERE: BTreeSet<EnvironmentId> = BTreeSet::new();
        let connected = self.seen.connected.get(&project).unwrap_or(&NOWHERE);
        let were = release.and_then(|release| self.deployed.get(&release));
        let places = match were {
            Some(were) => Cow::Owned(connected | were),
            None => Cow::Borrowed(connected),
        };
        Among { places, release }
    }

    /// A target that may serve somebody who is seen, where somebody who is seen is connected, or that may hold something of
    /// theirs. That it takes part in untenanted deployments too is nothing that is seen.
    fn target(
        &self,
        whole: &Space,
        deployments: &OrdMap<DeploymentId, Arc<Deployment>>,
        found: &Target,
    ) -> Option<Target> {
        let Target { id, slug, name, enabled, revoked, key, granted, advertised: _, told_claims: _, ahead } =
            found.clone();
        let Granted { mut roles, mut environments, tenants, participation: _ } = granted;
        environments.retain(|environment| self.seen.environments.contains(environment));
        let takes_part = scope::takes_part(found, true);
        let mut connected = self.seen.connected.values().flatten();
        let serves = takes_part
            && connected.any(|environment| environments.contains(environment))
            && self.seen.tenants.values().any(|tenant| scope::has_tenant(whole, found, tenant));
        let theirs = |tenant| self.seen.tenants.contains_key(&tenant);
        let may_hold = || whole.history.may_hold_of(id).any(theirs);
        let works = || {
            let mut open = deployments.values().filter(|deployment| !deployment.is_over());
            open.any(|deployment| deployment.parts.contains_key(&id))
        };
        if !serves && !may_hold() && !works() {
            return None;
        }
        let nobody = Query { narrowed: true, ..Query::default() };
        // Shown as tenanted, one that is for no tenant has none.
        let tenants = self.seen.query(&tenants, Empty::MeansNobody).filter(|_| takes_part).unwrap_or(nobody);
        roles.retain(|role| self.roles.contains(role));
        // How far ahead its agent is tells how much everybody did.
        let ahead =
            ahead.map(|ahead| Ahead { generation: Generation::default(), confirmed: ahead.confirmed });
        Some(Target {
            id,
            slug,
            name,
            enabled,
            revoked,
            key,
            granted: Granted { roles, environments, tenants, participation: Participation::Tenanted },
            advertised: self.seen.advertisement(&found.advertised, &self.roles),
            told_claims: BTreeSet::new(),
            ahead,
        })
    }

    /// A project that they are not connected to any more is there by its name, with what names their own values.
    fn project(&self, found: &Project) -> Project {
        let Project {
            id,
            slug,
            name,
            tenancy,
            lifecycle,
            mut library_sets,
            mut templates,
            retired: _,
            mut variables,
            mut steps,
        } = found.clone();
        if self.seen.connected.contains_key(&id) {
            let among = self.among(id, None);
            steps = self.steps(&steps, &among);
            variables = self.variables(&variables, &ids(&steps), &among.places);
        } else {
            templates = self.seen.own_templates(&templates);
            (library_sets, variables, steps) = Default::default();
        }
        let retired = Vec::new();
        Project { id, slug, name, tenancy, lifecycle, library_sets, templates, retired, variables, steps }
    }

    /// A set counts where they are connected to projects that include it.
    fn library_set(&self, found: &LibrarySet, projects: &Catalogue<Project>) -> LibrarySet {
        let including = projects.iter().filter(|project| project.library_sets.contains(&found.id));
        let places = including.filter_map(|project| self.seen.connected.get(&project.id)).flatten();
        let places = places.copied().collect();
        let variables = self.variables(&found.variables, &BTreeSet::new(), &places);
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
        let among = self.among(found.project, Some(found.id));
        let (places, steps) = (&among.places, self.steps(&snapshot.steps, &among));
        let known = ids(&steps);
        let sets = snapshot.library_sets.iter().map(|set| {
            let SnapshotSet { id, templates, variables } = set.clone();
            SnapshotSet { id, templates, variables: self.variables(&variables, &known, places) }
        });
        let snapshot = Arc::new(Snapshot {
            library_sets: sets.collect(),
            variables: self.variables(&snapshot.variables, &known, places),
            templates: snapshot.templates.clone(),
            steps,
            index: Index::default(),
        });
        let Release { id, project, version, created, notes, snapshot: _, mut packages } = found.clone();
        packages.retain(|step, _| known.contains(step));
        Release { id, project, version, created, notes, snapshot, packages }
    }

    fn steps(&self, found: &[Step], among: &Among<'_>) -> Vec<Step> {
        found.iter().filter_map(|step| self.step(step, among)).collect()
    }

    /// A step that runs for somebody who is seen, where they are, or that ran for them.
    fn step(&self, found: &Step, among: &Among<'_>) -> Option<Step> {
        let places = among.places.as_ref();
        let ran = || among.release.is_some_and(|release| self.ran.contains(&(release, found.id)));
        let excluded_environments: BTreeSet<_> =
            found.excluded_environments.intersection(places).copied().collect();
        let tenants = self.seen.query(&found.tenants, Empty::MeansEverybody);
        let environments = any_of(&found.environments, places);
        let (tenants, environments) = match (tenants, environments) {
            (Some(tenants), Some(environments)) if excluded_environments != *places => {
                (tenants, environments)
            }
            _ if ran() => (Query { narrowed: true, ..Query::default() }, BTreeSet::new()),
            _ => return None,
        };
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

    /// The variables with the values that count for somebody who is seen, in these places.
    fn variables(
        &self,
        found: &[Variable],
        steps: &BTreeSet<StepId>,
        places: &BTreeSet<EnvironmentId>,
    ) -> Vec<Variable> {
        let values = |variable: &Variable| {
            variable.values.iter().filter_map(|value| self.value(value, steps, places)).collect()
        };
        let left =
            found.iter().map(|variable| Variable { name: variable.name.clone(), values: values(variable) });
        left.filter(|variable| !variable.values.is_empty()).collect()
    }

    fn value(
        &self,
        found: &ScopedValue,
        steps: &BTreeSet<StepId>,
        places: &BTreeSet<EnvironmentId>,
    ) -> Option<ScopedValue> {
        let scope = &found.scope;
        let scope = ValueScope {
            environments: any_of(&scope.environments, places)?,
            targets: any_of(&scope.targets, &self.targets)?,
            steps: any_of(&scope.steps, steps)?,
            roles: any_of(&scope.roles, &self.roles)?,
            tenants: self.seen.query(&scope.tenants, Empty::MeansEverybody)?,
        };
        let ScopedValue { id, value, scope: _ } = found.clone();
        Some(ScopedValue { id, value, scope })
    }
}

fn ids(steps: &[Step]) -> BTreeSet<StepId> {
    steps.iter().map(|step| step.id).collect()
}

/// What is left of `named`, where none means any; `None` where nothing is left of some.
fn any_of<T: Clone + Ord>(named: &BTreeSet<T>, seen: &BTreeSet<T>) -> Option<BTreeSet<T>> {
    let left: BTreeSet<T> = named.intersection(seen).cloned().collect();
    (named.is_empty() || !left.is_empty()).then_some(left)
}
