//! Which records who is limited to tenants sees, and what of them (SEMANTICS 10): what is theirs of what one command did.

use std::collections::BTreeSet;

use serde_json::json;
use windlass_coordinator_core::decide::{SpaceCommand, TargetChange};
use windlass_coordinator_core::event::{
    Definition, DefinitionEvent, DeploymentEvent, Event, Record, TargetEvent,
};
use windlass_protocol::Digest;

use crate::sight::{limited, of_limited};
use crate::world::{World, small};

fn seen(world: &World) -> Vec<Record> {
    let sight = of_limited(world);
    let mut seen = sight.records();
    world.records.iter().filter_map(|record| seen.see(record.clone())).collect()
}

fn kinds(records: &[Record]) -> BTreeSet<String> {
    let kind = |event: &Event| {
        let value = serde_json::to_value(event).expect("an event is JSON");
        let family =
            value.as_object().and_then(|families| families.values().next()).expect("it has a family");
        family["event"].as_str().expect("it has a name").to_owned()
    };
    records.iter().flat_map(|record| &record.events).map(kind).collect()
}

/// Alpha and Beta on one machine that holds the package of Beta already.
fn shared() -> World {
    let mut world = small();
    world.package("shop", "1.0.0");
    let step = json!({"name": "Copy", "roles": ["web"], "package": {"id": "shop"}});
    let tenant = |name: &str| json!({"kind": "tenant", "name": name, "projects": {"Shop": ["Staging"]}});
    world.apply(&[crate::world::project("Shop", json!([step])), tenant("Alpha"), tenant("Beta")]);
    world.release("Shop", "1.0.0");
    let grant =
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha", "Beta"]}});
    let target = world.enrol("shared", grant);
    let request = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha", "Beta"]}, "reason": "Beta wants it"});
    let made = world.try_deploy(request).expect("they can be made");
    let manifest = Digest::of("shop 1.0.0");
    world.lose(target);
    for id in &made {
        let (peer, assignment) = (world.peer(target), world.work(*id)[0].1);
        for command in [
            SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes: 10 },
            SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 10 },
        ] {
            world.ask(command).expect("it may pull");
        }
        world.succeed(*id);
    }
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    world
}

#[test]
fn of_a_command_for_several_only_what_is_theirs_is_seen_without_what_is_about_all() {
    let world = shared();
    let records = seen(&world);
    let asked = records.iter().find(|record| kinds(&[(*record).clone()]).contains("deployment-created"));
    let asked = asked.expect("a deployment of theirs was asked for");
    assert_eq!(asked.events.len(), 1);
    let whole =
        world.records.iter().find(|record| kinds(&[(*record).clone()]).contains("deployment-created"));
    assert!(whole.expect("it is recorded").events.len() > 1);
    assert_eq!((&asked.header.reason, &asked.header.origin), (&None, &None));
    let numbers: Vec<_> = records.iter().map(|record| (record.number, record.sequence)).collect();
    let expected: Vec<_> = (1..=records.len() as u64).map(|number| (number, number)).collect();
    assert_eq!(numbers, expected, "how much others did is not told");
    let header = records.iter().map(|record| &record.header);
    assert!(header.clone().all(|header| header.reads.is_empty() && header.cause.is_none()));
}

#[test]
fn what_a_machine_pulls_or_that_it_was_lost_is_not_seen_and_that_it_fetched_is() {
    let world = shared();
    let (records, all) = (seen(&world), kinds(&world.records));
    let kinds = kinds(&records);
    for hidden in ["pull-begun", "package-pulled", "target-enrolled", "package-uploaded", "target-lost"] {
        assert!(all.contains(hidden) && !kinds.contains(hidden), "{hidden} in {all:?}, not in {kinds:?}");
    }
    for told in ["defined", "release-created", "deployment-created", "deployment-started", "run-ended"] {
        assert!(kinds.contains(told), "{told} in {kinds:?}");
    }
    for event in records.iter().flat_map(|record| &record.events) {
        match event {
            Event::Deployment(DeploymentEvent::RunEnded { end, .. }) => {
                assert_eq!((end.moved, end.saved), (0, 0))
            }
            Event::Definition(DefinitionEvent::Defined { definition }) => {
                assert!(matches!(definition, Definition::Tenant(_)), "{definition:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_change_of_their_tenant_names_only_what_is_seen() {
    let mut world = shared();
    let changed = |world: &World| seen(world).last().map(|record| record.events.clone());
    let before = seen(&world).len();
    // What others are given, or what is everybody's, is no news of theirs.
    world.apply(&[
        json!({"kind": "tenant", "name": "Beta", "tags": ["Ring/Canary"], "projects": {"Shop": ["Testing"]}}),
        json!({"kind": "environment", "name": "Elsewhere"}),
    ]);
    assert_eq!(seen(&world).len(), before);
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"],
        "projects": {"Shop": ["Staging"]}, "enabled": false})]);
    let told = changed(&world).expect("it is told");
    let [Event::Definition(DefinitionEvent::Defined { definition: Definition::Tenant(patch) })] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((patch.enabled, &patch.key), (Some(false), &None));
    world.change("shared", TargetChange::Disable);
    let last = changed(&world).expect("it is told");
    assert!(matches!(last[..], [Event::Target(TargetEvent::Disabled { .. })]), "{last:?}");
}
