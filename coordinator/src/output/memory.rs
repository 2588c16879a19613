//! Output in memory: what a store of output is, without a disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::OutputLine;

use super::batch::Batch;
use super::entry::{Entry, Taken};
use super::read::{Found, Piece, Room};
use super::{Limits, Logs, OutputError, is_protected};

/// A way to it, with limits of its own. Clones share what is kept.
#[derive(Clone)]
pub struct InMemory {
    limits: Limits,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    batches: VecDeque<Batch>,
    entries: BTreeMap<AssignmentId, Entry>,
    /// Whether anything was ever removed.
    removed: bool,
    /// How many more batches it takes; none where it is never full.
    room: Option<usize>,
}

impl InMemory {
    pub fn new(limits: Limits) -> Self {
        Self { limits, shared: Arc::default() }
    }

    /// Another way to the same, with other limits.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, shared: Arc::clone(&self.shared) }
    }

    /// Takes so many more batches and then does not work; as many as come where there is no number.
    pub fn set_room(&self, room: Option<usize>) {
        self.shared.lock().room = room;
    }
}

impl Shared {
    fn append(&mut self, limits: Limits, batch: Batch) -> Result<u64, OutputError> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(1).ok_or(OutputError::NotWorking)?;
        }
        let assignment = batch.assignment;
        let known = self.entries.get(&assignment).copied();
        let Taken { next, change } = Entry::take(known, known.is_none() && self.removed, limits, batch)?;
        if let Some((entry, kept)) = change {
            self.entries.insert(assignment, entry);
            self.batches.extend(kept);
            self.retain(limits);
        }
        Ok(next)
    }

    /// Lets the oldest go beyond the limit, but for what is protected, and what is known of an assignment with the last
    /// of it.
    fn retain(&mut self, limits: Limits) {
        let mut held = BTreeMap::<_, u64>::new();
        for batch in &self.batches {
            *held.entry(batch.target).or_default() += batch.bytes();
        }
        let (mut total, holders): (u64, _) = (held.values().sum(), held.len() as u64);
        for _ in 1..self.batches.len() {
            if total <= limits.total_bytes {
                return;
            }
            let Some(oldest) = self.batches.pop_front() else { return };
            let its = held.entry(oldest.target).or_default();
            if is_protected(*its, holders, limits) {
                self.batches.push_back(oldest);
                continue;
            }
            *its -= oldest.bytes();
            total -= oldest.bytes();
            self.removed = true;
            if self.batches.iter().all(|batch| batch.assignment != oldest.assignment) {
                self.entries.remove(&oldest.assignment);
            }
        }
    }
}

impl Logs for InMemory {
    fn append(
        &self,
        target: TargetId,
        assignment: AssignmentId,
        first: u64,
        lines: Vec<OutputLine>,
    ) -> BoxFuture<'_, Result<u64, OutputError>> {
        let batch = Batch { assignment, target: Some(target), first, lines, full: false };
        ready(self.shared.lock().append(self.limits, batch)).boxed()
    }

    fn read(
        &self,
        assignment: AssignmentId,
        from: u64,
        room: Room,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, OutputError> {
        let shared = self.shared.lock();
        let mut found = Found::new(from, room);
        // What was kept when older output went lies behind what came after it.
        let mut batches: Vec<_> =
            shared.batches.iter().filter(|batch| batch.assignment == assignment).collect();
        batches.sort_by_key(|batch| batch.first);
        for batch in batches {
            if found.is_full() {
                break;
            }
            if batch.end().is_some_and(|end| end <= found.next()) {
                continue;
            }
            found.take(batch.clone());
        }
        let entry = shared.entries.get(&assignment).copied();
        Ok(found.end(entry, entry.is_none() && shared.removed, announced))
    }
}
