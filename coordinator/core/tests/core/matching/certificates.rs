//! A target whose certificate has expired gets nothing, is left out of nothing, and comes back by itself (SEMANTICS 3).

use serde_json::{Value, json};
use windlass_api::plan::{Plan, TargetState, WaitRule};
use windlass_coordinator_core::authorise::{Peer, request};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_coordinator_core::plan;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::{Outcome, Request};

use crate::world::{World, small};

const DAY: u64 = 24 * 3600;
const HOUR: u64 = 3600;

/// `machine`, whose certificate is good for 30 days.
fn ready() -> (World, TargetId) {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    world.release("Web", "1.0.0");
    (world, target)
}

fn to_staging() -> Value {
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]})
}

fn planned(world: &World, online: bool) -> Plan {
    let request = serde_json::from_value(to_staging()).expect("the request is right");
    plan::plan(world.space(), &request, world.now, &|_| online).expect("it can be planned")
}

fn waits(plan: &Plan) -> Vec<(WaitRule, &str)> {
    plan.deployments[0].waits.iter().map(|wait| (wait.rule, wait.reason.as_str())).collect()
}

const EXPIRED: &str =
    "the certificate of target `machine` has expired; its agent has to connect and renew it";

#[test]
fn a_plan_waits_for_it_like_for_one_that_is_offline_and_is_the_same_plan() {
    let (mut world, _) = ready();
    let before = planned(&world, true);
    assert_eq!(waits(&before), []);
    assert_eq!(waits(&planned(&world, false)), [(WaitRule::Offline, "target `machine` is not connected")]);
    world.wait(30 * DAY);
    assert_eq!(waits(&planned(&world, true)), [], "it is good up to its last moment");
    world.wait(1);
    for online in [true, false] {
        let plan = planned(&world, online);
        assert_eq!(waits(&plan), [(WaitRule::Offline, EXPIRED)]);
        assert_eq!(plan.digest, before.digest, "time does not count");
        assert_eq!(plan.deployments[0].steps[0].targets[0].state, TargetState::In);
    }
}

/// What the machine may do with its assignments, with a certificate that is good for so long.
fn may(world: &World, target: TargetId, id: DeploymentId) -> [bool; 2] {
    let peer: Peer = world.peer(target);
    let (_, assignment, _) = world.work(id)[0];
    let asked = |wanted: &Request| request(&world.state, &peer, wanted, world.now).is_ok();
    [asked(&Request::Variables { assignment }), asked(&Request::Renew { request: Vec::new() })]
}

#[test]
fn it_gets_nothing_until_it_has_renewed_and_then_goes_on_as_if_nothing_had_been() {
    let (mut world, target) = ready();
    world.wait(30 * DAY - 60);
    let id = world.deploy(to_staging());
    assert_eq!(may(&world, target, id), [true, true]);
    world.wait(61);
    assert_eq!(may(&world, target, id), [false, true]);
    // Nothing that happens meanwhile takes it out.
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Tier/Iron"]})]);
    assert_eq!(world.removed(id, target), None);
    let peer = world.peer(target);
    world.ask(SpaceCommand::Renew { peer, life_seconds: 30 * DAY }).expect("it may renew");
    assert_eq!(may(&world, target, id), [true, true]);
    world.succeed(id);
}

#[test]
fn a_certificate_presented_late_counts_for_nothing_where_the_state_knows_of_none_that_is_good() {
    let (mut world, target) = ready();
    world.wait(30 * DAY - 60);
    let id = world.deploy(to_staging());
    let (_, assignment, _) = world.work(id)[0];
    world.wait(61);
    let peer = Peer { expires: world.now.plus_seconds(DAY), ..world.peer(target) };
    assert!(request(&world.state, &peer, &Request::Variables { assignment }, world.now).is_err());
}

#[test]
fn what_does_not_renew_in_time_fails_with_that_reason() {
    let (mut world, _) = ready();
    world.wait(30 * DAY + 1);
    let id = world.deploy(to_staging());
    assert_eq!(world.end(id), None, "it is waited for");
    world.lose(world.target("machine"));
    let late = world.now.plus_seconds(HOUR + 1);
    world.give_up(late);
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    assert_eq!(
        world.reason(id),
        "step `Install` failed (the target did not renew its certificate in time (expired)) on machine"
    );
    // One that comes and fails for another reason says that.
    let id = world.deploy(to_staging());
    world.work_off(id, &Outcome::TimedOut);
    assert_eq!(world.reason(id), "step `Install` ran out of time on machine");
}
