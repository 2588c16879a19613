//! Streams: records are numbered one after the other in the journal and in their stream, and say what they rest on. What
//! was only seen stands apart, so that no decision has to be made again for it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use serde_json::json;
use windlass_coordinator_core::decide::{Command, Repeat, Repeated, SpaceCommand, decide};
use windlass_coordinator_core::event::{Actor, Read, Stream};
use windlass_protocol::Digest;

use crate::chance;
use crate::world::{Happening, World, happening, lively, small};

#[test]
fn records_are_numbered_one_by_one_and_say_what_they_rest_on() {
    let base = lively();
    let mut seen = BTreeSet::new();
    chance::cases(20, &vec(happening(), 10..40), |history: Vec<Happening>| {
        let mut world = base.clone();
        history.into_iter().for_each(|happening| world.happen(happening));
        let mut last: BTreeMap<Stream, u64> = BTreeMap::new();
        for (place, record) in world.records.iter().enumerate() {
            assert_eq!(record.number, place as u64 + 1);
            let read = |stream| Read { stream, sequence: last.get(&stream).copied().unwrap_or(0) };
            let expected = match record.stream {
                Stream::Installation => vec![read(record.stream)],
                Stream::Space(_) => vec![read(Stream::Installation), read(record.stream)],
                Stream::Observations(_) => vec![],
            };
            assert_eq!(record.header.reads, expected);
            let sequence = last.entry(record.stream).or_default();
            *sequence += 1;
            assert_eq!(record.sequence, *sequence, "{}", record.stream);
            // What the coordinator does by itself names the record before.
            let by_itself = record.header.actor == Actor::Coordinator;
            assert_eq!(record.header.cause, by_itself.then(|| record.number - 1));
            seen.insert((matches!(record.stream, Stream::Space(_)), record.header.reads.len(), by_itself));
        }
        assert_eq!(
            world.state.streams.iter().map(|(stream, last)| (*stream, *last)).collect::<BTreeMap<_, _>>(),
            last
        );
    });
    assert_eq!(seen.len(), 4, "three streams, and passes in the space's");
}

/// Everything that only tells what was seen.
fn observations(world: &World) -> Vec<Command> {
    let target = world.target("machine");
    let text = |text: &str| text.to_owned();
    let printed = world.printed(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    let what = Repeated::Clone { target, older: text("a"), newer: text("b") };
    let repeat = Repeat { what, count: 1, bytes: 0, first: world.now, last: world.now };
    let of_space = [
        SpaceCommand::RecordClone { target, older: text("a"), newer: text("b") },
        SpaceCommand::RecordDenials { target, counts: BTreeMap::from([(text("pull"), 2)]) },
        SpaceCommand::RecordRepeats(vec![repeat]),
        SpaceCommand::RecordPlan(printed),
    ];
    let space = world.space_id();
    let mut all: Vec<_> = of_space.into_iter().map(|command| Command::Space(space, command)).collect();
    all.push(Command::RecordSnapshot { record: 1, digest: Digest::of("snapshot") });
    all
}

#[test]
fn an_observation_changes_nothing_that_a_decision_of_a_space_rests_on() {
    let mut world = small();
    world.release("Web", "1.0.0");
    world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let deploy = || {
        let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]});
        let request = serde_json::from_value(request).expect("the request is right");
        Command::Space(world.space_id(), SpaceCommand::Deploy(request))
    };
    let (deploy, envelope) = (deploy(), world.clone().envelope());
    let decided = |world: &World| {
        let record = decide(&world.state, &envelope, &deploy).expect("it can be made").record.expect("it is");
        (record.stream, record.sequence, record.header.reads, record.events)
    };
    let (before, space) = (decided(&world), serde_json::to_string(world.space()).expect("JSON"));
    for command in observations(&world) {
        let number = world.state.number;
        world.run(&command).expect("it is recorded");
        let record = world.records.last().expect("it is recorded");
        assert_eq!(record.number, number + 1);
        assert!(matches!(record.stream, Stream::Observations(_)), "{:?}", record.events);
        assert!(record.header.reads.is_empty());
        assert_eq!(serde_json::to_string(world.space()).expect("JSON"), space, "{:?}", record.events);
        assert_eq!(decided(&world), before, "{:?}", record.events);
    }
}
