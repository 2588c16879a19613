//! Two engines over one journal: whoever comes second decides again, and there is one history.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::oneshot;
use windlass_api::error::ProblemKind;
use windlass_coordinator_core::decide::{Command, EnrolmentUse, Envelope, Reply, SpaceCommand};
use windlass_coordinator_core::event::{Actor, EnrolmentEvent, Event, Record, Stream};
use windlass_coordinator_core::model::TargetKey;
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::{EnrolmentId, KeyId, SpaceId, TokenId};
use windlass_protocol::message::{Advertised, Isolation};
use windlass_protocol::{Digest, Timestamp};

use super::batch::{Answer, Asked, Ledger};
use super::clock::Watch;
use super::{Engine, Job};
use crate::alone::is_alone;
use crate::journal::{AppendError, Appended, GENESIS, Head, InMemory, Journal, Line, Replayed};
use crate::logged::lines_of;

mod going_on;
mod stores;

const START: i64 = 1_700_000_000_000;

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| u8::try_from(self.below(256)).expect("it is below 256"))
    }
}

fn engine<J: Journal + Clone>(journal: &J) -> Ledger<J> {
    Ledger::new(journal.clone(), Head { number: 0, hash: GENESIS }, Arc::new(State::default()), 0)
}

/// An engine that is quicker than others, between their deciding and their appending.
struct Rival {
    ledger: Ledger<InMemory>,
    enrolments: Vec<EnrolmentId>,
}

/// A way to the journal that loses answers, and on which another engine comes first now and then.
#[derive(Clone)]
struct Troubled {
    journal: InMemory,
    chance: Arc<Mutex<Chance>>,
    rival: Arc<Mutex<Rival>>,
    /// Answers that were lost.
    lost: Arc<Mutex<usize>>,
}

impl Journal for Troubled {
    fn append(&mut self, head: Head, lines: &[Appended]) -> Result<(), AppendError> {
        let chance = &mut *self.chance.lock().expect("nobody panicked");
        if chance.below(4) == 0 {
            let Rival { ledger, enrolments } = &mut *self.rival.lock().expect("nobody panicked");
            ledger.catch_up().expect("the journal is whole");
            let space = *ledger.state().spaces.keys().next().expect("there is one");
            let command = any_command(chance, space, enrolments);
            let asked = asked(chance, Actor::Installer, command);
            ledger.carry_out(&[asked]).expect("the journal is whole").pop().expect("an answer").ok();
        }
        // What it came to is lost, or the lines were.
        let lost = chance.below(6);
        *self.lost.lock().expect("nobody panicked") += usize::from(lost < 2);
        match lost {
            0 => {
                drop(self.journal.append(head, lines));
                Err(AppendError::Unanswered)
            }
            1 => Err(AppendError::Unanswered),
            _ => self.journal.append(head, lines),
        }
    }

    fn read(&mut self, head: Head, most: usize) -> Result<Vec<Vec<u8>>, AppendError> {
        self.journal.read(head, most)
    }

    fn watch(&mut self, told: Box<dyn Fn() + Send + Sync>) {
        self.journal.watch(told);
    }
}

fn asked(chance: &mut Chance, actor: Actor, command: Command) -> Asked {
    let time = Timestamp::from_milliseconds(START + i64::try_from(chance.below(10_000)).unwrap_or(0));
    let seed = chance.bytes();
    let envelope = Envelope { time, actor, origin: None, reason: None, cause: None, request: None, seed };
    Asked { envelope, command }
}

fn initialise<J: Journal>(ledger: &mut Ledger<J>, chance: &mut Chance) -> SpaceId {
    let token = (TokenId::from_bytes([1; 16]), Digest::of("administrator"));
    let command = Command::Initialise { authority: Digest::of("ca"), token, key: KeyId::from_bytes([2; 16]) };
    let asked = asked(chance, Actor::Installer, command);
    ledger.carry_out(&[asked]).expect("the journal is whole")[0].as_ref().expect("it is empty");
    *ledger.state().spaces.keys().next().expect("there is one")
}

