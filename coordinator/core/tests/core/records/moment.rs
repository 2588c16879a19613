//! One moment per decision, never before the record before (ARCHITECTURE, "Time, once"): rights, expiries, deadlines and
//! the record's time are of it, also with a clock that runs backwards.

use serde_json::json;
use windlass_api::error::ProblemKind;
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;
use windlass_protocol::message::EnrolRefusal;

use crate::world::{Machine, START, World, small};

const HOUR: u64 = 3600;

/// A world whose last record is two hours after its first one, and whose clock has then gone back to the beginning. The
/// token `short` was good for an hour, and so was the enrolment token.
fn back_in_time() -> (World, TokenId, windlass_protocol::ids::EnrolmentId) {
    let mut world = small();
    world.release("Web", "1.0.0");
    let short = TokenId::from_bytes([5; 16]);
    let (name, role) = ("short".to_owned(), "administrator".to_owned());
    let request = TokenRequest { name, role, ttl_seconds: Some(HOUR), tenants: None };
    let token = (short, Digest::of("short"));
    world.run(&Command::CreateToken { request, space: world.space_id(), token }).expect("it can be made");
    let enrolment = world.token(json!({})).expect("it can be made");
    world.wait(2 * HOUR);
    world.apply(&[json!({"kind": "environment", "name": "Later"})]);
    world.now = START;
    (world, short, enrolment)
}

#[test]
fn a_clock_that_ran_backwards_brings_no_right_back() {
    let (mut world, short, enrolment) = back_in_time();
    let before = world.records.len();
    world.actor = Actor::Token(short);
    let refused = world.delete("environment", "Later").expect_err("the token has expired");
    assert_eq!(refused.kind, ProblemKind::NotAuthorised);
    world.actor = Actor::Installer;
    let late = world.use_token(enrolment, "secret", &Machine::new("late"));
    assert_eq!(late, Reply::EnrolmentRefused(EnrolRefusal::Expired));
    // What is not refused is of the moment of the record before.
    world.delete("environment", "Later").expect("nothing names it");
    let moment = START.plus_seconds(2 * HOUR);
    assert!(world.records[before..].iter().all(|record| record.time == moment));
}

#[test]
fn expiries_and_deadlines_count_from_the_moment_of_the_record() {
    let (mut world, _, _) = back_in_time();
    let moment = START.plus_seconds(2 * HOUR);
    let enrolment = world.token(json!({"ttl-seconds": 60})).expect("it can be made");
    assert_eq!(world.space().enrolments[&enrolment].expires, moment.plus_seconds(60));
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    assert_eq!(world.deployment(id).created, moment);
    let (_, assignment, item) = world.work(id)[0];
    assert_eq!((item.since, item.expires), (moment, moment.plus_seconds(7 * 24 * HOUR)));
    world.lose(target);
    assert_eq!(world.work(id)[0].2.deadline, moment.plus_seconds(HOUR));
    world.report(target, assignment, WorkReportKind::Started);
    assert_eq!(world.work(id)[0].2.deadline, moment.plus_seconds(2 * HOUR));
    let peer = world.peer(target);
    let due = windlass_coordinator_core::authorise::Peer { expires: moment, ..peer };
    let renewed = world.ask(SpaceCommand::Renew { peer: due, life_seconds: 90 * 24 * HOUR });
    assert_eq!(renewed, Ok(Reply::Renewed { expires: moment.plus_seconds(90 * 24 * HOUR) }));
    // Once the clock is right again, time goes on.
    world.now = moment.plus_seconds(1);
    world.apply(&[json!({"kind": "environment", "name": "Much later"})]);
    assert_eq!(world.state.time, moment.plus_seconds(1));
}
