//! What cannot be recorded of one deployment ends that one, which says why, and holds nobody else up (`or_end`): shown by
//! a state that was damaged, as a mistake of this program would leave it, and by a report that no record holds.

use std::sync::Arc;

use serde_json::json;
use windlass_coordinator_core::decide::{SpaceCommand, WorkReport, WorkReportKind};
use windlass_coordinator_core::model::{DeploymentEnd, DeploymentState, StoredValue};
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::Outcome;

use crate::world::{World, ended, project, small};

/// A world in which two deployments of two steps each wait to be started, both for one machine.
fn waiting() -> (World, TargetId, [DeploymentId; 2]) {
    let mut world = small();
    (world.replays, world.goes_on) = (false, false);
    let steps =
        ["One", "Two"].map(|name| json!({"name": name, "roles": ["web"], "script": {"body": "true"}}));
    world.apply(&[project("Web", json!(steps))]);
    let machine = world.enrol("machine", json!({"roles": ["web"], "environments": ["Testing", "Staging"]}));
    world.release("Web", "1.0.0");
    let deployments = ["Testing", "Staging"].map(|environment| {
        world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": [environment]}))
    });
    (world, machine, deployments)
}

fn damage(world: &mut World, harm: impl FnOnce(&mut Space)) {
    let id = world.space_id();
    harm(world.state.spaces.get_mut(&id).expect("it is there"));
}

fn expect_unfit(world: &World, id: DeploymentId, why: &str) {
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    let reason = world.reason(id);
    assert!(reason.contains(why), "{reason}");
}

#[test]
fn a_start_that_does_not_fit_ends_its_deployment_and_the_next_one_starts() {
    let (mut world, _, [one, other]) = waiting();
    let testing = world.space().environments.named("Testing").expect("it exists").id;
    damage(&mut world, |space| drop(space.environments.remove(testing)));
    world.go_on();
    expect_unfit(&world, one, "does not fit its own state (no such environment, in {");
    assert_eq!(world.deployment(other).state, DeploymentState::Running);
    world.succeed(other);
}

/// Otherwise the one thread that decides would be at it for ever.
#[test]
fn a_turn_that_comes_to_nothing_ends_the_pass() {
    let (mut world, _, [one, _]) = waiting();
    damage(&mut world, |space| drop(space.deployments.remove(&one)));
    let records = world.records.len();
    world.go_on_once();
    assert_eq!(world.records.len(), records);
}

#[test]
fn a_report_that_does_not_fit_or_leads_to_what_does_not_ends_its_deployment_and_the_others_are_taken() {
    // Whether the deployment's parts are lost, how much its step sets, and what is said of it.
    let cases = [
        (false, 8 << 20, "MiB at once, and one record holds 7 MiB of it"),
        (true, 1, "does not fit its own state (no such target in the deployment, in {"),
    ];
    for (loses_parts, bytes, why) in cases {
        let (mut world, machine, [one, other]) = waiting();
        world.goes_on = true;
        world.go_on();
        damage(&mut world, |space| {
            let deployment = Arc::make_mut(space.deployments.get_mut(&one).expect("it runs"));
            if loses_parts {
                deployment.parts.clear();
            }
        });
        let first = |world: &World, id| world.work(id)[0].1;
        let outputs = [("Out".to_owned(), StoredValue::Plain("x".repeat(bytes)))].into();
        let bad = WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: 0 };
        let reports = vec![
            WorkReport { assignment: first(&world, one), kind: bad },
            WorkReport { assignment: first(&world, other), kind: ended(Outcome::Succeeded) },
        ];
        let peer = world.peer(machine);
        world.ask(SpaceCommand::Report { peer, reports }).expect("its own reports are taken");
        expect_unfit(&world, one, why);
        assert_eq!(world.deployment(other).state, DeploymentState::Running);
        world.succeed(other);
    }
}
