//! What is left to go on with and cannot be done is tried again, but not at once and for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use windlass_coordinator_core::decide::{decide, has_more};

use super::*;
use crate::engine::Engine;
use crate::journal::Replayed;

/// A journal whose disk is full until there is room, and how often it was tried.
#[derive(Clone, Default)]
struct Full {
    tries: Arc<AtomicUsize>,
    has_room: Arc<Mutex<bool>>,
}

impl Journal for Full {
    fn append(&mut self, _: Head, _: &[Appended]) -> Result<(), AppendError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        if *self.has_room.lock().expect("nobody panicked") { Ok(()) } else { Err(AppendError::Full) }
    }

    fn read(&mut self, _: Head, _: usize) -> Result<Vec<Vec<u8>>, AppendError> {
        Ok(Vec::new())
    }

    fn watch(&mut self, _: Box<dyn Fn() + Send + Sync>) {}
}

/// A state in which a deployment waits to be started, and the space.
fn waiting(chance: &mut Chance) -> (State, SpaceId) {
    let (_, ledger, space, commands) = asked_for(chance);
    let mut state = State::clone(ledger.state());
    for Asked { envelope, command } in commands {
        state = decide(&state, &envelope, &command).unwrap_or_else(|why| panic!("{why}")).state;
    }
    assert!(has_more(&state, space), "it waits");
    (state, space)
}

/// An engine over a journal, its space, and the commands that come to a deployment.
fn asked_for(chance: &mut Chance) -> (InMemory, Ledger<InMemory>, SpaceId, Vec<Asked>) {
    let journal = InMemory::default();
    let mut ledger = engine(&journal);
    let space = initialise(&mut ledger, chance);
    let script = json!({"body": "true"});
    let documents = json!([
        {"place": "a:1", "document": {"kind": "environment", "name": "Testing"}},
        {"place": "a:2", "document": {"kind": "project", "name": "Web",
            "steps": [{"name": "Run", "roles": ["web"], "script": script}]}},
    ]);
    let apply = serde_json::from_value(json!({"documents": documents})).expect("a request");
    let token = (EnrolmentId::from_bytes([7; 16]), Digest::of("secret"));
    let grant = json!({"grant": {"roles": ["web"], "environments": ["Testing"]}});
    let machine = EnrolmentUse {
        enrolment: token.0,
        secret: token.1,
        key: TargetKey {
            public_key: Digest::of("key"),
            sealing_key: "00".repeat(32),
            certificate_expires: Timestamp::from_milliseconds(i64::MAX),
        },
        name: "machine".to_owned(),
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
    };
    let release = serde_json::from_value(json!({"project": "Web", "version": "1.0.0"})).expect("a request");
    let deploy = json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"]});
    let commands = [
        SpaceCommand::Apply { request: apply, keys: BTreeMap::new() },
        SpaceCommand::CreateEnrolment { request: serde_json::from_value(grant).expect("a request"), token },
        SpaceCommand::Enrol(Box::new(machine)),
        SpaceCommand::CreateRelease { request: release, package_names: Default::default() },
        SpaceCommand::Deploy(serde_json::from_value(deploy).expect("a request")),
    ];
    let commands = commands.map(|command| asked(chance, Actor::Installer, Command::Space(space, command)));
    (journal, ledger, space, commands.into())
}

