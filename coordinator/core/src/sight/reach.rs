//! Where something counts for those who are seen: as things stand, and as they were when a release was deployed for them.
//! What was theirs once opens what it was, and nothing that came after it.

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::ids::{EnvironmentId, ProjectId, ReleaseId, StepId, TargetId};

use super::queries::VisibleTenants;
use crate::model::{Step, ValueScope};
use crate::query::Empty;
use crate::scope;
use crate::state::Space;

/// Places, machines and their roles.
#[derive(Default)]
pub(super) struct Reach {
    pub places: BTreeSet<EnvironmentId>,
    pub targets: BTreeSet<TargetId>,
    /// Effective ones: what scopes values (SEMANTICS 6).
    pub roles: BTreeSet<String>,
}

impl Reach {
    /// None of them.
    pub(super) const fn nothing() -> Self {
        Self { places: BTreeSet::new(), targets: BTreeSet::new(), roles: BTreeSet::new() }
    }
}

/// What was, as far as it is remembered.
#[derive(Default)]
pub(super) struct Past {
    pub reach: Reach,
    /// Steps that ran for them.
    pub ran: BTreeSet<StepId>,
}

impl Past {
    /// By release, from what is left of deployments and of the history. Targets that are not seen any more are left out.
    pub(super) fn all(left: &Space, targets: &BTreeSet<TargetId>) -> BTreeMap<ReleaseId, Self> {
        let mut pasts: BTreeMap<_, Self> = BTreeMap::new();
        for (release, environment) in left.history.releases() {
            pasts.entry(release).or_default().reach.places.insert(environment);
        }
        for found in left.deployments.values() {
            let Self { reach, ran } = pasts.entry(found.release()).or_default();
            reach.places.insert(found.environment);
            ran.extend(found.graph.nodes().filter_map(|node| node.plot.work.step()));
            reach.targets.extend(found.parts.keys().filter(|target| targets.contains(target)));
            reach.roles.extend(found.parts.values().flat_map(|part| part.roles.iter().cloned()));
        }
        pasts
    }
}

/// Where the things of each project count as it stands.
pub(super) struct Present {
    pub projects: BTreeMap<ProjectId, Reach>,
    /// Targets that are granted for somebody who is seen, where one of those is connected to anything: that its agent says
    /// less is told of it.
    pub granted: BTreeSet<TargetId>,
}

impl Present {
    /// Costs what the grants of targets admit.
    pub(super) fn of(whole: &Space, seen: &VisibleTenants<'_>) -> Self {
        let place = |(project, places): (&ProjectId, &BTreeSet<EnvironmentId>)| {
            (*project, Reach { places: places.clone(), ..Reach::default() })
        };
        let mut present =
            Self { projects: seen.connected.iter().map(place).collect(), granted: BTreeSet::new() };
        for target in whole.targets.iter() {
            let environments = scope::environments(&whole.environments, target);
            let mut projects = BTreeSet::new();
            for tenant in scope::tenants(whole, target).filter(|found| seen.tenants.contains_key(&found.id)) {
                for (project, places) in &tenant.projects {
                    if !places.is_disjoint(&target.granted.environments) {
                        present.granted.insert(target.id);
                    }
                    if !places.is_disjoint(&environments) {
                        projects.insert(*project);
                    }
                }
            }
            for project in projects {
                let reach = present.projects.entry(project).or_default();
                reach.targets.insert(target.id);
                reach.roles.extend(scope::roles(target).iter().cloned());
            }
        }
        present
    }
}

/// Where a project's things count, or a release's.
pub(super) struct Reaches<'a> {
    pub now: &'a Reach,
    pub past: Option<&'a Past>,
}

impl<'a> Reaches<'a> {
    /// How values can count for these steps, which are seen.
    pub(super) fn ways(&self, steps: &'a [Step]) -> impl Iterator<Item = Way<'a>> {
        let now = Way::through(self.now, steps.iter(), false);
        let past = self.past.map(|past| {
            let ran = steps.iter().filter(|step| past.ran.contains(&step.id));
            Way::through(&past.reach, ran, true)
        });
        [now].into_iter().chain(past)
    }
}

/// One way in which a value can count.
pub(super) struct Way<'a> {
    reach: &'a Reach,
    roles: BTreeSet<String>,
    steps: BTreeSet<StepId>,
    /// Nobody knows any more what tags were carried then.
    was: bool,
}

impl<'a> Way<'a> {
    fn through(reach: &'a Reach, steps: impl Iterator<Item = &'a Step> + Clone, was: bool) -> Self {
        let of_steps = steps.clone().flat_map(|step| step.roles.iter().cloned());
        let roles = of_steps.chain(reach.roles.iter().cloned()).collect();
        Self { reach, roles, steps: steps.map(|step| step.id).collect(), was }
    }

    /// What is left of a scope; `None` where it does not count so.
    pub(super) fn left(&self, scope: &ValueScope, seen: &VisibleTenants<'_>) -> Option<ValueScope> {
        let tenants = &scope.tenants;
        if self.was && tenants.named_tags().next().is_some() {
            return None;
        }
        Some(ValueScope {
            environments: any_of(&scope.environments, &self.reach.places)?,
            targets: any_of(&scope.targets, &self.reach.targets)?,
            steps: any_of(&scope.steps, &self.steps)?,
            roles: any_of(&scope.roles, &self.roles)?,
            tenants: seen.query(tenants, Empty::MeansEverybody)?,
        })
    }
}

/// What is left of `named`, where none means any; `None` where nothing is left of some.
pub(super) fn any_of<T: Clone + Ord>(named: &BTreeSet<T>, seen: &BTreeSet<T>) -> Option<BTreeSet<T>> {
    let left: BTreeSet<T> = named.intersection(seen).cloned().collect();
    (named.is_empty() || !left.is_empty()).then_some(left)
}