/// Every record of the journal, read as a start reads it, with the state that it comes to.
fn read(journal: &InMemory) -> (Vec<Record>, State) {
    let (mut state, mut records, mut hash) = (State::default(), Vec::new(), GENESIS);
    for line in journal.lines() {
        let line = Line::read(&line, hash).expect("the chain holds");
        let record = line.parse().expect("nothing is withheld");
        for read in &record.header.reads {
            assert_eq!(
                state.sequence(read.stream),
                read.sequence,
                "record {} rests on what was overtaken",
                record.number
            );
        }
        assert!(record.time >= state.time, "time does not run back");
        state.apply(&record).expect("it fits");
        hash = line.hash;
        records.push(record);
    }
    (records, state)
}

/// One of the commands that get into each other's way.
fn any_command(chance: &mut Chance, space: SpaceId, enrolments: &mut Vec<EnrolmentId>) -> Command {
    let name = format!("name {}", chance.below(6));
    let in_space = match chance.below(8) {
        0 => {
            let request =
                serde_json::from_value(json!({"name": name, "role": "auditor"})).expect("a request");
            let token = (TokenId::from_bytes(chance.bytes()), Digest::of(&name));
            return Command::CreateToken { request, space, token };
        }
        1 => return Command::DeleteToken(name),
        2 | 3 => {
            let document = json!({"kind": "environment", "name": name, "order": chance.below(3)});
            let placed = json!({"place": "a.yaml:1", "document": document});
            let request = serde_json::from_value(json!({"documents": [placed]})).expect("a request");
            SpaceCommand::Apply { request, keys: BTreeMap::new() }
        }
        4 => SpaceCommand::Delete { kind: "environment".to_owned(), name },
        5 => {
            let id = EnrolmentId::from_bytes(chance.bytes());
            enrolments.push(id);
            let request = serde_json::from_value(json!({"grant": {"roles": ["web"]}})).expect("a request");
            SpaceCommand::CreateEnrolment { request, token: (id, Digest::of("secret")) }
        }
        6 if !enrolments.is_empty() => {
            let place = usize::try_from(chance.below(enrolments.len() as u64)).expect("it is small");
            SpaceCommand::Enrol(Box::new(EnrolmentUse {
                enrolment: enrolments[place],
                secret: Digest::of("secret"),
                key: TargetKey {
                    public_key: Digest::of(chance.bytes::<8>()),
                    sealing_key: "00".repeat(32),
                    certificate_expires: Timestamp::from_milliseconds(START + 86_400_000),
                },
                name: format!("machine {}", chance.below(1000)),
                advertised: Advertised::default(),
                isolation: Isolation::Accounts,
            }))
        }
        _ => {
            let target = windlass_protocol::ids::TargetId::from_bytes([9; 16]);
            SpaceCommand::RecordDenials { target, counts: BTreeMap::from([("pull".to_owned(), 1)]) }
        }
    };
    Command::Space(space, in_space)
}