/// Nobody looked at the clock between the two, and it may have jumped: here it is years ahead of what was asked.
#[test]
fn what_follows_a_command_is_dated_like_it() {
    let (journal, mut ledger, _, commands) = asked_for(&mut Chance(12));
    for answer in ledger.carry_out(&commands).expect("the journal is whole") {
        answer.unwrap_or_else(|why| panic!("{why}"));
    }
    let (records, _) = read(&journal);
    let follows = |record: &Record| record.header.cause.is_some();
    assert!(records.iter().any(follows), "the deployment starts");
    for pair in records.windows(2).filter(|pair| follows(&pair[1])) {
        assert_eq!(pair[1].time, pair[0].time);
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_tried_again_less_and_less_often_and_done_when_it_can_be() {
    let (state, space) = waiting(&mut Chance(11));
    let journal = Full::default();
    let replayed = Replayed { from: state.number, state, head: GENESIS, bytes: 0 };
    let (engine, _ended) =
        Engine::start(journal.clone(), None, replayed, Box::new(|_, _| {})).expect("it starts");
    let started = |tries: usize| {
        let begun = std::time::Instant::now();
        while journal.tries.load(Ordering::Relaxed) < tries {
            assert!(begun.elapsed() < Duration::from_secs(30), "it is tried again by itself");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // At once, after a second, and two seconds after that.
    started(1);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(journal.tries.load(Ordering::Relaxed), 1, "not at once again");
    started(2);
    *journal.has_room.lock().expect("nobody panicked") = true;
    started(3);
    let begun = std::time::Instant::now();
    while has_more(&engine.state(), space) {
        assert!(begun.elapsed() < Duration::from_secs(30), "there is room");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A start reads what came since the newest snapshot: few large records are as much to read as many small ones.
#[test]
fn a_snapshot_is_due_by_the_bytes_of_records_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, space) = waiting(&mut Chance(12));
    let start = |bytes: u64| {
        let replayed = Replayed { from: state.number, state: state.clone(), head: GENESIS, bytes };
        let data = folder.path().join(bytes.to_string());
        std::fs::create_dir(&data).expect("a folder");
        let journal = Full::default();
        *journal.has_room.lock().expect("nobody panicked") = true;
        let (engine, ended) =
            Engine::start(journal, Some(data.clone()), replayed, Box::new(|_, _| {})).expect("it starts");
        let begun = std::time::Instant::now();
        while has_more(&engine.state(), space) {
            assert!(begun.elapsed() < Duration::from_secs(30), "there is room");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(engine);
        ended.join().expect("it did not panic").expect("the journal is whole");
        data
    };
    let written = |data: &std::path::Path| {
        std::fs::read_dir(data.join("snapshots")).is_ok_and(|found| found.count() > 0)
    };
    let (few, many) = (start(0), start(64 << 20));
    let begun = std::time::Instant::now();
    while !written(&many) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is due");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!written(&few));
}

/// While nothing can be recorded nobody can report: that is time without a coordinator, and nothing is given up for it.
#[tokio::test]
async fn what_is_overdue_once_there_is_room_again_is_given_the_time_of_a_return() {
    let (state, space) = waiting(&mut Chance(13));
    let Asked { envelope, command } =
        asked(&mut Chance(14), Actor::Coordinator, Command::Space(space, SpaceCommand::GoOn));
    let state = decide(&state, &envelope, &command).unwrap_or_else(|why| panic!("{why}")).state;
    // It was assigned years ago.
    let journal = Full::default();
    let replayed = Replayed { from: state.number, state, head: GENESIS, bytes: 0 };
    let (engine, _ended) =
        Engine::start(journal.clone(), None, replayed, Box::new(|_, _| {})).expect("it starts");
    let registry = crate::registry::Registry::default();
    // Nearly as long ago as an absence takes.
    let served = Timestamp::from_milliseconds(crate::engine::now().milliseconds() - 29_000);
    let watching = crate::deadlines::watch(&engine, &registry, served);
    let room = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        *journal.has_room.lock().expect("nobody panicked") = true;
        let begun = std::time::Instant::now();
        let settled = || {
            let state = engine.state();
            let space = state.space(space).expect("it is there");
            space.served_since.is_some() || space.deployments.values().any(|found| found.is_over())
        };
        while !settled() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it is looked at each second");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = watching => unreachable!("it never ends"),
        () = room => {}
    }
    let state = engine.state();
    let space = state.space(space).expect("it is there");
    assert!(space.served_since.is_some(), "the return is written down");
    assert!(space.deployments.values().all(|found| !found.is_over()), "and nothing is given up");
}
