//! Every lifecycle, connection and past of a small kind, against a model of SEMANTICS 4 that knows bits and nothing
//! else: an environment is a bit, a set of them a number.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use windlass_api::documents::Tenancy;
use windlass_api::plan::TenantRule;
use windlass_coordinator_core::model::{
    Environment, Index, Lifecycle, Phase, PhaseRule, Project, Release, Snapshot, Tenant,
};
use windlass_coordinator_core::plan::judge;
use windlass_coordinator_core::promotion::{ResolvedPhase, Successes, check, phases};
use windlass_coordinator_core::state::{History, Space, SpaceHead};
use windlass_protocol::ids::{
    DeploymentId, EnvironmentId, KeyId, LifecycleId, ProjectId, ReleaseId, SpaceId, TenantId,
};

use crate::world::START;

const PROJECT: ProjectId = ProjectId::from_bytes([1; 16]);
const RELEASE: ReleaseId = ReleaseId::from_bytes([2; 16]);
const LIFECYCLE: LifecycleId = LifecycleId::from_bytes([3; 16]);

/// A set of environments: environment 0 is the lowest bit.
type Places = u8;

/// Who a deployment is for: nobody, or the tenant of this number.
type Lane = Option<usize>;

const LANES: [Lane; 3] = [None, Some(0), Some(1)];

fn environment(index: usize) -> EnvironmentId {
    EnvironmentId::from_bytes([u8::try_from(index).expect("few"); 16])
}

fn places(set: Places) -> impl Iterator<Item = EnvironmentId> {
    (0..8).filter(move |index| set & (1 << index) != 0).map(environment)
}

/// A phase: the environments that it names, and its rule.
type Named = (Places, PhaseRule);

/// Every list of at most `most` phases over `environments`, each with each of `rules`. No environment is in two phases;
/// a phase may name none.
fn lifecycles(environments: u8, most: usize, rules: &[PhaseRule]) -> Vec<Vec<Named>> {
    let mut all: Vec<Vec<Named>> = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..most {
        let mut longer = Vec::new();
        for phases in &longest {
            let taken = phases.iter().fold(0, |taken, (named, _)| taken | named);
            for named in (0..1 << environments).filter(|named| named & taken == 0) {
                for rule in rules {
                    longer.push(phases.iter().copied().chain([(named, *rule)]).collect());
                }
            }
        }
        all.extend(longer.iter().cloned());
        longest = longer;
    }
    all
}

/// The lifecycle as documents would define it.
fn lifecycle(named: &[Named]) -> Lifecycle {
    let phase = |(named, rule): &Named| Phase {
        name: "phase".to_owned(),
        environments: places(*named).collect(),
        rule: *rule,
        unseen: false,
    };
    Lifecycle {
        id: LIFECYCLE,
        slug: "small".parse().expect("a slug"),
        name: "Small".parse().expect("a name"),
        phases: named.iter().map(phase).collect(),
    }
}

fn tenant_id(index: usize) -> TenantId {
    TenantId::from_bytes([u8::try_from(index).expect("few"); 16])
}

fn tenant(index: usize, connected: Places) -> Tenant {
    Tenant {
        id: tenant_id(index),
        slug: format!("tenant-{index}").parse().expect("a slug"),
        name: format!("Tenant {index}").parse().expect("a name"),
        enabled: true,
        key: KeyId::from_bytes([0; 16]),
        tags: BTreeSet::new(),
        projects: BTreeMap::from([(PROJECT, places(connected).collect())]),
        values: imbl::OrdMap::new(),
    }
}

/// What succeeded: untenanted, for tenant 0, for tenant 1.
#[derive(Debug, Clone, Copy)]
struct Past([Places; 3]);

impl Past {
    fn of(self, lane: Lane) -> Places {
        self.0[lane.map_or(0, |index| index + 1)]
    }

    fn anybody(self) -> Places {
        self.0[0] | self.0[1] | self.0[2]
    }
}

impl Successes for Past {
    fn succeeded(&self, _: ReleaseId, at: EnvironmentId, by: Option<TenantId>) -> bool {
        let lane = by.map(|tenant| usize::from(tenant.as_bytes()[0]));
        self.of(lane) & (1 << at.as_bytes()[0]) != 0
    }

    fn succeeded_for_anybody(&self, _: ReleaseId, at: EnvironmentId) -> bool {
        self.anybody() & (1 << at.as_bytes()[0]) != 0
    }
}

/// SEMANTICS 4: the environments that a lane may go to, its connections aside.
fn open(all: Places, named: &[Named], own: Places, by_itself: Places, by_anybody: Places) -> Places {
    if named.is_empty() {
        let one_each: Vec<Named> = (0..8).map(|index| (all & (1 << index), PhaseRule::All)).collect();
        let one_each: Vec<_> = one_each.into_iter().filter(|(place, _)| *place != 0).collect();
        return open(all, &one_each, own, by_itself, by_anybody);
    }
    let (mut open, mut taken) = (0, 0);
    for (named, rule) in named {
        // A phase that names nothing is all that no earlier one names.
        let phase = if *named == 0 { all & !taken } else { *named };
        taken |= phase;
        open |= phase;
        // Connected nowhere in it, or untenanted: what counts is what anybody did.
        let (relevant, done) = match phase & own {
            0 => (phase, phase & by_anybody),
            connected => (connected, connected & by_itself),
        };
        let (relevant, done) = (relevant.count_ones(), done.count_ones());
        let complete = match rule {
            PhaseRule::All => done == relevant,
            PhaseRule::AtLeast(least) => done >= relevant.min(*least),
            PhaseRule::Optional => true,
        };
        if !complete {
            break;
        }
    }
    open
}

