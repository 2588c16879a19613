//! What a deployment gets is what was true when it started; whether a target may get it is asked of the present.

use serde_json::{Value, json};
use windlass_coordinator_core::decide::TargetChange;
use windlass_coordinator_core::model::{Frozen, Part};
use windlass_protocol::ids::{DeploymentId, TargetId};

use crate::world::{World, project, small};

/// Alpha's deployment of Shop, which runs on `one`; its second step is for the ring Canary alone, on `two`.
fn running() -> (World, DeploymentId) {
    let mut world = small();
    world.apply(&[
        json!({"kind": "project", "name": "Shop", "tenancy": "tenanted", "lifecycle": "Free", "templates": [{"name": "Port"}],
            "steps": [{"name": "Run", "roles": ["web"], "script": {"body": "true"}},
                {"name": "Canaries", "roles": ["db"], "script": {"body": "true"}, "tenants": {"tags": ["Ring/Canary"]}}]}),
    ]);
    world.apply(&[alpha("Alpha", "alpha", "1", &["Ring/Canary", "Tier/Gold"])]);
    for (name, role) in [("one", "web"), ("two", "db")] {
        world.enrol(name, grant(&[role]));
    }
    world.release("Shop", "1.0.0");
    let id = world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}));
    (world, id)
}

fn alpha(name: &str, slug: &str, port: &str, tags: &[&str]) -> Value {
    json!({"kind": "tenant", "name": name, "slug": slug, "tags": tags, "projects": {"Shop": ["Staging"]},
        "values": {"Shop": {"Port": port}}})
}

fn grant(roles: &[&str]) -> Value {
    json!({"roles": roles, "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}})
}

/// All that assignments of a deployment are made from, besides its release.
fn given(world: &World, id: DeploymentId) -> (Frozen, Vec<(TargetId, Part)>) {
    let deployment = world.deployment(id);
    let frozen = deployment.frozen.as_deref().expect("it runs").clone();
    (frozen, deployment.parts.iter().map(|(target, part)| (*target, part.clone())).collect())
}

#[test]
fn whatever_is_renamed_retagged_or_revalued_meanwhile_nothing_of_what_is_given_changes() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 8] = [
        ("another tag", |world| world.apply(&[alpha("Alpha", "alpha", "1", &["Ring/Canary", "Tier/Iron"])])),
        ("another slug", |world| {
            world.apply(&[alpha("Alpha", "other", "1", &["Ring/Canary", "Tier/Gold"])]);
        }),
        ("another name", |world| {
            world.apply(&[alpha("ALPHA", "alpha", "1", &["Ring/Canary", "Tier/Gold"])]);
        }),
        ("another value", |world| {
            world.apply(&[alpha("Alpha", "alpha", "2", &["Ring/Canary", "Tier/Gold"])]);
        }),
        ("the environment", |world| {
            world.apply(&[json!({"kind": "environment", "name": "STAGING", "slug": "other"})]);
        }),
        ("the project", |world| {
            let mut shop = project("SHOP", json!([]));
            shop["slug"] = json!("other");
            world.apply(&[shop]);
        }),
        ("the tag itself", |world| {
            world.apply(&[json!({"kind": "tag-set", "name": "RING", "slug": "other", "tags": [{"name": "CANARY"}, {"name": "Stable"}]})]);
        }),
        ("a role more", |world| world.grant("one", grant(&["web", "extra"]))),
    ];
    let (base, id) = running();
    let before = given(&base, id);
    for (what, change) in changes {
        let mut world = base.clone();
        let events = world.events_of(change);
        assert!(!events.is_empty(), "{what} is a change");
        assert_eq!(given(&world, id), before, "{what}");
        world.restart();
        assert_eq!(given(&world, id), before, "{what}, after a restart");
        world.succeed(id);
        assert!(world.deployment(id).frozen.is_none(), "values are kept no longer than they are needed");
    }
}

#[test]
fn a_tag_that_goes_takes_out_only_whom_a_step_no_longer_runs_for() {
    let (mut world, id) = running();
    let (frozen, _) = given(&world, id);
    world.apply(&[alpha("Alpha", "alpha", "1", &["Tier/Gold"])]);
    assert_eq!(given(&world, id).0, frozen, "what is given is what it was");
    let [one, two] = ["one", "two"].map(|name| world.target(name));
    assert_eq!(world.removed(id, one), None);
    assert_eq!(world.removed(id, two).as_deref(), Some("the step `Canaries` no longer runs for the tenant"));
    assert_eq!(world.work(id).len(), 1, "the other one goes on");
}

#[test]
fn the_next_deployment_is_given_what_is_true_when_its_turn_comes() {
    let (mut world, first) = running();
    let next = world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}));
    assert!(world.deployment(next).frozen.is_none(), "it waits, and nothing is frozen yet");
    world.apply(&[alpha("Alpha", "other", "2", &["Ring/Canary"])]);
    world.change("two", TargetChange::Disable);
    while world.end(first).is_none() {
        world.work_off(first, &windlass_protocol::message::Outcome::Succeeded);
    }
    let (frozen, parts) = given(&world, next);
    let tenant = frozen.tenant.expect("it is Alpha's");
    assert_eq!((tenant.called.slug.as_str(), tenant.tags.len(), tenant.values.len()), ("other", 1, 1));
    let [(target, part)] = parts.as_slice() else { panic!("one is left: {parts:?}") };
    assert_eq!((*target, part.name.as_str()), (world.target("one"), "one"));
    assert_eq!(part.roles.iter().collect::<Vec<_>>(), ["web"]);
}
