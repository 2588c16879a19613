//! What holders of tokens may do: role by action by the state of the token and of its makers.

use std::fmt::Write;

use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::authorise::{Action, PersonDenied, person};
use windlass_coordinator_core::decide::Command;
use windlass_coordinator_core::event::{Actor, Event, Stream};
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;

use crate::golden;
use crate::world::World;

const HOUR: u64 = 3600;

/// Makes a token, in the name of another one.
fn token(world: &mut World, made_by: TokenId, name: &str, role: &str, ttl_seconds: u64) -> TokenId {
    let id = TokenId::from_bytes(world.bytes());
    world.actor = Actor::Token(made_by);
    let request =
        TokenRequest { name: name.to_owned(), role: role.to_owned(), ttl_seconds: Some(ttl_seconds) };
    world
        .run(&Command::CreateToken { request, token: (id, Digest::of(name)) })
        .expect("the token can be made");
    id
}

#[test]
fn the_persons_matrix_is_as_reviewed() {
    let administrator = World::administrator();
    type Change = fn(&mut World);
    // In each, `maker` made `token`.
    let states: [(&str, &str, Change); 6] = [
        ("valid", "administrator", |_| ()),
        ("at its last moment", "administrator", |world| world.wait(HOUR)),
        ("expired", "administrator", |world| world.wait(HOUR + 1)),
        ("deleted", "administrator", |world| {
            drop(world.run(&Command::DeleteToken("token".to_owned())).expect("it exists"))
        }),
        ("its maker deleted", "administrator", |world| {
            drop(world.run(&Command::DeleteToken("maker".to_owned())).expect("it exists"))
        }),
        ("its maker an auditor", "auditor", |_| ()),
    ];
    let mut table = String::new();
    for role in ["administrator", "auditor"] {
        for (state, maker, change) in states {
            let mut world = World::new();
            let maker = token(&mut world, administrator, "maker", maker, 10 * HOUR);
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
    let mut forged = world.state.tokens[&first].clone();
    forged.made_by = Some(second);
    world.state.apply_event(Stream::Installation, &Event::TokenCreated { token: forged }).expect("it fits");
    let denied = person(&world.state, second, Digest::of("second"), Action::Read, world.now).err();
    assert_eq!(denied, Some(PersonDenied::Unknown));
}
