//! One deployment at a time per (project, environment, tenant), and who may be deployed to (SEMANTICS 8).

use serde_json::{Value, json};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::model::{DeploymentEnd, DeploymentState};
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::Outcome;

use crate::world::{World, small};

/// Alpha and Beta share one machine in Staging, which takes part in everything.
fn ready() -> World {
    let mut world = small();
    let tenants = json!({"tenants": ["Alpha", "Beta"]});
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": tenants, "participation": "both"}),
    );
    world.release("Web", "1.0.0");
    world
}

fn to(tenants: Value) -> Value {
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": tenants})
}

fn alpha() -> Value {
    to(json!({"tenants": ["Alpha"]}))
}

fn queued(world: &World, id: DeploymentId) -> bool {
    world.deployment(id).state == DeploymentState::Queued
}

fn runs(world: &World, id: DeploymentId) -> bool {
    world.deployment(id).state == DeploymentState::Running
}

fn cancel(world: &mut World, id: DeploymentId) {
    world.ask(SpaceCommand::Cancel(id)).expect("it can be cancelled");
}

#[test]
fn one_runs_at_a_time_per_lane_and_other_lanes_do_not_wait() {
    let mut world = ready();
    let first = world.deploy(alpha());
    let second = world.deploy(alpha());
    let other = world.deploy(to(json!({"tenants": ["Beta"]})));
    let untenanted = world.deploy(to(json!({})));
    assert!(runs(&world, first) && runs(&world, other) && runs(&world, untenanted));
    assert!(queued(&world, second) && world.work(second).is_empty());
    world.succeed(first);
    assert!(runs(&world, second));
}

#[test]
fn the_queue_goes_on_in_order_however_the_one_before_ended() {
    type End = fn(&mut World, DeploymentId);
    let ends: [(End, DeploymentEnd); 3] = [
        (World::succeed, DeploymentEnd::Succeeded),
        (|world, id| world.work_off(id, &Outcome::TimedOut), DeploymentEnd::Failed),
        (cancel, DeploymentEnd::Cancelled),
    ];
    for (end, how) in ends {
        let mut world = ready();
        let all: Vec<_> = (0..3).map(|_| world.deploy(alpha())).collect();
        for (place, id) in all.iter().enumerate() {
            assert!(runs(&world, *id), "it is the turn of number {place}");
            assert!(all[place + 1..].iter().all(|later| queued(&world, *later)));
            end(&mut world, *id);
            assert_eq!(world.end(*id), Some(how));
        }
        assert!(world.space().indexes.keys.is_empty() && world.space().indexes.work.is_empty());
    }
}

#[test]
fn one_that_waits_can_be_cancelled_and_one_that_is_over_cannot() {
    let mut world = ready();
    let [first, second, third] = [0, 1, 2].map(|_| world.deploy(alpha()));
    cancel(&mut world, second);
    assert!(runs(&world, first));
    world.succeed(first);
    assert!(runs(&world, third));
    let problem = world.ask(SpaceCommand::Cancel(second)).expect_err("it is over");
    assert_eq!(problem.message, format!("the deployment `{second}` is over already"));
}

#[test]
fn what_is_no_longer_allowed_when_its_turn_comes_is_cancelled_and_the_next_one_has_its_turn() {
    let mut world = ready();
    let [first, second, third] = [0, 1, 2].map(|_| world.deploy(alpha()));
    let run = json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]);
    world.apply(&[
        json!({"kind": "project", "name": "Web", "lifecycle": "Free", "tenancy": "untenanted", "steps": run}),
    ]);
    assert!(runs(&world, first) && queued(&world, second) && queued(&world, third));
    world.succeed(first);
    for waiting in [second, third] {
        assert_eq!(world.end(waiting), Some(DeploymentEnd::Cancelled));
        let reason = "no longer allowed when its turn came: the project's tenancy does not allow it";
        assert_eq!(world.reason(waiting), reason);
    }
}

#[test]
fn disabling_a_tenant_cancels_what_is_queued_for_it_at_once_and_in_the_same_record() {
    let mut world = ready();
    let [first, second, third] = [0, 1, 2].map(|_| world.deploy(alpha()));
    let beta = [0, 1].map(|_| world.deploy(to(json!({"tenants": ["Beta"]}))));
    let before = world.records.len();
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "enabled": false, "projects": {"Web": ["Staging"]}, "tags": []})]);
    assert_eq!(world.records.len(), before + 1, "one command is one record");
    for waiting in [second, third] {
        assert_eq!(world.end(waiting), Some(DeploymentEnd::Cancelled));
        assert_eq!(world.reason(waiting), "the tenant was disabled");
    }
    assert!(runs(&world, beta[0]) && queued(&world, beta[1]), "other tenants are not concerned");
    assert!(runs(&world, first), "what runs finishes");
    world.succeed(first);
    assert!(!world.space().indexes.keys.contains_key(&world.deployment(first).tenant));
    let problem = world.try_deploy(alpha()).expect_err("it gets no new ones");
    assert_eq!(problem.message, "tenant `Alpha` in Staging: is disabled");
}

