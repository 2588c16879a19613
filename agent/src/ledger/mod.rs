//! What the agent must know after a crash: which assignments it admitted, how far they are, and how new its orders
//! are. Small records in the store; what is larger (the assignment, a report) in a folder of its own.

mod packages;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{AssignmentId, SpaceId, TenantId};
use windlass_protocol::message::{Generation, Report, SignedAssignment};
use windlass_protocol::{Digest, Timestamp};
use windlass_segments::{disk, fail};
use windlass_store::Store;

use crate::durable;
use crate::reserve::Reserve;

/// Bytes of sled's cache: an agent idles in a few megabytes.
const CACHE_BYTES: u64 = 1 << 20;

/// An assignment as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) generation: Generation,
    /// Of its bytes as they came.
    pub(crate) digest: Digest,
    /// Whether it is over and reported; kept for a while, so that a replay is known as one.
    pub(crate) closed: bool,
}

pub(crate) struct Ledger {
    store: Store,
    folder: PathBuf,
    reserve: Reserve,
}

const ENTRY: u8 = b'a';
const HIGHEST: &[u8] = b"g";
const CLOCK: &[u8] = b"t";
const SERVED: &[u8] = b"s";

impl Ledger {
    pub(crate) fn open(state_root: &Path) -> anyhow::Result<Self> {
        let folder = state_root.join("work");
        durable::create_folder(&folder)?;
        let reserve = Reserve::new(state_root);
        // Opening the store writes, and what is to be ended may be what fills the disk.
        reserve.make_room_for_store()?;
        let store = Store::open(&state_root.join("store"), CACHE_BYTES)?;
        let ledger = Self { store, folder, reserve };
        ledger.sweep()?;
        Ok(ledger)
    }

    /// Removes folders of assignments that are over, or that were never admitted: a crash left them between the
    /// ledger's word and the disk's.
    fn sweep(&self) -> anyhow::Result<()> {
        let entries = self.entries()?;
        let open = |name: &str| {
            name.parse().is_ok_and(|id: AssignmentId| entries.get(&id).is_some_and(|entry| !entry.closed))
        };
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !open(&entry.file_name().to_string_lossy()) {
                disk::remove_folder(&entry.path())?;
            }
        }
        Ok(())
    }

    fn key(id: AssignmentId) -> Vec<u8> {
        [&[ENTRY], id.as_bytes().as_slice()].concat()
    }

    fn value<T: for<'de> Deserialize<'de>>(&self, key: &[u8]) -> anyhow::Result<Option<T>> {
        let found = self.store.get(key)?;
        found.map(|bytes| serde_json::from_slice(&bytes).context("the agent's store is damaged")).transpose()
    }

    /// Everything that is known, closed ones too.
    pub(crate) fn entries(&self) -> anyhow::Result<BTreeMap<AssignmentId, Entry>> {
        let mut entries = BTreeMap::new();
        for pair in self.store.scan(&[ENTRY]) {
            let (key, value) = pair?;
            let id = <[u8; 16]>::try_from(&key[1..]).context("the agent's store is damaged")?;
            let entry = serde_json::from_slice(&value).context("the agent's store is damaged")?;
            entries.insert(AssignmentId::from_bytes(id), entry);
        }
        Ok(entries)
    }

    /// The highest generation that was acted upon.
    pub(crate) fn highest(&self) -> anyhow::Result<Option<Generation>> {
        self.value(HIGHEST)
    }

    /// The latest time that the coordinator told.
    pub(crate) fn clock(&self) -> anyhow::Result<Timestamp> {
        Ok(self.value(CLOCK)?.unwrap_or_default())
    }

    pub(crate) fn set_clock(&self, time: Timestamp) -> anyhow::Result<()> {
        self.reserve.check_store()?;
        Ok(self.store.put(CLOCK, &serde_json::to_vec(&time)?)?)
    }

    /// Whom an agent that can serve one tenant only has served.
    pub(crate) fn served(&self) -> anyhow::Result<Option<(SpaceId, Option<TenantId>)>> {
        self.value(SERVED)
    }

    /// Where an assignment's files lie.
    pub(crate) fn folder(&self, id: AssignmentId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Writes an admitted assignment down, durably, before anything is done for it.
    pub(crate) fn admit(
        &self,
        id: AssignmentId,
        entry: Entry,
        signed: &SignedAssignment,
        owner: (SpaceId, Option<TenantId>),
    ) -> anyhow::Result<()> {
        self.reserve.hold()?;
        self.reserve.check_store()?;
        let folder = self.folder(id);
        durable::create_folder(&folder)?;
        durable::write(&folder.join("assignment"), &serde_json::to_vec(signed)?, "assignment")?;
        fail::point("ledger-before-admit");
        let highest = self.highest()?.max(Some(entry.generation));
        for (old, known) in self.entries()? {
            if known.closed && Some(known.generation) < highest {
                self.store.remove(&Self::key(old))?;
            }
        }
        self.store.put(&Self::key(id), &serde_json::to_vec(&entry)?)?;
        self.store.put(HIGHEST, &serde_json::to_vec(&highest)?)?;
        if self.served()?.is_none() {
            self.store.put(SERVED, &serde_json::to_vec(&owner)?)?;
        }
        self.store.commit()?;
        fail::point("ledger-after-admit");
        Ok(())
    }

    /// The assignment as it came.
    pub(crate) fn assignment(&self, id: AssignmentId) -> anyhow::Result<SignedAssignment> {
        let path = self.folder(id).join("assignment");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes down how an assignment ended, durably, before it is told.
    pub(crate) fn end(&self, report: &Report) -> anyhow::Result<()> {
        let path = self.folder(report.assignment).join("report");
        let text = serde_json::to_vec(report)?;
        match durable::write(&path, &text, "report") {
            Err(why) if durable::is_full(&why) => {
                self.reserve.give_up();
                durable::write(&path, &text, "report")
            }
            written => written,
        }
    }

    /// How an assignment ended, if it has.
    pub(crate) fn ended(&self, id: AssignmentId) -> anyhow::Result<Option<Report>> {
        let path = self.folder(id).join("report");
        match fs::read(&path) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => {
                let text = read.with_context(|| format!("cannot read {}", path.display()))?;
                Ok(Some(
                    serde_json::from_slice(&text)
                        .with_context(|| format!("{} is damaged", path.display()))?,
                ))
            }
        }
    }

    /// The coordinator has everything of an assignment: its files go.
    pub(crate) fn close(&self, id: AssignmentId, entry: Entry) -> anyhow::Result<()> {
        self.reserve.make_room_for_store()?;
        fail::point("ledger-before-close");
        self.store.put(&Self::key(id), &serde_json::to_vec(&Entry { closed: true, ..entry })?)?;
        self.store.commit()?;
        fail::point("ledger-after-close");
        match disk::remove_folder(&self.folder(id)) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why.into()),
            _ => Ok(()),
        }
    }
}
