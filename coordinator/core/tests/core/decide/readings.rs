//! Readings (SEMANTICS 11): who read what, when first, how often and when last is in the journal, and asking again fills
//! nothing.

use serde_json::json;
use windlass_coordinator_core::authorise::Peer;
use windlass_coordinator_core::decide::{Command, Refusals, Refused, Repeat, Repeated, Reply, SpaceCommand};
use windlass_coordinator_core::event::{
    Counted, DeploymentEvent, Event, Observation, StrangerReason, Stream,
};
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId, TokenId};
use windlass_protocol::message::Outcome;

use crate::world::{Machine, World, project, small};

struct Scene {
    world: World,
    target: TargetId,
    deployment: DeploymentId,
    assignment: AssignmentId,
    kind: WorkKind,
}

/// A target that is to fetch a package (`false`) or to run the step that has it (`true`).
fn scene(running: bool) -> Scene {
    let mut world = small();
    world.apply(&[project("Shop", json!([{"name": "Copy", "roles": ["web"], "package": {"id": "shop"}}]))]);
    world.package("shop", "1.0.0");
    world.release("Shop", "1.0.0");
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let deployment =
        world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"]}));
    if running {
        world.work_off(deployment, &Outcome::Succeeded);
    }
    let (_, assignment, item) = world.work(deployment)[0];
    Scene { world, target, deployment, assignment, kind: item.kind }
}

fn reading(running: bool, peer: Peer, assignment: AssignmentId, digest: Digest) -> SpaceCommand {
    match running {
        true => {
            SpaceCommand::RecordVariablesRead { peer, assignment, names: vec!["Name".to_owned()], digest }
        }
        false => SpaceCommand::RecordPullBegun { peer, assignment, manifest: digest, bytes: 10 },
    }
}

#[test]
fn the_first_reading_is_recorded_and_the_same_again_is_to_be_counted() {
    for running in [true, false] {
        let Scene { mut world, target, deployment, assignment, .. } = scene(running);
        let read = |world: &mut World, what: &str| {
            let command = reading(running, world.peer(target), assignment, Digest::of(what));
            let mut reply = None;
            let events = world.events_of(|world| reply = Some(world.ask(command).expect("it is its work")));
            (reply.expect("it was asked"), events.len())
        };
        assert_eq!(read(&mut world, "one"), (Reply::Done, 1));
        for _ in 0..3 {
            assert_eq!(read(&mut world, "one"), (Reply::ReadBefore, 0));
        }
        assert_eq!(read(&mut world, "other"), (Reply::Done, 1), "other content is another reading");
        assert_eq!(read(&mut world, "one"), (Reply::ReadBefore, 0));
        // A restart forgets nothing of it.
        let text = serde_json::to_vec(&world.state).expect("a state is JSON");
        world.state = serde_json::from_slice(&text).expect("what was written can be read");
        assert_eq!(read(&mut world, "one"), (Reply::ReadBefore, 0));
        // Another key is another machine: it has nothing of what was fetched, and fetches what was not.
        let token = world.token(json!({"target": "machine"})).expect("the token can be made");
        let machine = Machine { key: "new key", ..Machine::new("machine") };
        assert_eq!(world.use_token(token, "secret", &machine), Reply::Enrolled(target));
        if running {
            assert!(world.work(deployment).is_empty());
            continue;
        }
        assert_eq!(read(&mut world, "one"), (Reply::Done, 1));
        assert_eq!(read(&mut world, "one"), (Reply::ReadBefore, 0));
    }
}

#[test]
fn a_step_that_has_started_remembers_what_was_read_and_one_that_has_ended_keeps_nothing() {
    let Scene { mut world, target, deployment, assignment, .. } = scene(true);
    let read = |world: &mut World| {
        let command = reading(true, world.peer(target), assignment, Digest::of("variables"));
        world.ask(command)
    };
    assert_eq!(read(&mut world), Ok(Reply::Done));
    world.report(target, assignment, windlass_coordinator_core::decide::WorkReportKind::Started);
    assert_eq!(read(&mut world), Ok(Reply::ReadBefore));
    world.succeed(deployment);
    assert!(world.space().handed_out.is_empty());
    read(&mut world).expect_err("there is nothing to be read any more");
}

