//! Enrolment (SEMANTICS 3, THREATS A2 and C1).

use serde_json::json;
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand, TargetChange};
use windlass_coordinator_core::event::{Actor, EnrolmentEvent, Event};
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;
use windlass_protocol::message::EnrolRefusal;

use crate::world::{Machine, World, small};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[test]
fn of_64_machines_with_one_single_use_token_one_wins_and_63_are_recorded_or_counted() {
    let mut world = small();
    let token = world.token(json!({"grant": {"roles": ["web"]}})).expect("the token can be made");
    let (mut enrolled, mut counted) = (0, 0);
    let events = world.events_of(|world| {
        for index in 0..64 {
            let name = format!("machine-{index}");
            match world.use_token(token, "secret", &Machine::new(&name)) {
                Reply::Enrolled(_) => enrolled += 1,
                // Whose refusal is not recorded is counted: that is what this answer means.
                Reply::EnrolmentRefusedAgain(EnrolRefusal::Used) => counted += 1,
                reply => assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::Used)),
            }
        }
    });
    assert_eq!(enrolled, 1);
    assert_eq!(world.space().targets.len(), 1);
    let refused = events
        .iter()
        .filter(|event| matches!(event, Event::Enrolment(EnrolmentEvent::Refused { .. })))
        .count();
    assert_eq!((refused, counted, events.len()), (1, 62, 2));
}

#[test]
fn a_token_for_three_uses_is_used_three_times() {
    let mut world = small();
    let token = world.token(json!({"uses": 3})).expect("the token can be made");
    for (name, wins) in [("a", true), ("b", true), ("c", true), ("d", false)] {
        let reply = world.use_token(token, "secret", &Machine::new(name));
        assert_eq!(matches!(reply, Reply::Enrolled(_)), wins, "{name}: {reply:?}");
    }
}

#[test]
fn a_token_is_good_for_an_hour_or_as_long_as_was_said_and_not_a_moment_longer() {
    for (request, seconds) in [(json!({}), HOUR), (json!({"ttl-seconds": 60}), 60)] {
        for (late, expected) in [(0, None), (1, Some(EnrolRefusal::Expired))] {
            let mut world = small();
            let token = world.token(request.clone()).expect("the token can be made");
            world.wait(seconds + late);
            let reply = world.use_token(token, "secret", &Machine::new("machine"));
            match expected {
                None => assert!(matches!(reply, Reply::Enrolled(_)), "{reply:?}"),
                Some(refusal) => assert_eq!(reply, Reply::EnrolmentRefused(refusal)),
            }
        }
    }
}

#[test]
fn without_the_secret_nothing_is_told_and_nothing_recorded() {
    let mut world = small();
    let token = world.token(json!({})).expect("the token can be made");
    world.use_token(token, "secret", &Machine::new("first"));
    world.wait(2 * HOUR);
    let unknown = windlass_protocol::ids::EnrolmentId::from_bytes([9; 16]);
    let events = world.events_of(|world| {
        for (token, secret) in [(token, "wrong"), (token, ""), (unknown, "secret")] {
            // Used, expired and unknown are told apart to nobody who does not have the secret.
            let reply = world.use_token(token, secret, &Machine::new("machine"));
            assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::Unknown));
        }
    });
    assert_eq!(events, []);
}

#[test]
fn the_same_key_asking_again_gets_the_same_registration_and_no_second_use() {
    let mut world = small();
    let token = world.token(json!({"uses": 2})).expect("the token can be made");
    let first = world.use_token(token, "secret", &Machine::new("machine"));
    let events = world.events_of(|world| {
        assert_eq!(world.use_token(token, "secret", &Machine::new("machine")), first);
        world.wait(2 * HOUR);
        assert_eq!(
            world.use_token(token, "secret", &Machine::new("machine")),
            first,
            "an answer may be lost for long"
        );
    });
    assert_eq!(events, []);
    assert_eq!(world.space().enrolments.get(&token).expect("it is kept").used_by.len(), 1);
    // What is sealed to the key that is known could not be opened with another one.
    let other = Machine { sealing: "11", ..Machine::new("machine") };
    let refused = Reply::EnrolmentRefused(EnrolRefusal::Expired);
    assert_eq!(world.use_token(token, "secret", &other), refused);
}

