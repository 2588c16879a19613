//! Every record is small (THREATS G5): what people ask for is refused beyond what one record may hold, with what to do
//! instead, and what the coordinator goes on with it does in parts.

use serde_json::{Value, json};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::event::Record;
use windlass_coordinator_core::model::{DeploymentEnd, DeploymentState};
use windlass_coordinator_core::state::Caps;

use crate::world::{Machine, World, project, small};

/// A library set that is about so many times 64 KiB.
fn large(name: &str, values: usize) -> Value {
    let value = |index| (format!("V{index}"), json!([{"value": "x".repeat(64 << 10)}]));
    let variables: serde_json::Map<_, _> = (0..values).map(value).collect();
    json!({"kind": "library-set", "name": name, "variables": variables})
}

fn bytes(record: &Record) -> usize {
    serde_json::to_string(&record.events).expect("events are JSON").len()
}

fn refused(world: &mut World, act: impl FnOnce(&mut World) -> Result<(), Problem>) -> String {
    let before = (world.state.digest(), world.records.len());
    let problem = act(world).expect_err("it is too much");
    assert_eq!((world.state.digest(), world.records.len()), before, "nothing is done");
    problem.message
}

#[test]
fn an_apply_that_is_more_than_one_record_is_refused_with_how_to_split_it() {
    let mut world = small();
    world.replays = false;
    world.apply(&[large("Shared", 120)]);
    assert!(world.records.last().is_some_and(|record| bytes(record) > 7 << 20));
    let sentence =
        "this would write more than 8 MiB at once, and all or nothing is at most that; apply it in parts";
    let more = [large("One", 65), large("Two", 65)];
    assert_eq!(refused(&mut world, |world| world.try_apply(&more).map(drop)), sentence);
    world.apply(&more[..1]);
    world.apply(&more[1..]);
}

#[test]
fn a_release_of_more_than_one_record_is_refused() {
    let mut world = small();
    world.replays = false;
    world.apply(&[large("One", 70)]);
    world.apply(&[large("Two", 70)]);
    let mut web = project("Web", json!([{"name": "Run", "roles": ["web"], "script": {"body": "true"}}]));
    web["library-sets"] = json!(["One", "Two"]);
    world.apply(&[web]);
    let request = windlass_api::requests::ReleaseRequest { project: "Web".to_owned(), ..Default::default() };
    let package_names = Default::default();
    let command = SpaceCommand::CreateRelease { request, package_names };
    assert_eq!(
        refused(&mut world, |world| world.ask(command).map(drop)),
        "this would write more than 8 MiB at once, and all or nothing is at most that; a release holds all that its \
         project and its library sets define; let them define less"
    );
}

/// 300 targets for 200 steps of the project Wide, and 70 projects of one step, all in Staging.
fn fleet() -> World {
    let mut world = small();
    world.replays = false;
    let step =
        |index: usize| json!({"name": format!("S{index}"), "roles": ["web"], "script": {"body": "true"}});
    let mut documents = vec![project("Wide", (0..200).map(step).collect())];
    documents.extend((0..70).map(|index| project(&format!("P{index}"), json!([step(0)]))));
    world.apply(&documents);
    for index in 0..300 {
        world.enrol(&format!("machine-{index}"), json!({"roles": ["web"], "environments": ["Staging"]}));
    }
    world.release("Wide", "1.0.0");
    (0..70).for_each(|index| world.release(&format!("P{index}"), "1.0.0"));
    world
}

fn request(project: &str) -> Value {
    json!({"project": project, "version": "1.0.0", "environments": ["Staging"]})
}

#[test]
fn what_is_deployed_at_once_is_bounded_for_the_plan_as_for_the_deployment() {
    let mut world = fleet();
    let environments: Vec<_> = (0..30).map(|index| format!("E{index}")).collect();
    let tenants: Vec<_> = (0..30).map(|index| format!("T{index}")).collect();
    let define = |kind: &'static str| move |name: &String| json!({"kind": kind, "name": name});
    world.apply(&environments.iter().map(define("environment")).collect::<Vec<_>>());
    world.apply(&tenants.iter().map(define("tenant")).collect::<Vec<_>>());
    let targets: Vec<_> = (0..300).map(|index| format!("machine-{index}")).collect();
    let many = json!({"project": "P0", "version": "1.0.0", "environments": environments, "tenants": {"tenants": tenants},
        "only-targets": targets});
    let mut fewer = request("Wide");
    fewer["only-targets"] = json!(targets[..250]);
    // 200 steps on 300 targets are too many, on 250 they are just as many as may be.
    let cases = [
        (
            many,
            Some(
                "900 deployments that each name 300 targets and steps are too much at once; deploy to fewer tenants or \
             environments, or name fewer targets",
            ),
        ),
        (
            request("Wide"),
            Some(
                "its steps would run 60000 times, on all targets together, and those of a deployment at most 50000 \
             times; deploy to fewer targets at once",
            ),
        ),
        (fewer, None),
    ];
    for (request, sentence) in cases {
        let planned = world.plan(request.clone()).map(|plan| plan.deployments.len());
        match sentence {
            None => {
                assert_eq!(planned, Ok(1));
                world.deploy(request);
                assert!(world.records.iter().all(|record| bytes(record) < 8 << 20));
            }
            Some(sentence) => {
                assert_eq!(planned.expect_err("too much").message, sentence);
                assert_eq!(refused(&mut world, |world| world.try_deploy(request).map(drop)), sentence);
            }
        }
    }
}

