//! State is the fold of the journal (SEMANTICS 11): deciding, replaying and reading a snapshot back all come to the
//! same, and a journal of format 1 always comes to the same state.

use proptest::collection::vec;
use windlass_coordinator_core::event::Record;
use windlass_coordinator_core::state::{Indexes, Space, State};

use crate::chance;
use crate::world::{Happening, happening, lively};

fn replay(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        state.apply(record).expect("each record fits the state before it");
    }
    state
}

fn read_back(state: &State) -> State {
    let text = serde_json::to_vec(state).expect("a state is JSON");
    serde_json::from_slice(&text).expect("what was written can be read")
}

fn assert_same_indexes(one: &State, two: &State) {
    let spaces = |state: &State| state.spaces.values().cloned().collect::<Vec<Space>>();
    for (one, two) in spaces(one).into_iter().zip(spaces(two)) {
        let Indexes {
            targets,
            releases,
            lanes,
            work,
            deadlines,
            running,
            assignments,
            tags,
            tag_names,
            carriers,
        } = one.indexes;
        let two = two.indexes;
        assert_eq!(targets, two.targets, "targets");
        assert_eq!(releases, two.releases, "releases");
        assert_eq!(lanes, two.lanes, "lanes");
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

        let snapshot = read_back(&world.state);
        assert_eq!(snapshot.digest(), world.state.digest());
        assert_same_indexes(&snapshot, &world.state);

        let mut restarted = world.clone();
        restarted.state = snapshot;
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
    let cases = [
        (
            last.sequence,
            format!("record {0} does not fit the state before it: the record before was {0}", last.sequence),
        ),
        (
            last.sequence + 2,
            format!(
                "record {} does not fit the state before it: the record before was {}",
                last.sequence + 2,
                last.sequence
            ),
        ),
    ];
    for (sequence, sentence) in cases {
        let record = Record { sequence, ..last.clone() };
        let refused = world.state.clone().apply(&record).expect_err("it does not follow");
        assert_eq!(refused.to_string(), sentence);
    }
}

/// A journal as format 1 wrote it. A published event never changes its meaning: this file is never written again, and
/// what it comes to never changes. Another meaning is another event, and another file beside this one.
const JOURNAL_1: &str = include_str!("golden/journal-1.jsonl");
const DIGEST_1: &str = include_str!("golden/journal-1.digest");

#[test]
fn a_journal_of_format_1_always_comes_to_the_same_state() {
    let records: Vec<Record> =
        JOURNAL_1.lines().map(|line| serde_json::from_str(line).expect("a record of format 1")).collect();
    let state = replay(&records);
    assert_eq!(state.digest().to_string(), DIGEST_1.trim());
    // It is read without loss as well: nothing that it says is forgotten.
    for (line, record) in JOURNAL_1.lines().zip(&records) {
        assert_eq!(serde_json::to_string(record).expect("a record is JSON"), line);
    }
    assert_same_indexes(&read_back(&state), &state);
}
