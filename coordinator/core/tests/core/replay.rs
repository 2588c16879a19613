//! State is the fold of the journal (SEMANTICS 11): deciding, replaying and reading a snapshot back all come to the
//! same.

use proptest::collection::vec;
use windlass_coordinator_core::event::Record;
use windlass_coordinator_core::state::{Indexes, Space, State};

use crate::chance;
use crate::world::{Happening, happening, lively};

/// The state that records come to.
pub fn replay(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        state.apply(record).expect("each record fits the state before it");
    }
    state
}

/// What is computed from the rest is the same in both.
pub fn assert_same_indexes(one: &State, two: &State) {
    let spaces = |state: &State| state.spaces.values().cloned().collect::<Vec<Space>>();
    for (one, two) in spaces(one).into_iter().zip(spaces(two)) {
        let Indexes {
            targets,
            releases,
            keys,
            startable,
            flows,
            running,
            within_reach,
            slots,
            slots_taken,
            parts,
            work,
            deadlines,
            assignments,
            tags,
            tag_names,
            carriers,
        } = one.indexes;
        let two = two.indexes;
        assert_eq!(targets, two.targets, "targets");
        assert_eq!(releases, two.releases, "releases");
        assert_eq!(keys, two.keys, "keys");
        assert_eq!(startable, two.startable, "startable");
        assert_eq!(flows, two.flows, "flows");
        assert_eq!(parts, two.parts, "parts");
        assert_eq!((within_reach, slots), (two.within_reach, two.slots), "slots");
        assert_eq!(slots_taken, two.slots_taken, "slots");
        assert_eq!(work, two.work, "work");
        assert_eq!(deadlines, two.deadlines, "deadlines");
        assert_eq!(running, two.running, "running");
        assert_eq!(assignments, two.assignments, "assignments");
        assert_eq!(tags, two.tags, "tags");
        assert_eq!(tag_names, two.tag_names, "tag_names");
        assert_eq!(carriers, two.carriers, "carriers");
    }
}

#[test]
fn replaying_and_reading_a_snapshot_come_to_what_was_decided_and_go_on_alike() {
    let base = lively();
    let (mut worked, mut ended) = (0, 0);
    let strategy = (vec(happening(), 10..60), vec(happening(), 10));
    chance::cases(60, &strategy, |(before, after): (Vec<Happening>, Vec<Happening>)| {
        let mut world = base.clone();
        before.into_iter().for_each(|happening| world.happen(happening));
        worked += world.space().indexes.work.len();
        ended += world.space().finished.len();

        let replayed = replay(&world.records);
        assert_eq!(replayed.digest(), world.state.digest());
        assert_same_indexes(&replayed, &world.state);

        let mut restarted = world.clone();
        restarted.restart();
        assert_eq!(restarted.state.digest(), world.state.digest());
        assert_same_indexes(&restarted.state, &world.state);
        for happening in after {
            world.happen(happening);
            restarted.happen(happening);
        }
        assert_eq!(restarted.records, world.records);
        assert_eq!(restarted.state.digest(), world.state.digest());
        assert_same_indexes(&restarted.state, &world.state);
    });
    assert!(worked > 30 && ended > 100, "deployments really ran: {worked} with work, {ended} ended");
}

#[test]
fn records_survive_their_way_through_the_journals_lines() {
    let mut world = lively();
    let mut runner = Vec::new();
    chance::cases(200, &happening(), |happening| runner.push(happening));
    runner.into_iter().for_each(|happening| world.happen(happening));
    for record in &world.records {
        let line = serde_json::to_string(record).expect("a record is JSON");
        assert!(!line.contains('\n'));
        let read: Record = serde_json::from_str(&line).expect("what was written can be read");
        assert_eq!(&read, record);
        assert_eq!(serde_json::to_string(&read).expect("a record is JSON"), line);
    }
}

#[test]
fn a_record_that_does_not_follow_is_refused() {
    let world = lively();
    let last = world.records.last().expect("there are some");
    let (number, sequence, stream) = (last.number, last.sequence, last.stream);
    // Its number in the journal, and the one in its stream: each has to be the next.
    let cases = [
        (number, sequence + 1, format!("the record before was {number}")),
        (number + 2, sequence + 1, format!("the record before was {number}")),
        (number + 1, sequence, format!("the record before in {stream} was {sequence}")),
        (number + 1, sequence + 2, format!("the record before in {stream} was {sequence}")),
    ];
    for (number, sequence, why) in cases {
        let record = Record { number, sequence, ..last.clone() };
        let refused = world.state.clone().apply(&record).expect_err("it does not follow");
        let sentence = format!("record {number} does not fit the state before it: {why}");
        assert_eq!(refused.to_string(), sentence);
    }
}
