//! A small installation to decide on: every command goes through the real `decide`, and every record that comes out
//! of it is replayed at once, so that each test is a test of replay as well. After each command the coordinator goes on
//! with what that left to do, as the daemon does.

mod chances;
mod documents;
mod operators;
mod work;

use serde_json::Value;
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_api::requests::{ApplyRequest, PlacedDocument};
use windlass_coordinator_core::decide::{Command, Decision, Envelope, Reply, SpaceCommand, decide, has_more};
use windlass_coordinator_core::event::{Actor, Event, FORMAT, Header, Record, Request, Stream};
use windlass_coordinator_core::state::{DoesNotFit, Space, State};
use windlass_protocol::digest::Hasher;
use windlass_protocol::ids::{KeyId, SpaceId, TokenId};
use windlass_protocol::{Digest, Timestamp};

pub use chances::{Happening, happening, lively};
pub use documents::{project, small};
pub use operators::{Operators, Place};
pub use work::{Machine, ended, in_whole};

/// The first moment of every world.
pub const START: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);

/// A state, the records that made it, and the clock.
#[derive(Clone)]
pub struct World {
    /// The state after the last command.
    pub state: State,
    /// Every record so far.
    pub records: Vec<Record>,
    pub now: Timestamp,
    /// Who asks.
    pub actor: Actor,
    /// What operators and machines did to targets, as a model remembers it.
    pub operators: Operators,
    /// The request that the next command is, where it may be repeated.
    pub request: Option<Request>,
    /// Whether the coordinator goes on by itself after each command.
    pub goes_on: bool,
    /// Whether each record is replayed at once. Long random histories are replayed as a whole instead.
    pub replays: bool,
    made: u64,
}