#[test]
fn a_target_enrols_again_with_a_token_for_that_very_target_and_keeps_its_grant() {
    let mut world = small();
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let target = world.enrol("machine", grant);
    let again = world.token(json!({"target": "machine"})).expect("the token can be made");
    // The grant that counts is the target's own, also where it was made smaller after the token.
    world.grant("machine", json!({"roles": ["web"], "environments": ["Testing"]}));
    world.change("machine", TargetChange::Revoke);
    world.change("machine", TargetChange::Disable);
    let before = world.space().targets.get(target).expect("it exists").clone();
    let machine = Machine { key: "new key", ..Machine::new("another name") };
    assert_eq!(world.use_token(again, "secret", &machine), Reply::Enrolled(target));
    let after = world.space().targets.get(target).expect("it exists");
    assert_eq!((&after.granted, &after.name), (&before.granted, &before.name));
    assert_ne!(after.key.public_key, before.key.public_key);
    assert!(!after.revoked, "a new key is not the revoked one");
    assert!(!after.enabled, "only an operator enables");
    // With the old key the token is used up.
    let old = Machine { key: "machine", ..Machine::new("machine") };
    assert_eq!(world.use_token(again, "secret", &old), Reply::EnrolmentRefused(EnrolRefusal::Used));
}

#[test]
fn a_token_for_a_target_that_was_deleted_makes_no_target() {
    let mut world = small();
    world.enrol("machine", json!({"roles": ["web"]}));
    let again = world.token(json!({"target": "machine"})).expect("the token can be made");
    world.change("machine", TargetChange::Delete);
    world.enrol("machine", json!({"roles": ["other"]}));
    let machine = Machine { key: "new key", ..Machine::new("machine") };
    assert_eq!(world.use_token(again, "secret", &machine), Reply::EnrolmentRefused(EnrolRefusal::Unknown));
}

/// Why an enrolment was refused, for the first time or again.
fn refusal(reply: &Reply) -> Option<EnrolRefusal> {
    match reply {
        Reply::EnrolmentRefused(refusal) | Reply::EnrolmentRefusedAgain(refusal) => Some(*refusal),
        _ => None,
    }
}

#[test]
fn a_taken_name_is_refused_and_a_new_target_with_an_old_name_inherits_nothing() {
    let mut world = small();
    let all = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let old = world.enrol("Machine 1", all);
    let token = world.token(json!({"uses": 9})).expect("the token can be made");
    for name in ["Machine 1", "MACHINE 1", "machine-1"] {
        let reply = world.use_token(token, "secret", &Machine { key: "new key", ..Machine::new(name) });
        assert_eq!(refusal(&reply), Some(EnrolRefusal::NameTaken), "{name}");
    }
    for name in ["", " ", "line\nline"] {
        let reply = world.use_token(token, "secret", &Machine { key: "new key", ..Machine::new(name) });
        assert_eq!(refusal(&reply), Some(EnrolRefusal::BadName), "{name:?}");
    }
    world.change("Machine 1", TargetChange::Delete);
    let machine = Machine { key: "new key", ..Machine::new("Machine 1") };
    let Reply::Enrolled(new) = world.use_token(token, "secret", &machine) else { panic!("the name is free") };
    let target = world.space().targets.get(new).expect("it exists");
    assert_ne!(new, old);
    assert!(target.granted.roles.is_empty() && target.granted.environments.is_empty());
    assert!(target.granted.tenants.is_empty());
}

#[test]
fn requests_for_tokens_that_make_no_sense_are_refused_with_a_sentence() {
    let mut world = small();
    world.enrol("machine", json!({"roles": ["web"]}));
    let cases = [
        (json!({"uses": 0}), "a token is for 1 to 10000 uses"),
        (
            json!({"uses": 2, "name": "x"}),
            "a token with a name is for one target; leave out the name or the uses",
        ),
        (json!({"name": "MACHINE"}), "there is a target `machine` already"),
        (json!({"target": "machin"}), "there is no target `machin`; did you mean `machine`?"),
        (
            json!({"target": "machine", "grant": {"roles": ["db"]}}),
            "enrolling a target again keeps its grant; name no scope",
        ),
        (
            json!({"grant": {"roles": [" web"]}}),
            "a role is a printable word such as `web`, without white space around it",
        ),
        (
            json!({"grant": {"environments": ["Stagin"]}}),
            "there is no environment `Stagin`; did you mean `Staging`?",
        ),
    ];
    for (request, sentence) in cases {
        assert_eq!(world.token(request).expect_err(sentence).message, sentence);
    }
}

