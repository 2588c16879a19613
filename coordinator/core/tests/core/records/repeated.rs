//! A request that comes again with its key is answered as the first time, and nothing is done twice.

use serde_json::{Value, json};
use windlass_api::error::{Problem, ProblemKind};
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand};
use windlass_coordinator_core::event::{Actor, Request};
use windlass_protocol::Digest;
use windlass_protocol::ids::{EnrolmentId, TokenId};

use crate::world::{World, small};

const DAY: u64 = 24 * 3600;

fn ready() -> World {
    let mut world = small();
    world.actor = Actor::Token(World::administrator());
    world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    world.release("Web", "1.0.0");
    world
}

/// Asks for a command as the request with this key and this body.
fn ask(world: &mut World, key: &str, body: &str, command: SpaceCommand) -> (Result<Reply, Problem>, usize) {
    let Actor::Token(token) = world.actor else { panic!("people ask") };
    world.request = Some(Request { token, key: key.to_owned(), digest: Digest::of(body) });
    let before = world.records.len();
    (world.ask(command), world.records.len() - before)
}

fn deploy() -> SpaceCommand {
    let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]});
    SpaceCommand::Deploy(serde_json::from_value(request).expect("the request is right"))
}

#[test]
fn a_deployment_that_is_asked_for_twice_with_one_key_is_made_once() {
    let mut world = ready();
    let (first, records) = ask(&mut world, "key", "deploy", deploy());
    assert_eq!(records, 2, "it is asked for, and starts");
    assert!(matches!(first, Ok(Reply::Deployments { .. })), "{first:?}");
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        assert_eq!(ask(&mut world, "key", "deploy", deploy()), (first.clone(), 0));
    }
    assert_eq!(world.space().deployments.len(), 1);
    // Another key is another request, and so is the same key of somebody else.
    let (second, _) = ask(&mut world, "other key", "deploy", deploy());
    assert_ne!(second, first);
    let other = (TokenId::from_bytes([5; 16]), Digest::of("other"));
    let request = TokenRequest {
        name: "other".to_owned(),
        role: "administrator".to_owned(),
        ttl_seconds: None,
        tenants: None,
    };
    world
        .run(&Command::CreateToken { request, space: world.space_id(), token: other })
        .expect("it can be made");
    world.actor = Actor::Token(other.0);
    let (third, _) = ask(&mut world, "key", "deploy", deploy());
    assert!(third.is_ok() && third != first && third != second);
    assert_eq!(world.space().deployments.len(), 3);
}

#[test]
fn a_key_that_was_used_for_another_request_is_a_conflict() {
    let mut world = ready();
    ask(&mut world, "key", "one", deploy()).0.expect("it can be made");
    let (refused, records) = ask(&mut world, "key", "another", deploy());
    let problem = refused.expect_err("the key belongs to the first");
    assert_eq!((problem.kind, records), (ProblemKind::Conflict, 0));
    assert_eq!(
        problem.message,
        "the Idempotency-Key `key` was used for another request; a key belongs to one request and its repetitions"
    );
}

#[test]
fn an_answer_is_remembered_for_a_day_and_then_forgotten() {
    // Also where nothing was answered meanwhile that would have pushed it out.
    for meanwhile in [false, true] {
        let mut world = ready();
        let (first, _) = ask(&mut world, "key", "deploy", deploy());
        world.wait(DAY);
        assert_eq!(ask(&mut world, "key", "deploy", deploy()).0, first, "in its last moment");
        world.wait(1);
        if meanwhile {
            ask(&mut world, "other key", "deploy", deploy()).0.expect("it can be made");
        }
        let (again, records) = ask(&mut world, "key", "something else", deploy());
        assert!(again.is_ok() && again != first && records > 0);
        let (repeated, records) = ask(&mut world, "key", "something else", deploy());
        assert_eq!((repeated, records), (again, 0), "from now on it is this one's");
    }
}

#[test]
fn a_request_that_changes_nothing_is_recorded_so_that_it_changes_nothing_later_either() {
    let mut world = ready();
    let delete = || SpaceCommand::ChangeTarget {
        target: "machine".to_owned(),
        change: windlass_coordinator_core::decide::TargetChange::Enable,
    };
    assert_eq!(ask(&mut world, "key", "enable", delete()), (Ok(Reply::Done), 1));
    assert!(world.records.last().is_some_and(|record| record.events.is_empty()));
    world.change("machine", windlass_coordinator_core::decide::TargetChange::Disable);
    assert_eq!(ask(&mut world, "key", "enable", delete()), (Ok(Reply::Done), 0));
    assert!(
        !world.space().targets.named("machine").expect("it exists").enabled,
        "it is not done a second time"
    );
}

#[test]
fn what_was_refused_is_not_remembered_and_may_be_asked_again() {
    let mut world = ready();
    world.change("machine", windlass_coordinator_core::decide::TargetChange::Disable);
    let wrong: Value = json!({"project": "Web", "version": "9.9.9", "environments": ["Staging"]});
    let wrong = SpaceCommand::Deploy(serde_json::from_value(wrong).expect("the request is right"));
    let (refused, records) = ask(&mut world, "key", "deploy", wrong);
    assert!(refused.is_err() && records == 0);
    ask(&mut world, "key", "deploy again", deploy()).0.expect("the key is free");
}

#[test]
fn a_token_that_is_made_twice_is_the_first_one() {
    let mut world = ready();
    let mut make = |id: [u8; 16]| {
        let Actor::Token(token) = world.actor else { panic!("people ask") };
        world.request = Some(Request { token, key: "key".to_owned(), digest: Digest::of("make a token") });
        let (name, role) = ("pipeline".to_owned(), "auditor".to_owned());
        let request = TokenRequest { name, role, ttl_seconds: None, tenants: None };
        world.run(&Command::CreateToken {
            request,
            space: world.space_id(),
            token: (TokenId::from_bytes(id), Digest::of(id)),
        })
    };
    let first = TokenId::from_bytes([5; 16]);
    assert_eq!([make([5; 16]), make([6; 16])], [(); 2].map(|()| Ok(Reply::TokenCreated(first))));
    assert!(!world.state.tokens.contains_key(&TokenId::from_bytes([6; 16])));
    // An enrolment token too.
    let make = |id: [u8; 16]| SpaceCommand::CreateEnrolment {
        request: Default::default(),
        token: (EnrolmentId::from_bytes(id), Digest::of(id)),
    };
    let first = Ok(Reply::EnrolmentCreated(EnrolmentId::from_bytes([5; 16])));
    assert_eq!(ask(&mut world, "enrolment", "make", make([5; 16])).0, first);
    assert_eq!(ask(&mut world, "enrolment", "make", make([6; 16])).0, first);
    assert_eq!(world.space().enrolments.len(), 2, "the machine's own, and this one");
}
