//! Which batch of output lies where, and how much of each assignment is kept.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_segments::fail;
use windlass_store::Store;

use super::Failure;
use crate::output::batch::Batch;
use crate::output::entry::{Entry, number};

const CACHE_BYTES: u64 = 16 << 20;
/// Assignment and first line -> number of the batch in the files.
const BATCH: u8 = b'b';
/// Assignment -> [`Entry`].
const NEXT: u8 = b'n';
/// Target -> bytes of its batches.
const HELD: u8 = b'h';
/// The last batch of the files that the index knows.
const INDEXED: &[u8] = b"i";
/// The first batch of the files that retention keeps.
const KEPT: &[u8] = b"k";

/// A batch, and where it lies.
pub(super) struct Placed {
    pub(super) assignment: AssignmentId,
    pub(super) target: Option<TargetId>,
    /// The number of its first line.
    pub(super) first: u64,
    /// Bytes of its lines.
    pub(super) bytes: u64,
    /// Its number in the files.
    pub(super) place: u64,
}

impl Placed {
    pub(super) fn of(batch: &Batch, place: u64) -> Self {
        let Batch { assignment, target, first, .. } = *batch;
        Self { assignment, target, first, bytes: batch.bytes(), place }
    }
}

pub(super) struct Index {
    store: Store,
}

fn batch_key(assignment: AssignmentId, first: u64) -> Vec<u8> {
    [&[BATCH], assignment.as_bytes().as_slice(), &first.to_be_bytes()].concat()
}

fn next_key(assignment: AssignmentId) -> Vec<u8> {
    [&[NEXT], assignment.as_bytes().as_slice()].concat()
}

fn held_key(target: TargetId) -> Vec<u8> {
    [&[HELD], target.as_bytes().as_slice()].concat()
}

impl Index {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { store: Store::open(folder, CACHE_BYTES)? })
    }

    /// The last line of the files that the index knows.
    pub(super) fn indexed(&self) -> Result<u64, Failure> {
        Ok(self.store.get(INDEXED)?.map_or(0, |bytes| number(&bytes)))
    }

    /// The first line of the files that is kept: 1 as long as nothing was removed.
    pub(super) fn kept(&self) -> Result<u64, Failure> {
        Ok(self.store.get(KEPT)?.map_or(1, |bytes| number(&bytes)))
    }

    /// Notes that everything before `place` is removed, or about to be.
    pub(super) fn keep_from(&self, place: u64) -> Result<(), Failure> {
        Ok(self.store.put(KEPT, &place.to_be_bytes())?)
    }

    pub(super) fn entry(&self, assignment: AssignmentId) -> Result<Option<Entry>, Failure> {
        Ok(self.store.get(&next_key(assignment))?.map(|bytes| Entry::from_bytes(&bytes)))
    }

    /// Adds batches, then what is known of their assignments, then that the files are
    /// known so far. In this order a reader never misses lines that an entry counts, and what a crash leaves of it is
    /// added once more.
    pub(super) fn add(
        &self,
        places: &[Placed],
        entries: impl IntoIterator<Item = (AssignmentId, Entry)>,
    ) -> Result<(), Failure> {
        for Placed { assignment, target, first, bytes, place } in places {
            let key = batch_key(*assignment, *first);
            // One that lies further on than before is counted already.
            if let Some(target) = target
                && self.store.get(&key)?.is_none()
            {
                self.hold(*target, |held| held.saturating_add(*bytes))?;
            }
            self.store.put(&key, &place.to_be_bytes())?;
        }
        for (assignment, entry) in entries {
            self.store.put(&next_key(assignment), &entry.to_bytes())?;
        }
        if let Some(Placed { place, .. }) = places.last() {
            self.store.put(INDEXED, &place.to_be_bytes())?;
        }
        Ok(())
    }

    fn hold(&self, target: TargetId, change: impl FnOnce(u64) -> u64) -> Result<(), Failure> {
        let key = held_key(target);
        match change(self.store.get(&key)?.map_or(0, |bytes| number(&bytes))) {
            0 => self.store.remove(&key)?,
            held => self.store.put(&key, &held.to_be_bytes())?,
        }
        Ok(())
    }

    /// Bytes of the batches of each target that has any.
    pub(super) fn held(&self) -> Result<BTreeMap<TargetId, u64>, Failure> {
        let mut held = BTreeMap::new();
        for pair in self.store.scan(&[HELD]) {
            let (key, bytes) = pair?;
            let target = key.get(1..).and_then(|id| id.try_into().ok()).map(TargetId::from_bytes);
            held.extend(target.map(|target| (target, number(&bytes))));
        }
        Ok(held)
    }

    /// Whether the lines of a batch are known to lie at this place, and nowhere further on.
    pub(super) fn is_at(&self, assignment: AssignmentId, first: u64, place: u64) -> Result<bool, Failure> {
        Ok(self.store.get(&batch_key(assignment, first))?.is_some_and(|known| number(&known) == place))
    }

    /// Forgets a batch if it lies before `kept`, and the assignment with its last one.
    pub(super) fn forget(&self, batch: &Batch, kept: u64) -> Result<(), Failure> {
        let Batch { assignment, target, first, .. } = *batch;
        let key = batch_key(assignment, first);
        // The same lines may lie further on as well, where the agent had to send them again.
        if self.store.get(&key)?.is_some_and(|place| number(&place) < kept) {
            self.store.remove(&key)?;
            if let Some(target) = target {
                self.hold(target, |held| held.saturating_sub(batch.bytes()))?;
            }
        }
        if self.store.scan(&key[..17]).next().transpose()?.is_none() {
            self.store.remove(&next_key(assignment))?;
        }
        Ok(())
    }

    /// Forgets everything, to be made anew from the files.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let keys: Vec<_> = self.store.scan(&[]).map(|pair| pair.map(|(key, _)| key)).collect();
        for key in keys {
            self.store.remove(&key?)?;
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> Result<(), Failure> {
        fail::point("output-index-before-commit");
        self.store.commit()?;
        fail::point("output-index-after-commit");
        Ok(())
    }

    /// Where the batches lie that hold lines from `from` on.
    pub(super) fn places(&self, assignment: AssignmentId, from: u64) -> Result<Vec<u64>, Failure> {
        let prefix = batch_key(assignment, 0)[..17].to_vec();
        let start = self.store.last_not_after(&prefix, &batch_key(assignment, from))?.map(|(key, _)| key);
        let mut places = Vec::new();
        for pair in self.store.scan(&prefix) {
            let (key, place) = pair?;
            if start.as_ref().is_none_or(|start| key >= *start) {
                places.push(number(&place));
            }
        }
        Ok(places)
    }
}