#[test]
fn a_pull_is_in_the_record_when_it_begins_and_counts_as_held_when_it_came_whole() {
    let Scene { mut world, target, deployment, assignment, .. } = scene(false);
    let (manifest, bytes) = (Digest::of("shop 1.0.0"), 10);
    let tell = |world: &mut World, whole: bool| {
        let peer = world.peer(target);
        let command = match whole {
            false => SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes },
            true => SpaceCommand::RecordPulled { peer, assignment, manifest, bytes },
        };
        let mut reply = None;
        let events = world.events_of(|world| reply = Some(world.ask(command).expect("it is its work")));
        (reply.expect("it was asked"), events)
    };
    let names = vec!["shop 1.0.0".to_owned()];
    let begun = DeploymentEvent::PullBegun { deployment, step: None, target, names, manifest, bytes };
    assert_eq!(tell(&mut world, false), (Reply::Done, vec![Event::Deployment(begun)]));
    // The coordinator died here: what came of it nobody knows, and the target may not say that it holds it.
    let text = serde_json::to_vec(&world.state).expect("a state is JSON");
    world.state = serde_json::from_slice(&text).expect("what was written can be read");
    assert!(world.space().pulled.is_empty());
    assert_eq!(tell(&mut world, false), (Reply::ReadBefore, vec![]));
    let pulled = DeploymentEvent::PackagePulled { deployment, step: None, target, manifest, bytes };
    assert_eq!(tell(&mut world, true), (Reply::Done, vec![Event::Deployment(pulled)]));
    assert!(world.space().pulled.contains(&(target, manifest)));
    assert_eq!(tell(&mut world, true), (Reply::ReadBefore, vec![]));
}

#[test]
fn strangers_stand_in_the_record_of_what_was_seen_and_change_nothing() {
    let mut world = small();
    let (reason, origin) = (StrangerReason::UnknownToken, "2001:db8::/64".to_owned());
    let (first, last) = (world.now, world.now.plus_seconds(7));
    let token = TokenId::from_bytes([7; 16]);
    let refusals = |refused| Refusals { refused, origin: origin.clone(), count: 3, first, last };
    let counts = [Refused::Stranger(reason), Refused::Token(token)].map(refusals).into();
    let events = world.events_of(|world| {
        assert_eq!(world.run(&Command::RecordRefusals(counts)), Ok(Reply::Done));
    });
    let counted = Counted { count: 3, first, last };
    let stranger = Observation::StrangerRefused { reason, origin: origin.clone(), counted };
    let token = Observation::TokenRefused { token, origin, counted };
    assert_eq!(events, [stranger, token].map(Event::Observation));
    assert_eq!(world.records.last().map(|record| record.stream), Some(Stream::Observations(None)));
}

#[test]
fn what_is_counted_is_told_of_its_deployment_also_when_that_is_over() {
    for running in [true, false] {
        let Scene { mut world, target, deployment, assignment, kind } = scene(running);
        world.succeed(deployment);
        let (digest, first, last) = (Digest::of("content"), world.now, world.now.plus_seconds(7));
        let step = match kind {
            WorkKind::Fetch => None,
            WorkKind::Run(step) => Some(step),
        };
        let unknown = AssignmentId::from_bytes([7; 16]);
        let repeats = vec![
            Repeated::Read { target, assignment, digest },
            Repeated::PullBroken { target, assignment, manifest: digest },
            Repeated::Read { target, assignment: unknown, digest },
        ];
        let repeat = |what| Repeat { what, count: 3, bytes: 30, first, last };
        let repeats = repeats.into_iter().map(repeat).collect();
        let events = world.events_of(|world| {
            world.ask(SpaceCommand::RecordRepeats(repeats)).expect("it is recorded");
        });
        let (bytes, counted) = (30, Counted { count: 3, first, last });
        let read = Observation::ReadAgain { deployment, step, target, digest, bytes, counted };
        let broken = Observation::PullBroken { deployment, target, manifest: digest, bytes, counted };
        assert_eq!(events, [read, broken].map(Event::Observation));
    }
}

#[test]
fn a_step_that_pulls_its_package_again_is_recorded_once_and_then_counted_as_what_it_is() {
    let Scene { mut world, target, deployment, assignment, kind } = scene(true);
    let manifest = Digest::of("shop 1.0.0");
    let pull = |world: &mut World| {
        let command = reading(false, world.peer(target), assignment, manifest);
        let mut reply = None;
        let events = world.events_of(|world| reply = Some(world.ask(command).expect("it is its work")));
        (reply.expect("it was asked"), events)
    };
    let step = kind.step();
    let names = vec!["shop 1.0.0".to_owned()];
    let begun = DeploymentEvent::PullBegun { deployment, step, target, names, manifest, bytes: 10 };
    assert_eq!(pull(&mut world), (Reply::Done, vec![Event::Deployment(begun)]));
    assert_eq!(pull(&mut world), (Reply::ReadBefore, vec![]));
    let what = Repeated::Read { target, assignment, digest: manifest };
    let (bytes, count, first, last) = (10, 1, world.now, world.now);
    let events = world.events_of(|world| {
        let repeat = Repeat { what, count, bytes, first, last };
        world.ask(SpaceCommand::RecordRepeats(vec![repeat])).expect("it is recorded");
    });
    let counted = Counted { count, first, last };
    let again = Observation::ReadAgain { deployment, step: None, target, digest: manifest, bytes, counted };
    assert_eq!(events, [Event::Observation(again)], "no variables were read");
    world.succeed(deployment);
    let late = reading(false, world.peer(target), assignment, manifest);
    world.ask(late).expect_err("there is nothing to be pulled any more");
    assert!(world.space().handed_out.is_empty());
}
