//! Where something counts for those who are seen: as things stand, and as they were when a release was deployed for them.
//! What was theirs once opens what it was, and nothing that came after it.
//!
//! It counts for somebody in a place on a machine, and not for one of them here and another there: all that a thing asks
//! for has to hold in one way.

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::ids::{EnvironmentId, ProjectId, ReleaseId, StepId, TargetId, TenantId};

use super::queries::VisibleTenants;
use crate::model::{Step, ValueScope};
use crate::query::Empty;
use crate::scope;
use crate::state::Space;

/// Who is in a place, and on which machines.
#[derive(Default)]
pub(super) struct Reach {
    tenants: BTreeSet<TenantId>,
    targets: BTreeSet<TargetId>,
    /// Effective ones: what scopes values (SEMANTICS 6).
    roles: BTreeSet<String>,
    /// Steps that ran there, of what was.
    ran: BTreeSet<StepId>,
}

pub(super) type Places = BTreeMap<EnvironmentId, Reach>;

/// Where each project's things count as it stands, and which targets are granted for somebody who is seen where one of those
/// is connected to anything: that an agent says less is told of it. Costs what the grants admit.
pub(super) fn present(
    whole: &Space,
    seen: &VisibleTenants<'_>,
) -> (BTreeMap<ProjectId, Places>, BTreeSet<TargetId>) {
    let (mut projects, mut granted) = (BTreeMap::<_, Places>::new(), BTreeSet::new());
    for tenant in seen.tenants.values() {
        for (project, places) in &tenant.projects {
            let known = projects.entry(*project).or_default();
            places.iter().for_each(|place| _ = known.entry(*place).or_default().tenants.insert(tenant.id));
        }
    }
    for target in whole.targets.iter() {
        let environments = scope::environments(&whole.environments, target);
        let mut here = BTreeSet::new();
        for tenant in scope::tenants(whole, target).filter(|found| seen.tenants.contains_key(&found.id)) {
            for (project, places) in &tenant.projects {
                if !places.is_disjoint(&target.granted.environments) {
                    granted.insert(target.id);
                }
                here.extend(places.intersection(&environments).map(|place| (*project, *place)));
            }
        }
        for (project, place) in here {
            let reach = projects.entry(project).or_default().entry(place).or_default();
            reach.targets.insert(target.id);
            reach.roles.extend(scope::roles(target).iter().cloned());
        }
    }
    (projects, granted)
}

/// What was, by release, as far as it is remembered: from what is left of deployments and of the history. Targets that are
/// not seen any more are left out.
pub(super) fn past(left: &Space, targets: &BTreeSet<TargetId>) -> BTreeMap<ReleaseId, Places> {
    let mut pasts: BTreeMap<_, Places> = BTreeMap::new();
    let mut of = |release, place, tenant: Option<TenantId>, tell: &dyn Fn(&mut Reach)| {
        let reach = pasts.entry(release).or_default().entry(place).or_default();
        reach.tenants.extend(tenant);
        tell(reach);
    };
    for (release, (_, place, tenant)) in left.history.releases() {
        of(release, place, tenant, &|_| {});
    }
    for (target, (_, place, tenant), step, held) in left.history.held() {
        of(held.release, place, tenant, &|reach| {
            reach.ran.insert(step);
            reach.targets.extend(targets.get(&target));
        });
    }
    for found in left.deployments.values() {
        of(found.release(), found.environment, found.tenant, &|reach| {
            reach.ran.extend(found.graph.nodes().filter_map(|node| node.plot.work.step()));
            reach.targets.extend(found.parts.keys().filter(|target| targets.contains(target)));
            reach.roles.extend(found.parts.values().flat_map(|part| part.roles.iter().cloned()));
        });
    }
    pasts
}

/// One way in which something can count.
pub(super) struct Way<'a> {
    pub place: EnvironmentId,
    /// Whether it is of what was: nobody knows any more what tags were carried then.
    pub was: bool,
    /// Steps that run so, or ran.
    pub steps: BTreeSet<StepId>,
    reach: &'a Reach,
    /// Those of the machines, and those that the steps ask for.
    roles: BTreeSet<String>,
}

/// The ways in which things of these steps count in places.
pub(super) fn ways<'a>(
    places: &'a Places,
    was: bool,
    steps: &[Step],
    seen: &VisibleTenants<'_>,
) -> impl Iterator<Item = Way<'a>> {
    places.iter().map(move |(place, reach)| {
        let runs = |step: &&Step| {
            (step.environments.is_empty() || step.environments.contains(place))
                && !step.excluded_environments.contains(place)
                && seen.matches(&step.tenants, &reach.tenants)
        };
        let counts = |step: &&Step| if was { reach.ran.contains(&step.id) } else { runs(step) };
        let steps: Vec<_> = steps.iter().filter(counts).collect();
        let of_steps = steps.iter().flat_map(|step| &step.roles);
        let roles = of_steps.chain(&reach.roles).cloned().collect();
        let steps = steps.iter().map(|step| step.id).collect();
        Way { place: *place, was, steps, reach, roles }
    })
}

impl Way<'_> {
    /// What is left of a scope; `None` where it does not count so.
    pub(super) fn left(&self, scope: &ValueScope, seen: &VisibleTenants<'_>) -> Option<ValueScope> {
        let tenants = &scope.tenants;
        if (self.was && tenants.named_tags().next().is_some()) || !seen.matches(tenants, &self.reach.tenants)
        {
            return None;
        }
        Some(ValueScope {
            environments: any_of(&scope.environments, &BTreeSet::from([self.place]))?,
            targets: any_of(&scope.targets, &self.reach.targets)?,
            steps: any_of(&scope.steps, &self.steps)?,
            roles: any_of(&scope.roles, &self.roles)?,
            tenants: seen.query(tenants, Empty::MeansEverybody)?,
        })
    }
}

/// What is left of `named`, where none means any; `None` where nothing is left of some.
fn any_of<T: Clone + Ord>(named: &BTreeSet<T>, seen: &BTreeSet<T>) -> Option<BTreeSet<T>> {
    let left: BTreeSet<T> = named.intersection(seen).cloned().collect();
    (named.is_empty() || !left.is_empty()).then_some(left)
}