/// A lane's answer of the product: the environments that `check` lets it go to.
fn checked(all: Places, phases: &[ResolvedPhase], past: Past, who: Option<&Tenant>) -> Places {
    let mut open = 0;
    for index in (0..3).filter(|index| all & (1 << index) != 0) {
        if check(phases, &past, PROJECT, RELEASE, environment(index), who).is_ok() {
            open |= 1 << index;
        }
    }
    open
}

/// Looks at every question about these lifecycles and pasts, for lanes of `connections`. Answers how many worlds there
/// were, and in how many of them everything, and not everything, is open.
fn look_at(
    environments: u8,
    lifecycles: &[Vec<Named>],
    pasts: &[Past],
    lanes: &[Lane],
) -> (usize, usize, usize) {
    let all: Places = (1 << environments) - 1;
    let ids: Vec<_> = places(all).collect();
    let tenants = [0, 1].map(|index| (0..=all).map(|set| tenant(index, set)).collect::<Vec<_>>());
    let (mut worlds, mut everywhere, mut somewhere) = (0, 0, 0);
    for named in lifecycles {
        let phases = phases(&lifecycle(named), &ids, |_| "environment".to_owned());
        for past in pasts {
            for lane in lanes {
                let connections = if lane.is_some() { 0..=all } else { 0..=0 };
                for connected in connections {
                    let who = lane.map(|index| &tenants[index][usize::from(connected)]);
                    let expected = open(all, named, connected, past.of(*lane), past.anybody());
                    let found = checked(all, &phases, *past, who);
                    assert_eq!(found, expected, "{named:?}, {past:?}, {lane:?} in {connected:b}");
                    worlds += 1;
                    *if expected == all { &mut everywhere } else { &mut somewhere } += 1;
                }
            }
        }
    }
    (worlds, everywhere, somewhere)
}

/// Three phases over three environments have so many lifecycles that not every pair of tenants fits beside them. One
/// lane reads its own connections and successes, and whether anybody succeeded: all of that is looked at here, with
/// tenant 1 in the part of everybody else. The two tenants beside each other are the next test's.
#[test]
fn every_lifecycle_of_three_phases_over_three_environments_opens_what_the_model_says() {
    let rules = [PhaseRule::All, PhaseRule::AtLeast(1), PhaseRule::AtLeast(2), PhaseRule::Optional];
    let lifecycles = lifecycles(3, 3, &rules);
    let of_two = (0..8).flat_map(|own| (0..8).map(move |others| Past([0, own, others])));
    let (of_tenant, everywhere, somewhere) = look_at(3, &lifecycles, &of_two.collect::<Vec<_>>(), &[Some(0)]);
    let of_all = (0..8).flat_map(|own| (0..8).map(move |others| Past([own, others, 0])));
    let (untenanted, ..) = look_at(3, &lifecycles, &of_all.collect::<Vec<_>>(), &[None]);
    let worlds = of_tenant + untenanted;
    eprintln!("{worlds} worlds of a lifecycle, a past and a lane; {everywhere} open everywhere");
    assert_eq!(lifecycles.len(), 1 + 8 * 4 + 27 * 16 + 64 * 64);
    assert_eq!(worlds, lifecycles.len() * 64 * 8 + lifecycles.len() * 64);
    assert!(everywhere > 1000 && somewhere > 1000, "both are common: {everywhere} and {somewhere}");
}

#[test]
fn every_past_of_two_tenants_and_nobody_opens_for_each_lane_what_the_model_says() {
    let rules = [PhaseRule::All, PhaseRule::AtLeast(1), PhaseRule::AtLeast(2), PhaseRule::Optional];
    let pasts: Vec<_> = (0..4u8)
        .flat_map(|none| (0..4).flat_map(move |one| (0..4).map(move |two| Past([none, one, two]))))
        .collect();
    let lifecycles = lifecycles(2, 3, &rules);
    let (worlds, everywhere, somewhere) = look_at(2, &lifecycles, &pasts, &LANES);
    eprintln!(
        "{worlds} worlds of a lifecycle, a past of three lanes and a lane; {everywhere} open everywhere"
    );
    assert_eq!(lifecycles.len(), 1 + 4 * 4 + 9 * 16 + 16 * 64);
    assert_eq!(worlds, lifecycles.len() * 64 * (1 + 4 + 4));
    assert!(everywhere > 1000 && somewhere > 1000, "both are common: {everywhere} and {somewhere}");
}

