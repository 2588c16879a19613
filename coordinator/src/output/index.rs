//! Which batch of output lies where: assignment and first line -> number in the files and count of lines.

use std::path::Path;

use windlass_protocol::ids::AssignmentId;
use windlass_segments::fail;
use windlass_store::Store;

use super::OutputError;

const CACHE_BYTES: u64 = 16 << 20;
const BATCH: u8 = b'b';
const NEXT: u8 = b'n';
const INDEXED: &[u8] = b"i";

pub(super) struct Index {
    store: Store,
}

fn batch_key(assignment: AssignmentId, first: u64) -> Vec<u8> {
    [&[BATCH], assignment.as_bytes().as_slice(), &first.to_be_bytes()].concat()
}

fn next_key(assignment: AssignmentId) -> Vec<u8> {
    [&[NEXT], assignment.as_bytes().as_slice()].concat()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

impl Index {
    pub(super) fn open(folder: &Path) -> Result<Self, OutputError> {
        Ok(Self { store: Store::open(folder, CACHE_BYTES)? })
    }

    /// The last line of the files that the index knows.
    pub(super) fn indexed(&self) -> Result<u64, OutputError> {
        Ok(self.store.get(INDEXED)?.map_or(0, |bytes| number(&bytes)))
    }

    /// The number that an assignment's next line has.
    pub(super) fn next(&self, assignment: AssignmentId) -> Result<u64, OutputError> {
        Ok(self.store.get(&next_key(assignment))?.map_or(1, |bytes| number(&bytes)))
    }

    pub(super) fn add(
        &self,
        assignment: AssignmentId,
        first: u64,
        count: u64,
        place: u64,
    ) -> Result<(), OutputError> {
        self.store.put(&batch_key(assignment, first), &place.to_be_bytes())?;
        self.store.put(&next_key(assignment), &(first + count).to_be_bytes())?;
        self.store.put(INDEXED, &place.to_be_bytes())?;
        Ok(())
    }

    /// Forgets everything, to be made anew from the files.
    pub(super) fn clear(&self) -> Result<(), OutputError> {
        let keys: Vec<_> = self.store.scan(&[]).map(|pair| pair.map(|(key, _)| key)).collect();
        for key in keys {
            self.store.remove(&key?)?;
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> Result<(), OutputError> {
        fail::point("output-index-before-commit");
        self.store.commit()?;
        fail::point("output-index-after-commit");
        Ok(())
    }

    /// Where the batches lie that hold lines from `from` on.
    pub(super) fn places(&self, assignment: AssignmentId, from: u64) -> Result<Vec<u64>, OutputError> {
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