#[test]
fn a_pass_starts_as_much_as_a_small_record_holds_and_the_next_one_goes_on() {
    let mut world = fleet();
    world.ask(SpaceCommand::SetCaps(Caps { space: 1000, tenant: 1000 })).expect("the caps are right");
    world.goes_on = false;
    let all: Vec<_> = (0..70).map(|index| world.deploy(request(&format!("P{index}")))).collect();
    let before = world.records.len();
    world.go_on();
    let passes = &world.records[before..];
    assert!(passes.len() > 1, "300 targets each are more than a megabyte");
    assert!(passes.iter().all(|record| bytes(record) < 2 << 20));
    assert!(all.iter().all(|id| world.work(*id).len() == 300), "all run");
    // Where they are small, their number counts.
    let mut world = small();
    world.replays = false;
    world.ask(SpaceCommand::SetCaps(Caps { space: 1000, tenant: 1000 })).expect("the caps are right");
    world.goes_on = false;
    world.release("Web", "1.0.0");
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging", "Testing"], "participation": "both"}),
    );
    world.apply(&(0..200).map(|index| project(&format!("P{index}"), web())).collect::<Vec<_>>());
    for index in 0..200 {
        world.release(&format!("P{index}"), "1.0.0");
        world.deploy(request(&format!("P{index}")));
    }
    let before = world.records.len();
    world.go_on();
    let events: Vec<_> = world.records[before..].iter().map(|record| record.events.len()).collect();
    assert_eq!(events, [256, 144]);
}

#[test]
fn a_pass_lays_out_no_more_steps_than_others_should_wait_for() {
    let mut world = small();
    world.replays = false;
    world.ask(SpaceCommand::SetCaps(Caps { space: 1000, tenant: 1000 })).expect("the caps are right");
    world.goes_on = false;
    world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    // With its target each step counts twice.
    let step = |index| json!({"name": format!("S{index}"), "roles": ["web"], "script": {"body": "true"}});
    let steps: Value = (0..512).map(step).collect();
    let names: Vec<_> = (0..6).map(|index| format!("P{index}")).collect();
    world.apply(&names.iter().map(|name| project(name, steps.clone())).collect::<Vec<_>>());
    let deploy = |name: &String| {
        world.release(name, "1.0.0");
        world.deploy(request(name))
    };
    let all: Vec<_> = names.iter().map(deploy).collect();
    for started in [4, 6] {
        world.go_on_once();
        let runs = |id: &&_| world.deployment(**id).state == DeploymentState::Running;
        assert_eq!(all.iter().filter(runs).count(), started);
    }
}

fn web() -> Value {
    json!([{"name": "Run", "roles": ["web"], "script": {"body": "true"}}])
}

#[test]
fn enrolment_tokens_that_expired_long_ago_are_let_go_of_in_parts() {
    let mut world = small();
    world.replays = false;
    (0..1100).for_each(|_| _ = world.token(json!({})).expect("it can be made"));
    world.wait(30 * 24 * 3600);
    let forget = |world: &mut World| {
        world.events_of(|world| drop(world.ask(SpaceCommand::ForgetEnrolments).expect("it works"))).len()
    };
    assert_eq!([0, 1, 2].map(|_| forget(&mut world)), [1000, 100, 0]);
}

/// 210 machines, no two of the same roles, each of 254 roles of 120 letters; all in Staging.
fn motley(world: &mut World) {
    let roles: Vec<_> = (0..255).map(|index| format!("{index:0>120}")).chain(["web".to_owned()]).collect();
    let grant = json!({"roles": roles, "environments": ["Staging"]});
    let token = world.token(json!({"grant": grant, "uses": 210})).expect("the grant is right");
    for index in 0..210 {
        let name = format!("motley-{index}");
        let mut machine = Machine::new(&name);
        let said =
            roles.iter().enumerate().filter(|(place, _)| *place != index).map(|(_, role)| role.clone());
        machine.advertised.roles = Some(said.collect());
        world.use_token(token, "secret", &machine);
    }
}

#[test]
fn a_start_that_is_more_than_one_record_is_refused_or_ended_and_the_next_one_goes_on() {
    let mut world = small();
    world.replays = false;
    world.ask(SpaceCommand::SetCaps(Caps { space: 1, tenant: 1 })).expect("the caps are right");
    let other = json!([{"name": "Run", "roles": ["db"], "script": {"body": "true"}}]);
    world.apply(&[project("Other", other)]);
    world.enrol("one", json!({"roles": ["web"], "environments": ["Staging"]}));
    world.enrol("two", json!({"roles": ["db"], "environments": ["Staging"]}));
    ["Web", "Other"].iter().for_each(|name| world.release(name, "1.0.0"));
    let [first, second, third] = ["Web", "Web", "Other"].map(|name| world.deploy(request(name)));
    motley(&mut world);
    let sentence = "its targets have 211 different sets of roles, and with all of them its start is more than the 6 MiB \
                    that are recorded at once; deploy to fewer targets at once, or let them have fewer roles";
    assert_eq!(world.plan(request("Web")).expect_err("too much").message, sentence);
    assert_eq!(refused(&mut world, |world| world.try_deploy(request("Web")).map(drop)), sentence);
    // What was asked for before they came has its turn now.
    let before = world.records.len();
    world.succeed(first);
    assert_eq!(world.end(second), Some(DeploymentEnd::Failed));
    assert_eq!(world.reason(second), sentence);
    assert!(!world.work(third).is_empty(), "nobody waits for it");
    assert!(world.records[before..].iter().all(|record| bytes(record) < 8 << 20));
    let mut fewer = request("Web");
    fewer["exclude-targets"] = json!((0..20).map(|index| format!("motley-{index}")).collect::<Vec<_>>());
    world.succeed(third);
    let before = world.records.len();
    let id = world.deploy(fewer);
    assert_eq!(world.work(id).len(), 191, "as many as one record holds");
    assert!(world.records[before..].iter().all(|record| bytes(record) < 8 << 20));
}
