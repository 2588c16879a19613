//! Who belongs to a step is looked for by what targets are granted: that finds whom looking at everybody finds, looks at
//! few, and a plan prints as few.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::any;
use serde_json::{Value, json};
use windlass_api::plan::{PlannedStep, TargetState};
use windlass_coordinator_core::decide::TargetChange;
use windlass_coordinator_core::matching::{Question, admits};
use windlass_coordinator_core::model::Target;
use windlass_coordinator_core::state::Facet;
use windlass_protocol::ids::TargetId;

use crate::chance;
use crate::replay::assert_same_indexes;
use crate::world::{World, small};

const TENANTS: [&str; 3] = ["Alpha", "Beta", "Gamma"];
const RING: [&str; 2] = ["Ring/Canary", "Ring/Stable"];
const TAGS: [&str; 4] = ["Ring/Canary", "Ring/Stable", "Tier/Gold", "Tier/Iron"];

fn some<'a>(of: &[&'a str], bits: u8) -> Vec<&'a str> {
    of.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, one)| *one).collect()
}

/// Grants of machines, changes of them, and tags of the tenants.
type History = (Vec<[u8; 4]>, Vec<(usize, [u8; 4])>, [u8; 3]);

/// A grant of any kind: several tag sets, exclusions, nothing at all.
fn grant([first, second, third, fourth]: [u8; 4]) -> Value {
    let participation = ["tenanted", "both", "untenanted", "tenanted"][usize::from(fourth >> 6)];
    let exclude = json!({"tenants": some(&TENANTS, third & (third >> 3)), "tags": some(&TAGS, fourth & (fourth >> 4) & third)});
    json!({"roles": some(&["web", "db"], first), "environments": some(&["Testing", "Staging"], first >> 2),
        "tenants": {"tenants": some(&TENANTS, first >> 4), "tags": some(&TAGS, second), "exclude": exclude},
        "participation": participation})
}

fn ids<'a>(targets: impl Iterator<Item = &'a Target>) -> Vec<TargetId> {
    targets.map(|target| target.id).collect()
}

#[test]
fn whom_a_search_finds_for_a_step_is_whom_looking_at_everybody_finds() {
    let (mut found, mut asked) = (0, 0);
    let strategy = (vec(any::<[u8; 4]>(), 12), vec((0..12_usize, any::<[u8; 4]>()), 6), any::<[u8; 3]>());
    chance::cases(40, &strategy, |(grants, changes, tags): History| {
        let mut world = small();
        world.replays = false;
        for (index, numbers) in grants.into_iter().enumerate() {
            world.enrol(&format!("machine-{index}"), grant(numbers));
        }
        for (name, bits) in TENANTS.into_iter().zip(tags) {
            let tier = some(&TAGS[2..], bits >> 2).into_iter().take(1);
            let tags: Vec<_> = some(&RING, bits).into_iter().chain(tier).collect();
            world.apply(&[json!({"kind": "tenant", "name": name, "tags": tags})]);
        }
        for (index, numbers) in changes {
            let name = format!("machine-{index}");
            match numbers[3] {
                _ if world.space().targets.named(&name).is_none() => {}
                0..64 => world.change(&name, TargetChange::Delete),
                _ => world.grant(&name, grant(numbers)),
            }
        }
        let mut restarted = world.clone();
        restarted.restart();
        assert_same_indexes(&restarted.state, &world.state);

        let (space, nobody) = (world.space(), BTreeSet::new());
        for tenant in space.tenants.iter().map(|tenant| tenant.id) {
            let names =
                |target: &&Target| target.granted.tenants.named_tenants().any(|named| named == tenant);
            let naming: Vec<_> = space.targets.by_name().filter(names).collect();
            assert_eq!(space.granted([Facet::Tenant(tenant), Facet::ExcludesTenant(tenant)]), naming);
        }
        for tag in space.tag_sets.iter().flat_map(|set| &set.tags).map(|tag| tag.id) {
            let names = |target: &&Target| target.granted.tenants.named_tags().any(|named| named == tag);
            assert_eq!(
                space.granted([Facet::NamesTag(tag)]),
                space.targets.by_name().filter(names).collect::<Vec<_>>()
            );
        }
        let few: BTreeSet<_> = space.targets.iter().step_by(3).map(|target| target.id).collect();
        for environment in space.environments.iter().map(|environment| environment.id) {
            for tenant in std::iter::once(None).chain(space.tenants.iter().map(Some)) {
                for (bits, only) in (0..4).flat_map(|bits| [(bits, None), (bits, Some(&few))]) {
                    let roles = some(&["web", "db"], bits).into_iter().map(str::to_owned).collect();
                    let (roles, excluded, now) = (&roles, &nobody, world.now);
                    let question = Question { environment, tenant, roles, only, excluded, now };
                    let belongs = |target: &&Target| admits(space, target, &question);
                    let searched = ids(space.candidates(&question).filter(belongs));
                    assert_eq!(searched, ids(space.targets.iter().filter(belongs)));
                    (found, asked) = (found + searched.len(), asked + space.targets.len());
                }
            }
        }
    });
    assert!(found > 1000 && asked > 10 * found, "both happen: {found} found of {asked}");
}