#[test]
fn thousands_of_interleavings_of_two_engines_make_one_history() {
    let (mut overtaken, mut kept, mut lost) = (0, 0, 0);
    for seed in 1..=40 {
        let mut chance = Chance(seed);
        let journal = InMemory::default();
        let space = initialise(&mut engine(&journal), &mut chance);
        let mut enrolments = Vec::new();
        let troubled = Troubled {
            journal: journal.clone(),
            chance: Arc::new(Mutex::new(Chance(1000 + seed))),
            rival: Arc::new(Mutex::new(Rival { ledger: engine(&journal), enrolments: Vec::new() })),
            lost: Arc::default(),
        };
        let mut engines = [engine(&troubled), engine(&troubled)];
        let mut answered: Vec<Answer> = Vec::new();
        for _ in 0..100 {
            let engine = &mut engines[usize::try_from(chance.below(2)).expect("it is 0 or 1")];
            let batch: Vec<_> = (0..=chance.below(4))
                .map(|_| {
                    let command = any_command(&mut chance, space, &mut enrolments);
                    asked(&mut chance, Actor::Installer, command)
                })
                .collect();
            let before = journal.lines().len() as u64;
            let stale = engine.head().number < before;
            let answers = engine.carry_out(&batch).expect("the journal is whole");
            assert_eq!(answers.len(), batch.len(), "everybody is answered");
            let wrote = journal.lines().len() as u64 > before;
            overtaken += usize::from(stale && wrote);
            kept += usize::from(stale && wrote && batch.len() > 1);
            answered.extend(answers);
        }
        for engine in &mut engines {
            engine.catch_up().expect("the journal is whole");
        }
        let (records, replayed) = read(&journal);
        for engine in &engines {
            assert_eq!(engine.state().digest(), replayed.digest(), "both know the same");
            assert_eq!(engine.head().number, records.len() as u64);
        }
        let known = replayed.space(space).expect("there is a space");
        let mut made = 0;
        for answer in &answered {
            match answer {
                Ok(Reply::Enrolled(target)) => {
                    assert!(known.targets.get(*target).is_some(), "what was answered is so");
                }
                Ok(Reply::EnrolmentCreated(_)) => made += 1,
                _ => {}
            }
        }
        let theirs = |event: &&Event| match event {
            Event::Enrolment(EnrolmentEvent::Created { enrolment }) => enrolments.contains(&enrolment.id),
            _ => false,
        };
        let recorded = records.iter().flat_map(|record| &record.events).filter(theirs).count();
        assert_eq!(recorded, made, "what was answered was done, and once");
        for token in known.enrolments.values() {
            assert!(token.used_by.len() <= 1, "a token for one use was used {} times", token.used_by.len());
        }
        lost += *troubled.lost.lock().expect("nobody panicked");
    }
    assert!(overtaken > 500 && kept > 300, "engines did overtake each other: {overtaken}, {kept}");
    assert!(lost > 1000, "answers were lost: {lost}");
}

#[test]
fn what_rests_on_nothing_that_changed_is_not_decided_again() {
    let mut chance = Chance(7);
    let journal = InMemory::default();
    let mut engines = [engine(&journal), engine(&journal)];
    let space = initialise(&mut engines[0], &mut chance);
    engines[1].catch_up().expect("the journal is whole");
    let target = windlass_protocol::ids::TargetId::from_bytes([9; 16]);
    let denials = |chance: &mut Chance| {
        let counts = BTreeMap::from([("pull".to_owned(), 1)]);
        let command = Command::Space(space, SpaceCommand::RecordDenials { target, counts });
        asked(chance, Actor::Coordinator, command)
    };
    let environment = |chance: &mut Chance, name: &str| {
        let placed = json!({"place": "a:1", "document": {"kind": "environment", "name": name}});
        let request = serde_json::from_value(json!({"documents": [placed]})).expect("a request");
        let command = Command::Space(space, SpaceCommand::Apply { request, keys: BTreeMap::new() });
        asked(chance, Actor::Installer, command)
    };
    // Somebody's noise overtakes nobody's work: the record keeps its time, and only its number is another one.
    let noise = denials(&mut chance);
    engines[0].carry_out(&[noise]).expect("the journal is whole");
    let mut work = environment(&mut chance, "Testing");
    work.envelope.time = Timestamp::from_milliseconds(START + 50_000);
    engines[1].carry_out(&[work]).expect("the journal is whole");
    let (records, state) = read(&journal);
    let last = records.last().expect("there are some");
    assert_eq!((last.number, last.sequence, last.stream), (3, 1, Stream::Space(space)));
    assert_eq!(last.time, Timestamp::from_milliseconds(START + 50_000));
    assert_eq!(state.sequence(Stream::Observations(Some(space))), 1);
}

#[test]
fn a_full_journal_changes_nothing_and_takes_what_comes_when_there_is_room() {
    let mut chance = Chance(3);
    let journal = InMemory::default();
    let mut engine = engine(&journal);
    initialise(&mut engine, &mut chance);
    let before = engine.state().digest();
    journal.set_room(Some(0));
    let lines = lines_of(|| {
        for _ in 0..20 {
            let command = create(&mut chance, "ci");
            let answers = engine.carry_out(&[command]).expect("a full disk ends nobody");
            assert_eq!(answers[0].as_ref().expect_err("there is no room").kind, ProblemKind::DiskFull);
        }
        assert_eq!(engine.state().digest(), before);
        journal.set_room(None);
        let command = create(&mut chance, "ci");
        let answers = engine.carry_out(&[command]).expect("there is room");
        assert!(matches!(answers[0], Ok(Reply::TokenCreated(_))), "{:?}", answers[0]);
    });
    assert_eq!(lines.len(), 2, "that it is full, and that it no longer is: {lines:?}");
}

