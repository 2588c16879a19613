//! A space in which nothing exists but what somebody sees: kind by kind, what is left, and what is left of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::Participation;

use super::queries::Seen;
use crate::catalogue::{Catalogue, Named};
use crate::model::{
    Deployment, LibrarySet, Lifecycle, Package, PackageKey, Phase, Project, Release, ScopedValue, Snapshot,
    SnapshotSet, Step, StepAction, TagSet, Target, TenantLimit, ValueScope, Variable,
};
use crate::query::Empty;
use crate::scope;
use crate::state::Space;

/// What is left of `whole`.
pub(super) fn space(whole: &Space, limits: &[TenantLimit]) -> Space {
    let seen = Seen::by(whole, limits);
    let mut left = Space::new(whole.head.clone());
    left.caps = whole.caps;
    fill(&mut left.tenants, seen.tenants.values().map(|tenant| (*tenant).clone()));
    let environments = seen.environments.iter().filter_map(|id| whole.environments.get(*id));
    fill(&mut left.environments, environments.cloned());
    fill(&mut left.tag_sets, whole.tag_sets.iter().filter_map(|set| tag_set(&seen, set)));
    fill(&mut left.targets, whole.targets.iter().filter_map(|found| target(whole, &seen, found)));
    let looking = Looking { seen: &seen, targets: left.targets.iter().map(|target| target.id).collect() };
    let projects = seen.projects.iter().filter_map(|id| whole.projects.get(*id));
    fill(&mut left.projects, projects.map(|found| looking.project(found)));
    let sets: BTreeSet<_> = left.projects.iter().flat_map(|project| &project.library_sets).copied().collect();
    let sets = sets.into_iter().filter_map(|id| whole.library_sets.get(id));
    fill(&mut left.library_sets, sets.map(|found| looking.library_set(found)));
    let lifecycles: BTreeSet<_> = left.projects.iter().map(|project| project.lifecycle).collect();
    let lifecycles = lifecycles.into_iter().filter_map(|id| whole.lifecycles.get(id));
    fill(&mut left.lifecycles, lifecycles.map(|found| lifecycle(&seen, found)));
    let releases = seen.projects.iter().flat_map(|id| whole.releases_of(*id));
    left.releases = releases.map(|found| (found.id, Arc::new(looking.release(found)))).collect();
    left.deployments = deployments(whole, &seen, &looking.targets);
    left.finished = whole.finished.iter().filter(|id| left.deployments.contains_key(*id)).copied().collect();
    left.history = whole
        .history
        .of(|tenant| seen.tenants.contains_key(&tenant), |target| looking.targets.contains(&target));
    let lost = whole.lost.iter().filter(|(target, _)| looking.targets.contains(target));
    left.lost = lost.map(|(target, since)| (*target, *since)).collect();
    packages(whole, &mut left);
    left.rebuild_indexes();
    left
}

fn fill<T: Named>(catalogue: &mut Catalogue<T>, found: impl Iterator<Item = T>) {
    found.for_each(|thing| catalogue.put(thing));
}

fn tag_set(seen: &Seen<'_>, found: &TagSet) -> Option<TagSet> {
    let tags: Vec<_> = found.tags.iter().filter(|tag| seen.tags.contains(&tag.id)).cloned().collect();
    (!tags.is_empty()).then(|| TagSet { tags, ..found.clone() })
}

/// A phase of which no environment is seen is none; one that stands for all others stays.
fn lifecycle(seen: &Seen<'_>, found: &Lifecycle) -> Lifecycle {
    let phases = found.phases.iter().filter_map(|phase| {
        let left: Vec<_> =
            phase.environments.iter().copied().filter(|id| seen.environments.contains(id)).collect();
        (phase.environments.is_empty() || !left.is_empty())
            .then(|| Phase { environments: left, ..phase.clone() })
    });
    Lifecycle { phases: phases.collect(), ..found.clone() }
}

/// A target that may serve somebody who is seen, where somebody who is seen is connected. That it takes part in
/// untenanted deployments too is nothing that is seen.
fn target(whole: &Space, seen: &Seen<'_>, found: &Target) -> Option<Target> {
    if !scope::takes_part(found, true)
        || !seen.tenants.values().any(|tenant| scope::has_tenant(whole, found, tenant))
    {
        return None;
    }
    let mut left = found.clone();
    left.granted.environments = seen.environments_of(&found.granted.environments);
    if left.granted.environments.is_empty() {
        return None;
    }
    left.granted.tenants = seen.query(&found.granted.tenants, Empty::MeansNobody)?;
    left.granted.participation = Participation::Tenanted;
    left.advertised = seen.advertisement(&found.advertised);
    left.advertised.participation = found.advertised.participation.map(|_| Participation::Tenanted);
    left.told_claims.clear();
    Some(left)
}

