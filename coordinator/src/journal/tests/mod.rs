//! Starts: from snapshots, from what is left of them, and from what a loss of power leaves.

mod contract;
mod full;
#[cfg(feature = "fail-points")]
mod power;
mod snapshots;
mod tail;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_coordinator_core::decide::{Command, Envelope, decide};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::{Digest, Timestamp};

use super::{Appended, Embedded, Head, Journal, Replayed, Snapshot, encode, replay};

/// A coordinator's state and journal, without the coordinator.
struct Story {
    data: PathBuf,
    journal: Embedded,
    /// Where the journal ends on the disk.
    durable: Head,
    /// Where it ends with what is not there yet.
    head: Head,
    pending: Vec<Appended>,
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
        let mut story = Self::after(data, Replayed::nothing());
        let authority = Digest::of("authority");
        let token = (TokenId::from_bytes([1; 16]), Digest::of("token"));
        story.carry_out(&Command::Initialise { authority, token, key: KeyId::from_bytes([2; 16]) });
        story.sync();
        story
    }

    /// One that goes on from what a start found.
    fn after(data: &Path, replayed: Replayed) -> Self {
        let (journal, state) = (Embedded::open(data).unwrap(), replayed.state);
        let head = Head { number: state.number, hash: replayed.head };
        Self { data: data.to_owned(), journal, durable: head, head, pending: Vec::new(), state, _place: None }
    }

    /// Decides and appends; durable with the next [`Story::sync`].
    fn carry_out(&mut self, command: &Command) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.state.number.to_le_bytes());
        let time = Timestamp::from_milliseconds(1_700_000_000_000);
        let (actor, origin, reason, cause, request) = (Actor::Installer, None, None, None, None);
        let envelope = Envelope { time, actor, origin, reason, cause, request, seed };
        let decision = decide(&self.state, &envelope, command).unwrap();
        let record = decision.record.unwrap();
        let (line, hash) = encode(&record, self.head.hash, |count| vec![3; count]);
        self.pending.push(Appended { line, hash });
        self.head = Head { number: record.number, hash };
        self.state = decision.state;
    }

    fn sync(&mut self) {
        self.journal.append(self.durable, &self.pending).unwrap();
        self.durable = self.head;
        self.pending.clear();
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
        let snapshot = Snapshot::of(self.head.hash, state);
        let digest = snapshot.write(&self.data).unwrap();
        self.carry_out(&Command::RecordSnapshot { record: self.state.number, digest });
        self.sync();
    }

    fn snapshot(&mut self) {
        self.snapshot_of(self.state.clone());
    }

    /// The record that a start goes on from. What it comes to is what was left.
    fn start(&self) -> u64 {
        let replayed = replay(&self.data).unwrap();
        assert_eq!(replayed.state.digest(), self.state.digest());
        assert_eq!(replayed.head, self.head.hash);
        replayed.from
    }
}
