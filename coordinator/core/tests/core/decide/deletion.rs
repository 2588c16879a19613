//! Deleting anything that something refers to is refused, listing what refers to it (SEMANTICS 2).

use serde_json::json;
use windlass_coordinator_core::decide::TargetChange;
use windlass_coordinator_core::event::{DefinitionEvent, Event};

use crate::world::{Machine, World, small};

/// A world in which everything is referred to.
fn used() -> World {
    let mut world = small();
    world.apply(&[
        json!({"kind": "library-set", "name": "Shared", "templates": [{"name": "Region", "default": "x"}]}),
        json!({"kind": "project", "name": "Shop", "tenancy": "tenanted", "lifecycle": "Free", "library-sets": ["Shared"],
            "templates": [{"name": "Port"}],
            "variables": {"Host": [{"value": "1", "environments": ["Testing"], "tenants": {"tags": ["Tier/Iron"]}}]},
            "steps": [{"name": "Run", "roles": ["web"], "script": {"body": "true"}, "environments": ["Staging"],
                "tenants": {"exclude": {"tenants": ["Gamma"]}}}]}),
        json!({"kind": "tenant", "name": "Delta", "values": {"Shop": {"environments": {"Production": {"Port": "1"}}}, "Shared": {"Region": "eu"}}}),
    ]);
    world.enrol("machine", json!({"roles": ["web"], "environments": ["Testing"], "tenants": {"tenants": ["Beta"], "tags": ["Ring/Stable"]}}));
    world.release("Web", "1.0.0");
    world
}

#[test]
fn deletion_is_refused_while_anything_refers_to_the_thing() {
    let cases = [
        (
            "environment",
            "Testing",
            "lifecycle `Free`, tenant `Alpha`, tenant `Beta`, variable `Host` of project `Shop`, target `machine`",
        ),
        (
            "environment",
            "Staging",
            "lifecycle `Free`, tenant `Alpha`, tenant `Beta`, step `Run` of project `Shop`",
        ),
        ("environment", "Production", "lifecycle `Free`, tenant `Alpha`, tenant `Beta`, tenant `Delta`"),
        ("tag-set", "Ring", "tenant `Alpha`, tenant `Beta`, target `machine`"),
        ("tag-set", "Tier", "tenant `Alpha`, variable `Host` of project `Shop`"),
        ("lifecycle", "Free", "project `Shop`, project `Web`"),
        ("lifecycle", "Default", "every project that names no lifecycle"),
        ("library-set", "Shared", "project `Shop`, tenant `Delta`"),
        ("project", "Shop", "tenant `Delta`"),
        ("project", "Web", "tenant `Alpha`, tenant `Beta`, release 1.0.0 of project `Web`"),
        ("tenant", "Beta", "target `machine`"),
        ("tenant", "Gamma", "step `Run` of project `Shop`"),
    ];
    let mut world = used();
    for (kind, name, users) in cases {
        let problem = world.delete(kind, name).expect_err("it is in use");
        let expected = format!("the {kind} `{name}` is in use by {users}; take it out there first");
        assert_eq!(problem.message, expected);
    }
    // A tag is a part of its set's document.
    let fewer = json!({"kind": "tag-set", "name": "Tier", "tags": [{"name": "Gold"}]});
    let problem = world.try_apply(&[fewer]).expect_err("Iron is in use");
    assert!(
        problem.message.contains("the tag `Iron` is in use by variable `Host` of project `Shop`"),
        "{}",
        problem.message
    );
}

#[test]
fn what_nothing_refers_to_can_be_deleted_and_made_anew_with_another_id() {
    let mut world = used();
    let before = world.space().tenants.named("Alpha").expect("it exists").id;
    world.delete("tenant", "alpha").expect("nothing names it");
    assert!(world.space().tenants.named("Alpha").is_none());
    world.apply(&[json!({"kind": "tenant", "name": "Alpha"})]);
    let after = world.space().tenants.named("Alpha").expect("it exists");
    assert_ne!(after.id, before);
    assert!(after.tags.is_empty() && after.projects.is_empty());
}

#[test]
fn a_tenant_that_is_deployed_to_cannot_be_deleted_until_that_is_over() {
    let mut world = used();
    world.enrol(
        "other",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tags": ["Ring/Canary"]}}),
    );
    let deployment = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}));
    let problem = world.delete("tenant", "Alpha").expect_err("it is deployed to");
    assert_eq!(
        problem.message,
        format!("the tenant `Alpha` is in use by {deployment}; take it out there first")
    );
    world.succeed(deployment);
    world.delete("tenant", "Alpha").expect("it is over");
}