/// A space with two environments and nothing else.
fn space() -> Space {
    let head = SpaceHead {
        id: SpaceId::from_bytes([9; 16]),
        slug: "default".parse().expect("a slug"),
        name: "Default".parse().expect("a name"),
        key: KeyId::from_bytes([0; 16]),
    };
    let mut space = Space::new(head);
    for index in 0..2 {
        space.environments.put(Environment {
            id: environment(index),
            slug: format!("environment-{index}").parse().expect("a slug"),
            name: format!("Environment {index}").parse().expect("a name"),
            description: String::new(),
            order: u32::try_from(index).expect("few"),
        });
    }
    space
}

fn project(tenancy: Tenancy) -> Project {
    Project {
        id: PROJECT,
        slug: "product".parse().expect("a slug"),
        name: "Product".parse().expect("a name"),
        tenancy,
        lifecycle: LIFECYCLE,
        library_sets: Vec::new(),
        templates: Vec::new(),
        retired: Vec::new(),
        variables: Vec::new(),
        steps: Vec::new(),
    }
}

fn release() -> Release {
    let (steps, variables, templates, library_sets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Release {
        id: RELEASE,
        project: PROJECT,
        version: "1.0.0".parse().expect("a version"),
        created: START,
        notes: String::new(),
        snapshot: std::sync::Arc::new(Snapshot {
            steps,
            variables,
            templates,
            library_sets,
            index: Index::default(),
        }),
        packages: BTreeMap::new(),
    }
}

/// What a space remembers of a past, as a snapshot of it would hold it.
fn history(past: Past) -> History {
    let mut successes = Vec::new();
    for lane in LANES {
        for at in places(past.of(lane)) {
            let deployment = DeploymentId::from_bytes([8; 16]);
            let success = json!({"record": 1, "deployment": deployment, "subject": {"release": RELEASE}});
            successes.push(json!([(PROJECT, at, lane.map(tenant_id)), [success]]));
        }
    }
    serde_json::from_value(json!({"successes": successes, "attempts": [], "held": [], "handed": []}))
        .expect("a history")
}

/// Whether a deployment of the project may be for this lane at all.
fn admits(tenancy: Tenancy, lane: Lane) -> bool {
    match tenancy {
        Tenancy::Untenanted => lane.is_none(),
        Tenancy::TenantedOrUntenanted => true,
        Tenancy::Tenanted => lane.is_some(),
    }
}

/// The whole judgement, in a space: what a space remembers of successes, connections of both tenants, and tenancy.
#[test]
fn every_world_of_two_tenants_and_a_tenancy_is_judged_as_the_model_says() {
    let rules = [PhaseRule::All, PhaseRule::AtLeast(1), PhaseRule::Optional];
    let tenancies = [Tenancy::Untenanted, Tenancy::TenantedOrUntenanted, Tenancy::Tenanted];
    let projects = tenancies.map(project);
    let (release, lifecycles) = (release(), lifecycles(2, 2, &rules));
    let (mut space, mut worlds, mut admitted) = (space(), 0, 0);
    let pasts = (0..64u8).map(|bits| Past([bits & 3, (bits >> 2) & 3, bits >> 4]));
    let pasts: Vec<_> = pasts.map(|past| (past, history(past))).collect();
    for named in &lifecycles {
        space.lifecycles.put(lifecycle(named));
        for connections in 0..16u8 {
            let connected = [connections & 3, connections >> 2];
            (0..2).for_each(|index| space.tenants.put(tenant(index, connected[index])));
            for (past, history) in &pasts {
                space.history = history.clone();
                for lane in LANES {
                    let own = lane.map_or(0, |index| connected[index]);
                    let open = open(3, named, own, past.of(lane), past.anybody());
                    for (project, place) in projects.iter().flat_map(|project| [(project, 0), (project, 1)]) {
                        let refusals =
                            judge(&space, &space, project, &release, environment(place), lane.map(tenant_id));
                        let rules: Vec<_> = refusals.iter().map(|refusal| refusal.rule).collect();
                        let expected = [
                            (lane.is_some() && own & (1 << place) == 0, TenantRule::NotConnected),
                            (open & (1 << place) == 0, TenantRule::Lifecycle),
                            (!admits(project.tenancy, lane), TenantRule::Tenancy),
                        ];
                        let expected =
                            expected.into_iter().filter_map(|(broken, rule)| broken.then_some(rule));
                        let (expected, tenancy) = (expected.collect::<Vec<_>>(), project.tenancy);
                        assert_eq!(
                            rules, expected,
                            "{named:?}, {past:?}, {connected:?}, {tenancy:?}, {lane:?}"
                        );
                        admitted += usize::from(expected.is_empty());
                    }
                }
                worlds += tenancies.len();
            }
        }
    }
    eprintln!("{worlds} worlds of two tenants; {admitted} of their {} deployments may be made", worlds * 6);
    assert_eq!(lifecycles.len(), 1 + 4 * 3 + 9 * 9);
    assert_eq!(worlds, 64 * 16 * lifecycles.len() * 3);
    assert!(admitted > 1000, "both answers are common: {admitted}");
}
