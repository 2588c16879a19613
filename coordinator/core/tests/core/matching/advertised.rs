//! What an agent says is kept as it said it, and counts against what is there at the moment of asking (SEMANTICS 3).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use windlass_coordinator_core::event::{Event, TargetEvent};
use windlass_coordinator_core::plan;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Advertised;

use super::delivery::delivered;
use crate::world::{World, small};

fn words(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(|word| (*word).to_owned()).collect())
}

/// A target in Staging that is granted Alpha (Canary, Gold), Beta (Stable) and whoever is Stable.
fn machine(world: &mut World) -> TargetId {
    world.enrol(
        "machine",
        grant(&["web"], &["Staging"], json!({"tenants": ["Alpha"], "tags": ["Ring/Stable"]})),
    )
}

fn grant(roles: &[&str], environments: &[&str], tenants: Value) -> Value {
    json!({"roles": roles, "environments": environments, "tenants": tenants, "participation": "tenanted"})
}

fn tenants(world: &World, target: TargetId) -> BTreeSet<String> {
    delivered(world, target).into_iter().filter_map(|(_, tenant, _)| tenant).collect()
}

fn claims(events: Vec<Event>) -> Vec<String> {
    let claims = events.into_iter().filter_map(|event| match event {
        Event::Target(TargetEvent::OverClaimed { claims, .. }) => Some(claims),
        _ => None,
    });
    claims.flatten().collect()
}

#[test]
fn an_and_stays_an_and_whatever_it_names() {
    let mut world = small();
    world.apply(&[json!({"kind": "tag-set", "name": "Ring", "slug": "circle",
        "tags": [{"name": "Canary"}, {"name": "Stable"}]})]);
    let target = machine(&mut world);
    let by_id = format!("{}/stable", world.space().tag_sets.named("Ring").expect("it exists").id);
    let cases: [(&[&str], &[&str]); 18] = [
        (&["Ring/Canary"], &["Alpha"]),
        (&["ring / CANARY", "Tier/Gold"], &["Alpha"]),
        // A set of which only tags are named that nobody carries, a set that is not there, and what is no tag.
        (&["Ring/Canary", "Tier/Iron"], &[]),
        (&["Ring/Canary", "Tier/Nothing"], &[]),
        (&["Ring/Canary", "Nothing/Gold"], &[]),
        (&["Ring/Canary", "no tag at all"], &[]),
        (&["Ring/Canary", "Ring"], &[]),
        (&["Ring/Canary", "Ring/"], &["Alpha"]),
        (&["Ring/Canary", "/Canary"], &[]),
        (&["Nothing/Gold"], &[]),
        (&[], &[]),
        // One set by any of its names is one set.
        (&["Ring/Canary", "RING/Nothing"], &["Alpha"]),
        (&["Ring/Nothing", "circle/Canary"], &["Alpha"]),
        (&["Ring/Canary", "circle/Stable"], &["Alpha", "Beta"]),
        (&["Ring/Canary", &by_id], &["Alpha", "Beta"]),
        // A slug is not a name: it has no other case.
        (&["Ring/Canary", "Circle/Stable"], &[]),
        (&["Ring/Canary", "Ring/Stable", "Tier/Gold"], &["Alpha"]),
        (&["Ring/Stable", "Tier/Gold"], &[]),
    ];
    for (tags, expected) in cases {
        let said = Advertised { tenant_tags: words(tags), ..Advertised::default() };
        world.advertise(target, said.clone());
        let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(tenants(&world, target), expected, "{tags:?}");
        // Tenants and tags are one query: who is named is added, whatever the tags come to.
        world.advertise(target, Advertised { tenants: words(&["beta"]), ..said });
        let expected = &expected | &BTreeSet::from(["Beta".to_owned()]);
        assert_eq!(tenants(&world, target), expected, "Beta and {tags:?}");
    }
}

