//! What holders of tokens may do: role by action by the state of the token and of its makers.

use std::fmt::Write;

use windlass_api::error::{Problem, ProblemKind};
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::authorise::{Action, PersonDenied, person, role_at};
use windlass_coordinator_core::decide::{Command, Reply};
use windlass_coordinator_core::event::{Actor, InstallationEvent, Stream, TokenCreated};
use windlass_coordinator_core::model::{ApiToken, Role};
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;

use crate::golden;
use crate::world::World;

const HOUR: u64 = 3600;

/// Makes a token, in the name of another one.
fn token(world: &mut World, made_by: TokenId, name: &str, role: &str, ttl_seconds: u64) -> TokenId {
    let id = TokenId::from_bytes(world.bytes());
    world.actor = Actor::Token(made_by);
    let request = TokenRequest {
        name: name.to_owned(),
        role: role.to_owned(),
        ttl_seconds: Some(ttl_seconds),
        tenants: None,
    };
    world
        .run(&Command::CreateToken { request, space: world.space_id(), token: (id, Digest::of(name)) })
        .expect("the token can be made");
    id
}

#[test]
fn the_persons_matrix_is_as_reviewed() {
    let administrator = World::administrator();
    type Change = fn(&mut World);
    // In each, `maker` made `token`.
    let states: [(&str, Change); 6] = [
        ("valid", |_| ()),
        ("at its last moment", |world| world.wait(HOUR)),
        ("expired", |world| world.wait(HOUR + 1)),
        ("deleted", |world| drop(world.run(&Command::DeleteToken("token".to_owned())).expect("it exists"))),
        ("its maker deleted", |world| {
            drop(world.run(&Command::DeleteToken("maker".to_owned())).expect("it exists"))
        }),
        ("its maker an auditor", |world| {
            let tokens = &mut world.state.tokens;
            let maker = tokens.iter().find(|(_, token)| token.name.as_str() == "maker");
            let maker = *maker.expect("it was made").0;
            tokens.get_mut(&maker).expect("it was found").role = Role::Auditor;
        }),
    ];
    let mut table = String::new();
    for role in ["administrator", "auditor"] {
        for (state, change) in states {
            let mut world = World::new();
            let maker = token(&mut world, administrator, "maker", "administrator", 10 * HOUR);
            let id = token(&mut world, maker, "token", role, HOUR);
            change(&mut world);
            for action in [Action::Read, Action::Change] {
                let answer = match person(&world.state, id, Digest::of("token"), action, world.now) {
                    Ok(permit) => {
                        assert_eq!(permit.token(), id);
                        "granted".to_owned()
                    }
                    Err(denied) => format!("denied, {denied:?}"),
                };
                writeln!(table, "{role:<14} {:<8} {state:<22} {answer}", format!("{action:?}"))
                    .expect("a text grows");
            }
            let wrong = person(&world.state, id, Digest::of("wrong"), Action::Read, world.now);
            assert_eq!(wrong.err(), Some(PersonDenied::Unknown), "{role}, {state}: without the secret");
        }
    }
    golden::check("access-of-persons", "Role, action and state of a token, and the answer.", &table);
}

#[test]
fn a_token_is_no_longer_good_than_any_of_its_makers() {
    let mut world = World::new();
    let first = token(&mut world, World::administrator(), "first", "administrator", HOUR);
    let second = token(&mut world, first, "second", "administrator", 10 * HOUR);
    let third = token(&mut world, second, "third", "administrator", 10 * HOUR);
    assert!(person(&world.state, third, Digest::of("third"), Action::Change, world.now).is_ok());
    world.wait(HOUR + 1);
    let denied = person(&world.state, third, Digest::of("third"), Action::Read, world.now).err();
    assert_eq!(denied, Some(PersonDenied::Unknown));
}