/// Makes a token of the API in the name of another, which then acts.
fn operator(world: &mut World, made_by: TokenId, name: &str, ttl_seconds: u64) -> TokenId {
    let id = TokenId::from_bytes(world.bytes());
    world.actor = Actor::Token(made_by);
    let (name, role) = (name.to_owned(), "administrator".to_owned());
    let request = TokenRequest { name, role, ttl_seconds: Some(ttl_seconds), tenants: None };
    world
        .run(&Command::CreateToken { request, space: world.space_id(), token: (id, Digest::of("operator")) })
        .expect("it can be made");
    world.actor = Actor::Token(id);
    id
}

#[test]
fn a_token_is_never_stronger_than_its_maker_is_at_the_moment_of_use() {
    let delete = |name: &'static str| {
        move |world: &mut World| drop(world.run(&Command::DeleteToken(name.to_owned())).expect("it exists"))
    };
    type Change<'a> = &'a dyn Fn(&mut World);
    let cases: [(&str, Change<'_>, bool); 5] = [
        ("as it was made", &|_| (), true),
        ("at its maker's last moment", &|world| world.wait(HOUR), true),
        ("after that", &|world| world.wait(HOUR + 1), false),
        ("its maker deleted", &delete("operator"), false),
        ("the maker of its maker deleted", &delete("chief"), false),
    ];
    for (what, change, good) in cases {
        let mut world = small();
        let chief = operator(&mut world, World::administrator(), "chief", 9 * HOUR);
        let maker = operator(&mut world, chief, "operator", HOUR);
        let request =
            json!({"grant": {"tenants": {"tenants": ["Gamma"]}}, "uses": 2, "ttl-seconds": 5 * HOUR});
        let token = world.token(request).expect("the token can be made");
        assert_eq!(world.space().enrolments[&token].made_by, Some(maker));
        let first = world.use_token(token, "secret", &Machine::new("first"));
        assert!(matches!(first, Reply::Enrolled(_)));
        change(&mut world);
        let events = world.events_of(|world| {
            let reply = world.use_token(token, "secret", &Machine::new("second"));
            match good {
                true => assert!(matches!(reply, Reply::Enrolled(_)), "{what}: {reply:?}"),
                false => assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::MakerGone), "{what}"),
            }
        });
        assert_eq!(
            matches!(events.as_slice(), [Event::Enrolment(EnrolmentEvent::Refused { .. })]),
            !good,
            "{what}"
        );
        // Who is enrolled is enrolled: its answer may have been lost.
        assert_eq!(world.use_token(token, "secret", &Machine::new("first")), first, "{what}");
    }
}

#[test]
fn a_token_whose_maker_is_gone_holds_nothing_against_deletion() {
    let mut world = small();
    operator(&mut world, World::administrator(), "operator", HOUR);
    let request = json!({"grant": {"tenants": {"tenants": ["Gamma"]}}});
    world.token(request).expect("the token can be made");
    world.delete("tenant", "Gamma").expect_err("who enrols may get it");
    world.run(&Command::DeleteToken("operator".to_owned())).expect("it exists");
    world.actor = Actor::Token(World::administrator());
    world.delete("tenant", "Gamma").expect("nobody can use it any more");
}

fn take_back(world: &mut World, name: &str) -> Result<Reply, windlass_api::error::Problem> {
    world.ask(SpaceCommand::DeleteEnrolment(name.to_owned()))
}

#[test]
fn a_token_that_was_taken_back_enrols_nobody_and_who_enrolled_with_it_stays() {
    let mut world = small();
    let request = json!({"uses": 2, "grant": {"tenants": {"tenants": ["Gamma"]}}});
    let token = world.token(request).expect("the token can be made");
    let Reply::Enrolled(first) = world.use_token(token, "secret", &Machine::new("first")) else {
        panic!("the token is good for two");
    };
    let events = world.events_of(|world| {
        take_back(world, &token.to_string()).expect("it is there");
        // Not even who has the secret is told that there was one, and nothing is recorded.
        for name in ["first", "second"] {
            let reply = world.use_token(token, "secret", &Machine::new(name));
            assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::Unknown), "{name}");
        }
    });
    assert_eq!(events, [Event::Enrolment(EnrolmentEvent::Deleted { enrolment: token })]);
    assert!(world.space().targets.get(first).is_some());
    let problem = take_back(&mut world, &token.to_string()).expect_err("it is gone");
    assert_eq!(problem.message, format!("there is no enrolment token `{token}`"));
    world.change("first", TargetChange::Delete);
    world.delete("tenant", "Gamma").expect("what the token granted is free");
}