#[test]
fn what_is_made_or_granted_later_counts_at_once() {
    let mut world = small();
    let target = machine(&mut world);
    world.advertise(
        target,
        Advertised {
            roles: words(&["web", "db"]),
            environments: words(&["staging", "Later"]),
            tenants: words(&["Beta", "delta-slug"]),
            tenant_tags: words(&["Late/One"]),
            ..Advertised::default()
        },
    );
    let all = |world: &World| delivered(world, target);
    let got = |environment: &str, tenant: &str, role: &str| {
        (environment.to_owned(), Some(tenant.to_owned()), role.to_owned())
    };
    let mut expected = BTreeSet::from([got("Staging", "Beta", "web")]);
    assert_eq!(all(&world), expected);
    // A tenant by the slug that it was named by.
    world.apply(&[json!({"kind": "tenant", "name": "Delta", "slug": "delta-slug", "tags": ["Ring/Stable"]})]);
    expected.insert(got("Staging", "Delta", "web"));
    assert_eq!(all(&world), expected);
    // A set, its tag, and who carries it.
    world.apply(&[
        json!({"kind": "tag-set", "name": "Late", "tags": [{"name": "One"}]}),
        json!({"kind": "tenant", "name": "Echo", "tags": ["Ring/Stable", "Late/One"]}),
    ]);
    expected.insert(got("Staging", "Echo", "web"));
    assert_eq!(all(&world), expected);
    // A grant that grows: a role, an environment that was made after the agent spoke of it.
    world.apply(&[json!({"kind": "environment", "name": "Later"})]);
    let granted = json!({"tenants": ["Alpha"], "tags": ["Ring/Stable"]});
    world.grant("machine", grant(&["web", "db"], &["Staging", "Later"], granted));
    let cross = ["Staging", "Later"].into_iter().flat_map(|environment| {
        ["Beta", "Delta", "Echo"]
            .into_iter()
            .flat_map(move |tenant| ["web", "db"].map(|role| got(environment, tenant, role)))
    });
    assert_eq!(all(&world), cross.collect());
}

#[test]
fn a_target_is_found_in_an_environment_that_was_given_the_name_later() {
    let mut world = small();
    world.release("Web", "1.0.0");
    let granted = json!({"tenants": ["Alpha"]});
    let target = world.enrol("machine", grant(&["web"], &["Production"], granted));
    world.advertise(target, Advertised { environments: words(&["prod"]), ..Advertised::default() });
    let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Production"], "tenants": {"tenants": ["Alpha"]}});
    let request = serde_json::from_value(request).expect("the request is right");
    let skipped = |world: &World| {
        let plan = plan::plan(world.space(), &request, world.now, &|_| true).expect("it can be planned");
        plan.deployments[0].steps[0].rule
    };
    assert_eq!(skipped(&world), Some(windlass_api::plan::StepRule::NoTarget));
    world.apply(&[json!({"kind": "environment", "name": "Production", "slug": "prod"})]);
    assert_eq!(skipped(&world), None);
}

#[test]
fn what_an_agent_says_keeps_nothing_from_being_deleted() {
    let mut world = small();
    world.apply(&[
        json!({"kind": "environment", "name": "Spare"}),
        json!({"kind": "tag-set", "name": "Spares", "tags": [{"name": "One"}]}),
    ]);
    let all = json!({"tenants": ["Gamma"], "tags": ["Spares/One"]});
    let target = world.enrol("machine", grant(&["web"], &["Spare", "Staging"], all));
    world.advertise(
        target,
        Advertised {
            environments: words(&["Spare"]),
            tenants: words(&["Gamma"]),
            tenant_tags: words(&["Spares/One"]),
            ..Advertised::default()
        },
    );
    world.grant("machine", grant(&["web"], &["Staging"], json!({"tenants": ["Alpha"]})));
    for (kind, name) in [("tenant", "Gamma"), ("tag-set", "Spares"), ("environment", "Spare")] {
        world.delete(kind, name).unwrap_or_else(|why| panic!("{kind} {name}: {why:?}"));
    }
}

#[test]
fn what_a_smaller_grant_makes_an_over_claim_is_told_with_it_and_once() {
    let mut world = small();
    let target = machine(&mut world);
    let said = Advertised {
        roles: words(&["web", "db"]),
        tenants: words(&["Alpha", "Beta", "Nobody"]),
        tenant_tags: words(&["Ring/Stable"]),
        ..Advertised::default()
    };
    let first = claims(world.events_of(|world| world.advertise(target, said.clone())));
    assert_eq!(first, ["role db", "tenant Nobody"]);
    let small_grant = || grant(&["web"], &["Staging"], json!({"tenants": ["Beta"]}));
    let less = claims(world.events_of(|world| world.grant("machine", small_grant())));
    assert_eq!(less, ["tenant Alpha"], "Beta is stable, so the tag has something to do with the grant");
    let nobody = grant(&["web"], &["Staging"], json!({}));
    let none = claims(world.events_of(|world| world.grant("machine", nobody)));
    assert_eq!(none, ["tenant Beta", "tenant tag Ring/Stable"]);
    // Back and forth is no news, and neither is saying it again.
    assert_eq!(claims(world.events_of(|world| world.grant("machine", small_grant()))), [""; 0]);
    assert_eq!(world.events_of(|world| world.advertise(target, said)), []);
}