fn deployments(
    whole: &Space,
    seen: &Seen<'_>,
    targets: &BTreeSet<TargetId>,
) -> OrdMap<DeploymentId, Arc<Deployment>> {
    let theirs = whole
        .deployments
        .iter()
        .filter(|(_, found)| found.tenant.is_some_and(|tenant| seen.tenants.contains_key(&tenant)));
    let left = |found: &Arc<Deployment>| {
        let known = |ids: &BTreeSet<TargetId>| ids.intersection(targets).copied().collect();
        Arc::new(Deployment {
            only_targets: found.only_targets.as_ref().map(known),
            excluded_targets: known(&found.excluded_targets),
            ..Deployment::clone(found)
        })
    };
    theirs.map(|(id, found)| (*id, left(found))).collect()
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
    let manifests: BTreeSet<_> = packages.values().map(|package| package.manifest).collect();
    let pulled = whole
        .pulled
        .iter()
        .filter(|(target, manifest)| left.targets.get(*target).is_some() && manifests.contains(manifest));
    left.pulled = pulled.copied().collect();
    left.packages = packages;
}

fn package_id(step: &Step) -> Option<&str> {
    match &step.action {
        StepAction::Package { id, .. } => Some(id),
        StepAction::Script(_) => None,
    }
}

/// Whom and what somebody sees, as far as processes and variables name it.
struct Looking<'a> {
    seen: &'a Seen<'a>,
    targets: BTreeSet<TargetId>,
}

impl Looking<'_> {
    fn project(&self, found: &Project) -> Project {
        let steps = self.steps(&found.steps);
        let variables = self.variables(&found.variables, &ids(&steps));
        Project { steps, variables, retired: Vec::new(), ..found.clone() }
    }

    fn library_set(&self, found: &LibrarySet) -> LibrarySet {
        let variables = self.variables(&found.variables, &BTreeSet::new());
        LibrarySet { variables, retired: Vec::new(), ..found.clone() }
    }

    fn release(&self, found: &Release) -> Release {
        let snapshot = &found.snapshot;
        let steps = self.steps(&snapshot.steps);
        let known = ids(&steps);
        let sets = snapshot
            .library_sets
            .iter()
            .map(|set| SnapshotSet { variables: self.variables(&set.variables, &known), ..set.clone() });
        let packages = found.packages.iter().filter(|(step, _)| known.contains(step));
        Release {
            packages: packages.map(|(step, package)| (*step, package.clone())).collect(),
            snapshot: Arc::new(Snapshot {
                library_sets: sets.collect(),
                variables: self.variables(&snapshot.variables, &known),
                templates: snapshot.templates.clone(),
                steps,
            }),
            ..found.clone()
        }
    }

    /// The steps that run for somebody who is seen, somewhere that is seen.
    fn steps(&self, found: &[Step]) -> Vec<Step> {
        let left = |step: &Step| {
            let excluded_environments = self.seen.environments_of(&step.excluded_environments);
            (excluded_environments != self.seen.environments).then_some(())?;
            Some(Step {
                tenants: self.seen.query(&step.tenants, Empty::MeansEverybody)?,
                environments: self.seen.any_environment(&step.environments)?,
                excluded_environments,
                ..step.clone()
            })
        };
        found.iter().filter_map(left).collect()
    }

    /// The variables with the values that count for somebody who is seen.
    fn variables(&self, found: &[Variable], steps: &BTreeSet<StepId>) -> Vec<Variable> {
        let values = |variable: &Variable| {
            variable.values.iter().filter_map(|value| self.value(value, steps)).collect()
        };
        let left =
            found.iter().map(|variable| Variable { name: variable.name.clone(), values: values(variable) });
        left.filter(|variable| !variable.values.is_empty()).collect()
    }

    fn value(&self, found: &ScopedValue, steps: &BTreeSet<StepId>) -> Option<ScopedValue> {
        let scope = &found.scope;
        let scope = ValueScope {
            environments: self.seen.any_environment(&scope.environments)?,
            targets: any_of(&scope.targets, &self.targets)?,
            steps: any_of(&scope.steps, steps)?,
            roles: scope.roles.clone(),
            tenants: self.seen.query(&scope.tenants, Empty::MeansEverybody)?,
        };
        Some(ScopedValue { scope, ..found.clone() })
    }
}

fn ids(steps: &[Step]) -> BTreeSet<StepId> {
    steps.iter().map(|step| step.id).collect()
}

/// What is left of `named`, where none means any; `None` where nothing is left of some.
fn any_of<T: Copy + Ord>(named: &BTreeSet<T>, seen: &BTreeSet<T>) -> Option<BTreeSet<T>> {
    let left: BTreeSet<T> = named.intersection(seen).copied().collect();
    (named.is_empty() || !left.is_empty()).then_some(left)
}