#[test]
fn an_enrolment_token_is_named_by_its_id_or_by_a_name_that_it_alone_has() {
    let mut world = small();
    let first = world.token(json!({"name": "Web 1"})).expect("the token can be made");
    let second = world.token(json!({"name": "web 2"})).expect("the token can be made");
    let problem = take_back(&mut world, "web 3").expect_err("there is none");
    assert_eq!(problem.kind, windlass_api::error::ProblemKind::NotFound);
    assert!(problem.message.starts_with("there is no enrolment token `web 3`; did you mean `"), "{problem}");
    take_back(&mut world, "WEB 1").expect("names ignore case");
    assert!(!world.space().enrolments.contains_key(&first));
    world.token(json!({"name": "Web 2"})).expect("the token can be made");
    let problem = take_back(&mut world, "Web 2").expect_err("two have the name");
    assert_eq!(
        problem.message,
        "several enrolment tokens are called `Web 2`; give the whole id of the one you mean"
    );
    take_back(&mut world, &second.to_string()).expect("its id is its own");
    take_back(&mut world, "Web 2").expect("now one alone has the name");
    assert!(world.space().enrolments.is_empty());
}

#[test]
fn the_beginning_of_an_enrolment_tokens_id_names_it_where_it_is_long_enough_and_its_own() {
    let mut world = small();
    let token = world.token(json!({})).expect("the token can be made");
    let other = world.token(json!({})).expect("the token can be made");
    let (id, kind) = (token.to_string(), "enrolment-".len());
    let found = take_back(&mut world, &id[..kind + 7]).expect_err("a character is missing");
    assert_eq!(found.kind, windlass_api::error::ProblemKind::NotFound);
    take_back(&mut world, &id[kind..kind + 8]).expect("it is long enough");
    assert!(!world.space().enrolments.contains_key(&token));
    take_back(&mut world, &other.to_string()[..kind + 12]).expect("with its kind as well");
    assert!(world.space().enrolments.is_empty());
}

#[test]
fn a_token_is_good_for_a_second_to_thirty_days() {
    let mut world = small();
    for (seconds, good) in [(0, false), (1, true), (30 * DAY, true), (30 * DAY + 1, false), (u64::MAX, false)]
    {
        let made = world.token(json!({"ttl-seconds": seconds}));
        assert_eq!(made.is_ok(), good, "{seconds}");
        if let Err(problem) = made {
            assert!(problem.message.contains("is good for 1s to 30d"), "{problem}");
        }
    }
}

#[test]
fn a_token_leaves_the_state_seven_days_after_it_has_expired_used_or_not() {
    let mut world = small();
    let unused = world.token(json!({})).expect("the token can be made");
    let used = world.token(json!({})).expect("the token can be made");
    let longer = world.token(json!({"ttl-seconds": 2 * HOUR})).expect("the token can be made");
    let reply = world.use_token(used, "secret", &Machine::new("machine"));
    world.wait(HOUR + 7 * DAY);
    let at_the_last_moment = world.events_of(|world| drop(world.ask(SpaceCommand::ForgetEnrolments)));
    assert_eq!(at_the_last_moment, []);
    assert_eq!(world.use_token(used, "secret", &Machine::new("machine")), reply, "its answer may be lost");
    let late = world.use_token(unused, "secret", &Machine::new("late"));
    assert_eq!(late, Reply::EnrolmentRefused(EnrolRefusal::Expired));
    world.wait(1);
    let events = world.events_of(|world| drop(world.ask(SpaceCommand::ForgetEnrolments)));
    let mut forgotten: Vec<_> = events
        .into_iter()
        .map(|event| match event {
            Event::Enrolment(EnrolmentEvent::Forgotten { enrolment }) => enrolment,
            other => panic!("{other:?}"),
        })
        .collect();
    forgotten.sort();
    let mut expected = vec![unused, used];
    expected.sort();
    assert_eq!(forgotten, expected);
    assert_eq!(world.space().enrolments.keys().copied().collect::<Vec<_>>(), [longer]);
    let reply = world.use_token(used, "secret", &Machine::new("machine"));
    assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::Unknown));
    assert!(world.space().targets.named("machine").is_some(), "who is enrolled is enrolled");
}