#[test]
fn another_history_ends_the_engine() {
    let mut chance = Chance(5);
    let (one, two) = (InMemory::default(), InMemory::default());
    let mut engine_one = engine(&one);
    initialise(&mut engine_one, &mut chance);
    let mut engine_two = engine(&two);
    initialise(&mut engine_two, &mut chance);
    // The same number, another hash: this is not the journal that was followed.
    let mut lost = Ledger::new(two, engine_one.head(), Arc::clone(engine_one.state()), 0);
    let why = lost.catch_up().expect_err("it is another history");
    assert!(why.to_string().contains("another history at record 1"), "{why}");
}

/// A token of this name.
fn create(chance: &mut Chance, name: &str) -> Asked {
    let request = serde_json::from_value(json!({"name": name, "role": "auditor"})).expect("a request");
    let token = (TokenId::from_bytes(chance.bytes()), Digest::of(name));
    asked(
        chance,
        Actor::Installer,
        Command::CreateToken { request, space: SpaceId::from_bytes([0; 16]), token },
    )
}

#[tokio::test]
async fn what_people_ask_for_and_what_the_engine_does_by_itself_wait_for_a_clock_that_has_jumped() {
    for (clock, done) in [(Watch::begin(), true), (Watch::jumped(), false)] {
        let journal = InMemory::default();
        initialise(&mut engine(&journal), &mut Chance(7));
        let (records, state) = read(&journal);
        let head = Line::read(&journal.lines()[0], GENESIS).expect("a line").hash;
        let replayed = Replayed { state, head, from: 0, bytes: 0 };
        let started = Engine::start_by(Arc::new(clock), journal.clone(), None, replayed, Box::new(|_, _| {}));
        let (engine, _) = started.expect("a thread");
        let (answer, answered) = oneshot::channel();
        let command = Box::new(Command::RecordSnapshot { record: 1, digest: Digest::of("state") });
        let envelope = Box::new(Engine::own_envelope());
        let job = Job::Decide { envelope, command, answer: Some(answer) };
        engine.queue.send(job).await.expect("it runs");
        let answer = answered.await.expect("an answer");
        assert_eq!(answer.is_ok(), done, "{answer:?}");
        assert_eq!(journal.lines().len(), records.len() + usize::from(done));
        let Asked { envelope, command } = create(&mut Chance(8), "ci");
        let answer = engine.submit(envelope, command).await;
        let refused = answer.as_ref().err().map(|why| why.kind);
        assert_eq!(refused, (!done).then_some(ProblemKind::Unavailable), "{answer:?}");
        assert_eq!(journal.lines().len(), records.len() + 2 * usize::from(done));
    }
}

/// Rights are judged by the time that records are dated with, also by a machine whose clock is behind another's.
#[tokio::test]
async fn whoever_is_shown_a_record_lives_no_earlier_than_it() {
    // Time goes on from there, at half its pace until the clock has caught up.
    if !is_alone("engine::tests::whoever_is_shown_a_record_lives_no_earlier_than_it") {
        return;
    }
    let journal = InMemory::default();
    initialise(&mut engine(&journal), &mut Chance(9));
    let (_, state) = read(&journal);
    let head = Line::read(&journal.lines()[0], GENESIS).expect("a line").hash;
    let shown = Arc::new(Mutex::new(None));
    let showing = Arc::clone(&shown);
    let published = move |_: &State, after: &Arc<State>| {
        *showing.lock().expect("nobody panicked") = Some((after.time, super::now()));
    };
    let replayed = Replayed { state, head, from: 0, bytes: 0 };
    let (engine, _) = Engine::start(journal, None, replayed, Box::new(published)).expect("a thread");
    let Asked { mut envelope, command } = create(&mut Chance(10), "ci");
    envelope.time = super::now().plus_seconds(3600);
    let time = envelope.time;
    engine.submit(envelope, command).await.expect("it is made");
    let (dated, lived) = shown.lock().expect("nobody panicked").expect("it was shown");
    assert!(dated == time && lived >= time, "{lived:?} is before {dated:?}");
}
