//! The history of a space: what succeeded where, in order, what runs there, and what each target holds.

use serde_json::{Value, json};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::model::{DeploymentEnd, Key, Subject};
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::Outcome;

use crate::world::{Machine, World, project, small};

/// Shop deploys a package to `one` and `two` in Staging, for Alpha, in the versions 1.0.0 and 2.0.0.
fn ready() -> World {
    let mut world = small();
    world.apply(&[
        project(
            "Shop",
            json!([
                {"name": "Copy", "roles": ["web"], "package": {"id": "shop"}},
                {"name": "Check", "roles": ["web"], "script": {"body": "true"}},
            ]),
        ),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Shop": ["Staging"]}}),
    ]);
    for name in ["one", "two"] {
        world.enrol(
            name,
            json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}),
        );
    }
    for version in ["1.0.0", "2.0.0"] {
        world.package("shop", version);
        world.release("Shop", version);
    }
    world
}

fn request(version: &str, more: Value) -> Value {
    let mut request = json!({"project": "Shop", "version": version, "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    request
}

fn key(world: &World) -> Key {
    let space = world.space();
    let project = space.projects.named("Shop").expect("it exists").id;
    let environment = space.environments.named("Staging").expect("it exists").id;
    (project, environment, space.tenants.named("Alpha").map(|tenant| tenant.id))
}

fn succeed(world: &mut World, version: &str, more: Value) -> DeploymentId {
    let id = world.deploy(request(version, more));
    world.succeed(id);
    id
}

fn version(world: &World, Subject::Release(release): Subject) -> String {
    world.space().releases[&release].version.to_string()
}

/// The versions that `name` holds for Copy, with the deployment that brought each.
fn held(world: &World, name: &str) -> Vec<(String, DeploymentId)> {
    let held = world.space().history.held_by(world.target(name));
    held.map(|(_, held)| (version(world, Subject::Release(held.release)), held.deployment)).collect()
}

#[test]
fn successes_are_kept_in_order_with_what_was_left_out_of_each_and_a_restart_forgets_nothing() {
    let mut world = ready();
    let mut all = vec![
        (succeed(&mut world, "1.0.0", json!({})), false, 0),
        (succeed(&mut world, "2.0.0", json!({"skip-steps": ["Check"]})), false, 1),
        (succeed(&mut world, "1.0.0", json!({"only-targets": ["one"]})), true, 0),
        (succeed(&mut world, "1.0.0", json!({"exclude-targets": ["one"]})), true, 0),
    ];
    // One that fails is no success, and neither is one in which nothing ran.
    let failed = world.deploy(request("1.0.0", json!({})));
    world.work_off(failed, &Outcome::Succeeded);
    world.work_off(failed, &Outcome::TimedOut);
    world.deploy(request("1.0.0", json!({"skip-steps": ["Copy", "Check"]})));
    all.push((succeed(&mut world, "2.0.0", json!({})), false, 0));
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        let history = &world.space().history;
        let kept: Vec<_> = history.successes(key(&world)).collect();
        let told = |success: &&windlass_coordinator_core::state::Success| {
            (success.deployment, success.limited, success.skipped_steps.len())
        };
        assert_eq!(kept.iter().map(told).collect::<Vec<_>>(), all);
        assert!(kept.windows(2).all(|pair| pair[0].record < pair[1].record), "what is later is newer");
    }
}

#[test]
fn what_runs_there_is_the_newest_success_that_was_not_limited_to_some_targets() {
    let mut world = ready();
    let current = |world: &World| world.space().history.current(key(world)).map(|success| success.deployment);
    assert_eq!(current(&world), None);
    succeed(&mut world, "1.0.0", json!({"only-targets": ["one"]}));
    assert_eq!(current(&world), None, "one of two is not all");
    let first = succeed(&mut world, "1.0.0", json!({}));
    assert_eq!(current(&world), Some(first));
    succeed(&mut world, "2.0.0", json!({"exclude-targets": ["one"]}));
    assert_eq!(current(&world), Some(first));
    let failed = world.deploy(request("2.0.0", json!({})));
    world.work_off(failed, &Outcome::Succeeded);
    world.work_off(failed, &Outcome::TimedOut);
    assert_eq!(current(&world), Some(first), "what failed does not run there");
    // Going back is going on: the older release is what runs there then.
    let second = succeed(&mut world, "2.0.0", json!({}));
    assert_eq!(current(&world), Some(second));
    let back = succeed(&mut world, "1.0.0", json!({}));
    assert_eq!(current(&world), Some(back));
}

#[test]
fn the_last_attempt_is_the_last_that_ended_however_it_did() {
    let mut world = ready();
    let last = |world: &World| {
        world
            .space()
            .history
            .last_attempt(key(world))
            .map(|attempt| (attempt.deployment, version(world, attempt.subject), attempt.end))
    };
    assert_eq!(last(&world), None);
    let done = succeed(&mut world, "1.0.0", json!({}));
    assert_eq!(last(&world), Some((done, "1.0.0".to_owned(), DeploymentEnd::Succeeded)));
    let running = world.deploy(request("2.0.0", json!({})));
    assert_eq!(last(&world).map(|(id, ..)| id), Some(done), "what runs has not ended");
    world.ask(SpaceCommand::Cancel(running)).expect("it runs");
    world.restart();
    assert_eq!(last(&world), Some((running, "2.0.0".to_owned(), DeploymentEnd::Cancelled)));
    let nothing = world.deploy(request("1.0.0", json!({"skip-steps": ["Copy", "Check"]})));
    assert_eq!(last(&world), Some((nothing, "1.0.0".to_owned(), DeploymentEnd::NothingDone)));
}

#[test]
fn a_target_holds_what_a_package_step_last_brought_it_whatever_became_of_the_rest() {
    let mut world = ready();
    let first = succeed(&mut world, "1.0.0", json!({}));
    for name in ["one", "two"] {
        assert_eq!(held(&world, name), [("1.0.0".to_owned(), first)]);
    }
    // The package is there, though the deployment then failed: one step of it did, on one target.
    let failed = world.deploy(request("2.0.0", json!({"only-targets": ["one"]})));
    world.work_off(failed, &Outcome::Succeeded);
    world.work_off(failed, &Outcome::Succeeded);
    world.work_off(failed, &Outcome::TimedOut);
    assert_eq!(world.end(failed), Some(DeploymentEnd::Failed));
    world.restart();
    assert_eq!(held(&world, "one"), [("2.0.0".to_owned(), failed)]);
    assert_eq!(held(&world, "two"), [("1.0.0".to_owned(), first)]);
    // A step that failed brought nothing that anybody can rely on.
    let broken = world.deploy(request("2.0.0", json!({"only-targets": ["two"]})));
    world.work_off(broken, &Outcome::Succeeded);
    world.work_off(broken, &Outcome::TimedOut);
    assert_eq!(held(&world, "two"), [("1.0.0".to_owned(), first)]);
}

#[test]
fn another_key_is_another_machine_and_holds_nothing_and_so_does_one_that_is_deleted() {
    let mut world = ready();
    succeed(&mut world, "1.0.0", json!({}));
    let two = world.target("two");
    let token = world.token(json!({"target": "one"})).expect("the token can be made");
    let machine = Machine { key: "new key", ..Machine::new("one") };
    world.use_token(token, "secret", &machine);
    world.change("two", windlass_coordinator_core::decide::TargetChange::Delete);
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        assert_eq!(held(&world, "one"), []);
        assert_eq!(world.space().history.held_by(two).count(), 0);
        assert_eq!(world.space().history.successes(key(&world)).count(), 1, "what happened has happened");
    }
}
