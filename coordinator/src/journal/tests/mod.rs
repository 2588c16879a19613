//! Starts: from snapshots, from what is left of them, and from what a loss of power leaves.

mod million;
#[cfg(feature = "fail-points")]
mod power;
mod snapshots;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_coordinator_core::decide::{Command, Envelope, decide};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::{Digest, Timestamp};

use super::{GENESIS, Journal, Replayed, Snapshot, replay};

/// A coordinator's state and journal, without the coordinator.
struct Story {
    data: PathBuf,
    journal: Journal,
    state: State,
    /// Goes with the story, unless somebody else keeps the data.
    _place: Option<TempDir>,
}

impl Story {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut story = Self::over(place.path());
        story._place = Some(place);
        story
    }

    /// One that begins in this folder.
    fn over(data: &Path) -> Self {
        let journal = Journal::open(data, GENESIS).unwrap();
        let mut story = Self { data: data.to_owned(), journal, state: State::default(), _place: None };
        let authority = Digest::of("authority");
        let token = (TokenId::from_bytes([1; 16]), Digest::of("token"));
        story.carry_out(&Command::Initialise { authority, token, key: KeyId::from_bytes([2; 16]) });
        story.sync();
        story
    }

    /// One that goes on from what a start found.
    fn after(data: &Path, replayed: Replayed) -> Self {
        let journal = Journal::open(data, replayed.head).unwrap();
        Self { data: data.to_owned(), journal, state: replayed.state, _place: None }
    }

    /// Decides and appends; durable with the next [`Story::sync`].
    fn carry_out(&mut self, command: &Command) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.state.sequence.to_le_bytes());
        let time = Timestamp::from_milliseconds(1_700_000_000_000);
        let envelope = Envelope { time, actor: Actor::Installer, origin: None, reason: None, seed };
        let decision = decide(&self.state, &envelope, command).unwrap();
        self.journal.append(&decision.record.unwrap(), [3; 16]).unwrap();
        self.state = decision.state;
    }

    fn sync(&mut self) {
        self.journal.sync().unwrap();
    }

    /// Makes a token of an administrator.
    fn create(&mut self, name: &str) {
        let token =
            (TokenId::from_bytes(Digest::of(name).as_bytes()[..16].try_into().unwrap()), Digest::of(name));
        self.carry_out(&Command::CreateAdministrator { name: name.to_owned(), token });
    }

    fn delete(&mut self, name: &str) {
        self.carry_out(&Command::DeleteToken(name.to_owned()));
    }

    /// Writes a snapshot of a state at this moment, and has a record name it.
    fn snapshot_of(&mut self, state: State) {
        let snapshot = Snapshot { head: self.journal.head(), state };
        let digest = snapshot.write(&self.data).unwrap();
        self.carry_out(&Command::RecordSnapshot { record: self.state.sequence, digest });
        self.sync();
    }

    fn snapshot(&mut self) {
        self.snapshot_of(self.state.clone());
    }

    /// The record that a start goes on from. What it comes to is what was left.
    fn start(&self) -> u64 {
        let replayed = replay(&self.data).unwrap();
        assert_eq!(replayed.state.digest(), self.state.digest());
        assert_eq!(replayed.head, self.journal.head());
        replayed.from
    }
}