#[test]
fn tokens_that_made_each_other_are_good_for_nothing() {
    let mut world = World::new();
    let first = token(&mut world, World::administrator(), "first", "administrator", HOUR);
    let second = token(&mut world, first, "second", "administrator", HOUR);
    let ApiToken { id, name, secret, role, expires, .. } = world.state.tokens[&first].clone();
    let token = TokenCreated { id, name, secret, role, expires, limit: None, made_by: Some(second) };
    world.forge(Stream::Installation, InstallationEvent::TokenCreated { token }).expect("it fits");
    let denied = person(&world.state, second, Digest::of("second"), Action::Read, world.now).err();
    assert_eq!(denied, Some(PersonDenied::Unknown));
}

fn own_administrator(world: &mut World, name: &str) -> Result<Reply, Problem> {
    let token = (TokenId::from_bytes(world.bytes()), Digest::of(name));
    world.run(&Command::CreateAdministrator { name: name.to_owned(), token })
}

#[test]
fn a_token_is_good_for_366_days_at_most() {
    let mut world = World::new();
    for (seconds, good) in [(366 * 24 * HOUR, true), (366 * 24 * HOUR + 1, false), (u64::MAX, false)] {
        let (id, name) = (TokenId::from_bytes(world.bytes()), format!("for {seconds}"));
        let request =
            TokenRequest { name, role: "auditor".to_owned(), ttl_seconds: Some(seconds), tenants: None };
        let made = world.run(&Command::CreateToken {
            request,
            space: world.space_id(),
            token: (id, Digest::of("token")),
        });
        assert_eq!(made.is_ok(), good, "{seconds}");
        if let Err(problem) = made {
            assert!(problem.message.contains("at most 366d"), "{problem}");
        }
    }
}

#[test]
fn the_last_administrator_cannot_be_deleted_and_any_other_can() {
    let mut world = World::new();
    let sentence = "the token `First administrator` cannot be deleted: no administrator would be left, for the tokens that it made end with it; `windlass-coordinator administrator` makes one that does not";
    let delete = |world: &mut World, name: &str| world.run(&Command::DeleteToken(name.to_owned()));
    for name in ["First administrator", "first ADMINISTRATOR", &World::administrator().to_string()] {
        let problem = delete(&mut world, name).expect_err("nobody would be left");
        assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::Conflict, sentence));
    }
    // Those that it made would end with it, and an auditor could not make another one.
    let second = token(&mut world, World::administrator(), "second", "administrator", HOUR);
    token(&mut world, second, "reader", "auditor", HOUR);
    assert_eq!(delete(&mut world, "First administrator").expect_err("as before").message, sentence);
    // An administrator of its own, as only who has the machine can make one.
    world.actor = Actor::Installer;
    own_administrator(&mut world, "second").expect_err("the name is taken");
    own_administrator(&mut world, "own").expect("it can be made");
    world.wait(1000 * HOUR);
    let id = world.state.tokens.values().find(|token| token.name.as_str() == "own").expect("it is there").id;
    assert_eq!(role_at(&world.state, id, world.now), Some(Role::Administrator), "it does not expire");
    delete(&mut world, "First administrator").expect("another administrator is left");
    delete(&mut world, "own").expect_err("now that is the last one");
    // Tokens that are worth nothing any more can be cleared away.
    delete(&mut world, "second").expect("it administers nothing");
    delete(&mut world, "reader").expect("it administers nothing");
}

#[test]
fn a_command_whose_token_lost_its_right_while_it_waited_is_refused() {
    let administrator = World::administrator();
    for (role, gone) in [("administrator", true), ("auditor", false)] {
        let mut world = World::new();
        let id = token(&mut world, administrator, "other", role, HOUR);
        world.actor = Actor::Token(administrator);
        if gone {
            world.run(&Command::DeleteToken("other".to_owned())).expect("it exists");
        }
        world.actor = Actor::Token(id);
        let refused = world.run(&Command::DeleteToken("other".to_owned())).expect_err("it has no right");
        assert_eq!(refused.kind, ProblemKind::NotAuthorised, "{role}");
    }
}
