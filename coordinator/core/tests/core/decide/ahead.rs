//! An agent that has seen later work than the journal knows gets nothing until an operator confirms it (ARCHITECTURE,
//! "Generations").

use serde_json::json;
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::authorise;
use windlass_coordinator_core::decide::{Reply, SpaceCommand, TargetChange};
use windlass_coordinator_core::event::Stream;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Generation;

use crate::world::{Machine, World, small};

const fn of(epoch: u64, sequence: u64) -> Generation {
    Generation { epoch, sequence }
}

/// Two targets, in a space with this many records.
fn scene() -> (World, TargetId, TargetId, u64) {
    let mut world = small();
    let [one, two] = ["one", "two"].map(|name| world.enrol(name, json!({"roles": ["web"]})));
    let last = last(&world);
    (world, one, two, last)
}

fn last(world: &World) -> u64 {
    world.state.sequence(Stream::Space(world.space_id()))
}

/// A target's agent comes, and shows what it has seen: whether it is admitted.
fn comes(world: &mut World, target: TargetId, generation: Generation) -> bool {
    let peer = world.peer(target);
    if authorise::session(&world.state, &peer, world.now).is_err() {
        return false;
    }
    if !authorise::is_ahead(&world.state, target, generation) {
        return true;
    }
    world.ask(SpaceCommand::RecordAhead { peer, generation }).expect("it is known");
    false
}

fn confirm(world: &mut World, name: &str) -> Result<Reply, Problem> {
    world.ask(SpaceCommand::ChangeTarget { target: name.to_owned(), change: TargetChange::Confirm })
}

/// The journal grows by so many records of the space.
fn grow(world: &mut World, records: u64) {
    for number in 0..records {
        world.apply(&[json!({"kind": "environment", "name": format!("E{number} {}", last(world))})]);
    }
}

#[test]
fn the_journal_that_grows_past_what_an_agent_has_seen_does_not_let_it_in() {
    let (mut world, one, two, last) = scene();
    assert!(comes(&mut world, one, of(1, last)) && comes(&mut world, two, of(1, 1)));
    let seen = of(1, last + 3);
    assert!(!comes(&mut world, one, seen));
    assert!(world.space().targets.get(one).is_some_and(|target| target.is_held()));
    grow(&mut world, 5);
    world.restart();
    assert!(!comes(&mut world, one, seen), "nobody has confirmed it");
    assert!(comes(&mut world, two, of(1, last)), "the other one has seen nothing else");
    assert!(world.events_of(|world| _ = comes(world, one, seen)).is_empty(), "it is told once");
    let peer = world.peer(one);
    assert!(authorise::is_held(&world.state, &peer));
    world.change("one", TargetChange::Enable);
    assert!(!comes(&mut world, one, seen), "that is another switch");

    confirm(&mut world, "one").expect("it is held");
    assert!(comes(&mut world, one, seen));
    assert!(world.events_of(|world| _ = confirm(world, "one")).is_empty(), "once is enough");
    // Later than that it may not come without being confirmed again.
    assert!(!comes(&mut world, one, of(1, last + 100)));
}

#[test]
fn what_a_confirmed_target_is_given_is_later_than_all_that_it_has_seen() {
    for seen in [of(1, 1000), of(4, 7)] {
        let (mut world, one, ..) = scene();
        assert!(!comes(&mut world, one, seen));
        confirm(&mut world, "one").expect("it is held");
        let given = world.space().generations.get(&one).copied();
        assert!(given > Some(seen), "{given:?} after {seen:?}");
        grow(&mut world, 1);
        assert_eq!(world.records.last().map(|record| record.epoch), Some(seen.epoch + 1));
    }
}

#[test]
fn a_new_epoch_lets_nobody_else_in_who_has_seen_what_the_journal_does_not_know() {
    let (mut world, one, two, last) = scene();
    assert!(!comes(&mut world, one, of(1, last + 50)));
    let ended = self::last(&world) + 1;
    confirm(&mut world, "one").expect("it is held");
    assert_eq!(world.state.epoch, 2);
    assert!(comes(&mut world, two, of(1, ended)), "that was the last record of the first epoch");
    assert!(!comes(&mut world, two, of(1, ended + 1)), "that was another history");
    let epochs = world.state.epoch;
    confirm(&mut world, "two").expect("it is held");
    assert_eq!(world.state.epoch, epochs, "this epoch is later than what it has seen already");
    assert!(comes(&mut world, two, of(1, ended + 1)));
    assert!(!comes(&mut world, two, of(2, 1 << 40)));
}

#[test]
fn another_machine_in_its_place_has_seen_nothing_yet() {
    let (mut world, one, ..) = scene();
    assert!(!comes(&mut world, one, of(1, 1000)));
    let token = world.token(json!({"target": "one"})).expect("the token can be made");
    let machine = Machine { key: "another key", ..Machine::new("one") };
    assert_eq!(world.use_token(token, "secret", &machine), Reply::Enrolled(one));
    assert!(comes(&mut world, one, of(1, 1)));
}

#[test]
fn what_no_coordinator_can_have_given_is_not_confirmed() {
    let (mut world, one, ..) = scene();
    assert!(!comes(&mut world, one, of(u64::MAX, 1)));
    let why = confirm(&mut world, "one").expect_err("no epoch comes after it");
    assert_eq!(why.kind, ProblemKind::Conflict);
    assert!(why.message.contains("no coordinator has given it that"), "{why}");
    assert!(!comes(&mut world, one, of(1, 1)), "it is held");
}

/// A journal from before a target was made, or made anew, does not know it: that is no reason to say that it was deleted.
#[test]
fn an_agent_that_nobody_knows_is_ahead_of_a_journal_that_has_not_come_to_what_it_has_seen() {
    let (world, _, _, last) = scene();
    let stranger = TargetId::from_bytes([9; 16]);
    let ahead = |generation| authorise::is_ahead(&world.state, stranger, generation);
    assert_eq!([of(1, last), of(1, last + 1), of(2, 1)].map(ahead), [false, true, true]);
}