impl World {
    /// An installation with its first space, and nothing else.
    pub fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            records: Vec::new(),
            now: START,
            actor: Actor::Installer,
            operators: Operators::default(),
            request: None,
            goes_on: true,
            replays: true,
            made: 0,
        };
        let command = Command::Initialise {
            authority: Digest::of("authority"),
            token: (Self::administrator(), Digest::of("administrator")),
            key: KeyId::from_bytes([1; 16]),
        };
        world.run(&command).expect("an empty folder can be initialised");
        world
    }

    /// The first administrator's token; its secret's digest is that of `administrator`.
    pub const fn administrator() -> TokenId {
        TokenId::from_bytes([2; 16])
    }

    pub fn space(&self) -> &Space {
        self.state.space_named(None).expect("there is a space")
    }

    /// The id of the space.
    pub fn space_id(&self) -> SpaceId {
        self.space().head.id
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// 32 bytes that no other call got, the same ones in every run.
    pub fn seed(&mut self) -> [u8; 32] {
        self.made += 1;
        let mut hasher = Hasher::new();
        hasher.update(self.made.to_be_bytes());
        *hasher.finish().as_bytes()
    }

    /// 16 bytes that no other call got.
    pub fn bytes(&mut self) -> [u8; 16] {
        let seed = self.seed();
        seed[..16].try_into().expect("a seed has 32 bytes")
    }

    /// Runs any command, and all that it leaves to go on with.
    pub fn run(&mut self, command: &Command) -> Result<Reply, Problem> {
        let reply = self.run_one(command)?;
        if self.goes_on && !self.state.spaces.is_empty() {
            self.go_on();
        }
        Ok(reply)
    }

    /// Goes on until nothing is left to go on with.
    pub fn go_on(&mut self) {
        while has_more(&self.state, self.space_id()) {
            let before = self.records.len();
            self.go_on_once();
            assert!(self.records.len() > before, "a pass that has something to do does something");
        }
    }

    /// One pass, after the record before it.
    pub fn go_on_once(&mut self) {
        let (actor, request) = (std::mem::replace(&mut self.actor, Actor::Coordinator), self.request.take());
        self.run_one(&Command::Space(self.space_id(), SpaceCommand::GoOn)).expect("going on always works");
        (self.actor, self.request) = (actor, request);
    }

    /// Who asks for the next command, when and why.
    pub fn envelope(&mut self) -> Envelope {
        // What the coordinator does by itself follows from the record before.
        let cause = (self.actor == Actor::Coordinator).then_some(self.state.number);
        let (origin, request) = (Some("192.0.2.1:4433".to_owned()), self.request.take());
        Envelope {
            time: self.now,
            actor: self.actor,
            origin,
            reason: None,
            cause,
            request,
            seed: self.seed(),
        }
    }

    fn run_one(&mut self, command: &Command) -> Result<Reply, Problem> {
        let envelope = self.envelope();
        let Decision { record, state, reply } = decide(&self.state, &envelope, command)?;
        match record {
            Some(record) if !self.replays => self.records.push(record),
            Some(record) => {
                let mut replayed = self.state.clone();
                replayed.apply(&record).expect("what was decided fits the state that it was decided on");
                assert_eq!(replayed.digest(), state.digest(), "replaying is deciding: {:?}", record.events);
                self.records.push(record);
            }
            None if !self.replays => {}
            None => assert_eq!(self.state.digest(), state.digest(), "nothing recorded, nothing changed"),
        }
        self.state = state;
        Ok(reply)
    }

    /// Applies a record of one event that nobody decided.
    pub fn forge(&mut self, stream: Stream, event: impl Into<Event>) -> Result<(), DoesNotFit> {
        let (actor, events) = (self.actor, vec![event.into()]);
        let header =
            Header { actor, origin: None, reason: None, cause: None, reads: Vec::new(), answered: None };
        let (number, sequence) = (self.state.number + 1, self.state.sequence(stream) + 1);
        let (epoch, time) = (self.state.epoch, self.now);
        let record = Record { number, stream, sequence, epoch, format: FORMAT, time, header, events };
        self.state.apply(&record)?;
        self.records.push(record);
        Ok(())
    }

    /// What a restart makes of the state: it is written down as a snapshot, and read back.
    pub fn restart(&mut self) {
        let text = serde_json::to_vec(&self.state).expect("a state is JSON");
        self.state = serde_json::from_slice(&text).expect("what was written can be read");
    }

    /// Runs a command of the space.
    pub fn ask(&mut self, command: SpaceCommand) -> Result<Reply, Problem> {
        self.run(&Command::Space(self.space_id(), command))
    }

    /// The events of what `act` does: those of the records that it adds.
    pub fn events_of(&mut self, act: impl FnOnce(&mut Self)) -> Vec<Event> {
        let before = self.records.len();
        act(self);
        self.records[before..].iter().flat_map(|record| record.events.clone()).collect()
    }

    /// Applies documents that are written as JSON.
    pub fn try_apply(&mut self, documents: &[Value]) -> Result<Reply, Problem> {
        let placed = |(index, document): (usize, &Value)| PlacedDocument {
            place: format!("world.yaml:{}", index + 1),
            document: read(document),
        };
        let documents = documents.iter().enumerate().map(placed).collect();
        let mut request = ApplyRequest { documents, ..ApplyRequest::default() };
        let keys = self.seal(&mut request.documents);
        self.ask(SpaceCommand::Apply { request, keys })
    }

    /// Applies documents that are right.
    pub fn apply(&mut self, documents: &[Value]) {
        self.try_apply(documents).expect("the documents are right");
    }

    /// Deletes what documents define.
    pub fn delete(&mut self, kind: &str, name: &str) -> Result<Reply, Problem> {
        self.ask(SpaceCommand::Delete { kind: kind.to_owned(), name: name.to_owned() })
    }
}

/// A document that is written as JSON.
pub fn read(document: &Value) -> Document {
    serde_json::from_value(document.clone()).unwrap_or_else(|why| panic!("{why} in {document}"))
}