#[test]
fn an_enrolment_token_holds_what_it_grants_only_as_long_as_it_can_be_used() {
    let mut world = small();
    let grant = json!({"grant": {"environments": ["Testing"], "tenants": {"tenants": ["Gamma"]}}});
    let token = world.token(grant.clone()).expect("the token can be made");
    let problem = world.delete("tenant", "Gamma").expect_err("who enrols may get it");
    assert_eq!(
        problem.message,
        format!("the tenant `Gamma` is in use by enrolment token `{token}`; take it out there first")
    );
    let mut expired = world.clone();
    expired.wait(3601);
    expired.delete("tenant", "Gamma").expect("nobody can use it any more");
    world.use_token(token, "secret", &Machine::new("machine"));
    world.delete("tenant", "Gamma").expect_err("now the target is granted it");
    world.change("machine", TargetChange::Delete);
    world.delete("tenant", "Gamma").expect("the token is used up");
}

#[test]
fn a_target_that_scopes_a_value_cannot_be_deleted() {
    let mut world = used();
    world.apply(&[json!({"kind": "library-set", "name": "Places", "variables": {"Disk": [{"value": "1", "targets": ["machine"]}]}})]);
    let command = |change| windlass_coordinator_core::decide::SpaceCommand::ChangeTarget {
        target: "machine".to_owned(),
        change,
    };
    let problem = world.ask(command(TargetChange::Delete)).expect_err("it scopes a value");
    assert_eq!(
        problem.message,
        "the target `machine` is in use by variable `Disk` of library set `Places`; take it out there first"
    );
    world.delete("library-set", "Places").expect("nothing refers to it");
    world.ask(command(TargetChange::Delete)).expect("nothing refers to it");
}

#[test]
fn what_does_not_exist_cannot_be_deleted_and_the_nearest_is_named() {
    let mut world = small();
    for (kind, name, sentence) in [
        ("tenant", "Alpa", "there is no tenant `Alpa`; did you mean `Alpha`?"),
        ("tenants", "Alpha", "there is no kind `tenants`; did you mean `tenant`?"),
        ("project", "Alpha", "there is no project `Alpha`"),
    ] {
        assert_eq!(world.delete(kind, name).expect_err(sentence).message, sentence);
    }
}

#[test]
fn with_a_tenant_goes_its_key_and_with_nothing_else_any() {
    let mut world = small();
    let gamma = world.space().tenants.named("Gamma").expect("it exists").clone();
    let events = world.events_of(|world| drop(world.delete("tenant", "Gamma").expect("nothing names it")));
    let [
        Event::Definition(DefinitionEvent::Deleted { .. }),
        Event::Definition(DefinitionEvent::KeyDestroyed { key, tenant }),
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!((*key, *tenant), (gamma.key, gamma.id));
    // A tenant of the same name has another key, and the old one stays destroyed.
    world.apply(&[json!({"kind": "tenant", "name": "Gamma"})]);
    assert_ne!(world.space().tenants.named("Gamma").expect("it exists").key, gamma.key);
    world.apply(&[json!({"kind": "environment", "name": "Elsewhere"})]);
    world.delete("environment", "Elsewhere").expect("nothing names it");
    assert_eq!(world.space().destroyed_keys.iter().copied().collect::<Vec<_>>(), [gamma.key]);
    let text = serde_json::to_vec(&world.state).expect("a state is JSON");
    let read: windlass_coordinator_core::state::State =
        serde_json::from_slice(&text).expect("it was written so");
    assert!(
        read.space_named(None).expect("a space").destroyed_keys.contains(&gamma.key),
        "in a snapshot too"
    );
}

#[test]
fn the_lifecycle_of_projects_that_name_none_cannot_be_deleted_whatever_its_slug_is() {
    let mut world = World::new();
    world.apply(&[
        json!({"kind": "lifecycle", "name": "Default", "slug": "other"}),
        json!({"kind": "lifecycle", "name": "Another", "slug": "default"}),
    ]);
    let problem = world.delete("lifecycle", "Default").expect_err("projects rest on it");
    assert_eq!(
        problem.message,
        "the lifecycle `Default` is in use by every project that names no lifecycle; take it out there first"
    );
    world.delete("lifecycle", "Another").expect("nothing rests on a slug");
    world.apply(&[json!({"kind": "project", "name": "Web"})]);
}