/// Alpha's own machine, one of all canaries, 40 of Beta's, one of Beta's for `db`, and one for untenanted work.
fn crowd() -> World {
    let mut world = small();
    world.replays = false;
    let mut enrol = |name: &str, role: &str, tenants: Value| {
        world.enrol(name, json!({"roles": [role], "environments": ["Staging"], "tenants": tenants}));
    };
    enrol("alpha", "web", json!({"tenants": ["Alpha"]}));
    enrol("canary", "web", json!({"tags": ["Ring/Canary", "Tier/Gold"]}));
    (0..40).for_each(|index| enrol(&format!("beta-{index}"), "web", json!({"tenants": ["Beta"]})));
    enrol("database", "db", json!({"tags": ["Ring/Stable"]}));
    enrol("plain", "web", json!({}));
    world
}

#[test]
fn a_search_looks_at_those_alone_that_the_rarest_of_what_a_step_needs_brings_in() {
    let world = crowd();
    let (space, nobody) = (world.space(), BTreeSet::new());
    let only = BTreeSet::from([world.target("alpha"), world.target("beta-7")]);
    let cases = [
        ("Staging", Some("Alpha"), "web", None, 2),
        ("Staging", Some("Gamma"), "web", None, 0),
        ("Staging", Some("Beta"), "web", None, 41),
        ("Staging", Some("Beta"), "db", None, 1),
        ("Staging", None, "web", None, 1),
        ("Testing", Some("Beta"), "web", None, 0),
        ("Staging", Some("Beta"), "web", Some(&only), 2),
    ];
    for (environment, tenant, role, only, looked_at) in cases {
        let case = format!("{environment}, {tenant:?}, {role}");
        let environment = space.environments.named(environment).expect("it exists").id;
        let tenant = tenant.and_then(|name| space.tenants.named(name));
        let roles = BTreeSet::from([role.to_owned()]);
        let (roles, excluded, now) = (&roles, &nobody, world.now);
        let question = Question { environment, tenant, roles, only, excluded, now };
        assert_eq!(space.candidates(&question).count(), looked_at, "{case}");
    }
}

fn planned(world: &World, tenant: &str, excluded: &[&str]) -> PlannedStep {
    let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": [tenant]}, "exclude-targets": excluded});
    let plan = world.plan(request).expect("it can be planned");
    plan.deployments[0].steps[0].clone()
}

#[test]
fn a_plan_prints_who_gets_a_step_and_the_nearest_others_and_counts_the_rest() {
    let mut world = crowd();
    world.release("Web", "1.0.0");
    let step = planned(&world, "Alpha", &["beta-7"]);
    let (inside, outside): (Vec<_>, Vec<_>) =
        step.targets.iter().partition(|target| target.state == TargetState::In);
    let names: Vec<_> = inside.iter().map(|target| target.target.as_str()).collect();
    assert_eq!(names, ["alpha", "canary"]);
    assert_eq!((outside.len(), step.more_targets), (20, 44 - 22));
    assert!(outside.iter().any(|target| target.target == "beta-7"), "whom the request names is printed");
    assert!(step.targets.is_sorted_by_key(|target| &target.target));

    // All of Beta's are printed, however many they are.
    let step = planned(&world, "Beta", &[]);
    assert_eq!(step.targets.iter().filter(|target| target.state == TargetState::In).count(), 40);
    let reason = |name: &str| {
        let printed = step.targets.iter().find(|target| target.target == name);
        printed.map(|target| target.reason.clone().unwrap_or_default())
    };
    // The four that are left are printed too.
    assert_eq!((step.targets.len(), step.more_targets), (44, 0));
    assert_eq!(reason("alpha").as_deref(), Some("is scoped to tenant Alpha"));
    assert_eq!(reason("canary").as_deref(), Some("is scoped to tags Ring/Canary, Tier/Gold"));
    assert_eq!(reason("database").as_deref(), Some("is scoped to role db"));
}