#[test]
fn a_named_tenant_that_cannot_be_deployed_to_is_an_error_for_the_whole_command() {
    let mut world = ready();
    let problem =
        world.try_deploy(to(json!({"tenants": ["Alpha", "Gamma"]}))).expect_err("Gamma is not connected");
    assert_eq!(problem.message, "tenant `Gamma` in Staging: is not connected to `Staging` in `Web`");
    // Named stays named, also where a tag brings it in as well.
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Ring/Canary"]})]);
    let both = to(json!({"tenants": ["Gamma"], "tags": ["Ring/Canary"]}));
    world.try_deploy(both).expect_err("Gamma is named");
    assert!(world.space().deployments.is_empty());
}

#[test]
fn a_tenant_that_only_a_tag_brought_in_is_left_out_and_nobody_left_is_an_error() {
    let mut world = ready();
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Ring/Canary"]})]);
    let made = world.try_deploy(to(json!({"tags": ["Ring/Canary"]}))).expect("Alpha is left");
    assert_eq!(made.len(), 1);
    assert_eq!(
        world.deployment(made[0]).tenant,
        world.space().tenants.named("Alpha").map(|tenant| tenant.id)
    );
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Tier/Iron"]})]);
    let problem = world.try_deploy(to(json!({"tags": ["Tier/Iron"]}))).expect_err("nobody is left");
    let expected =
        "nobody is left to deploy to; tenant `Gamma` in Staging: is not connected to `Staging` in `Web`";
    assert_eq!(problem.message, expected);
}

#[test]
fn each_pair_of_tenant_and_environment_is_a_deployment_of_its_own() {
    let mut world = ready();
    let mut request = to(json!({"tenants": ["Alpha", "Beta", "alpha"]}));
    request["environments"] = json!(["Staging", "Testing", "staging"]);
    let made = world.try_deploy(request).expect("both may go to both");
    assert_eq!(made.len(), 4);
    let ended = made.iter().filter(|id| world.end(**id) == Some(DeploymentEnd::NothingDone)).count();
    assert_eq!(ended, 2, "no target is in Testing");
}

#[test]
fn a_plan_that_would_now_be_another_refuses_to_start() {
    let mut world = ready();
    let typed = serde_json::from_value(alpha()).expect("the request is right");
    let plan =
        windlass_coordinator_core::plan::plan(world.space(), &typed, world.now, &|_| true).expect("a plan");
    let mut expecting = alpha();
    expecting["expect"] = json!(plan.digest);
    // Time, presence and what comes first are no part of it.
    world.wait(60);
    world.try_deploy(expecting.clone()).expect("it is the same plan");
    world.try_deploy(expecting.clone()).expect("it only waits");
    world.enrol(
        "second",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}),
    );
    let problem = world.try_deploy(expecting).expect_err("it is another plan");
    assert!(problem.message.starts_with("the plan is another one now, sha256:"), "{}", problem.message);
}

#[test]
fn requests_that_make_no_sense_are_refused_with_a_sentence() {
    let mut world = ready();
    let base = || to(json!({}));
    let with = |key: &str, value: Value| {
        let mut request = base();
        request[key] = value;
        request
    };
    let cases = [
        (with("environments", json!([])), "no environment is named; say where to deploy with --environment"),
        (with("project", json!("Wep")), "there is no project `Wep`; did you mean `Web`?"),
        (with("version", json!("1.0.1")), "there is no release `1.0.1` of `Web`; did you mean `1.0.0`?"),
        (
            with("version", json!("one")),
            "`one` is no version; a version is like 1.4.0, 2.0.0-beta.1 or 1.2.3.4",
        ),
        (with("only-targets", json!(["machin"])), "there is no target `machin`; did you mean `machine`?"),
        (with("exclude-targets", json!(["x"])), "there is no target `x`"),
        (with("skip-steps", json!(["Instal"])), "there is no step `Instal`; did you mean `Install`?"),
    ];
    for (request, sentence) in cases {
        assert_eq!(world.try_deploy(request).expect_err(sentence).message, sentence);
    }
}
