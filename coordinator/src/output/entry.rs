//! What is known of one assignment's output, and what is taken of what comes.

use super::batch::Batch;
use super::{Limits, OutputError};

/// What comes of a batch.
pub(super) struct Taken {
    /// The number of the line that is expected next.
    pub(super) next: u64,
    /// What is then known of its assignment, and the part of it that is to be kept, if anything changes.
    pub(super) change: Option<(Entry, Option<Batch>)>,
}

/// What is known of one assignment's output. It goes with the last of its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The number of the line that is expected next.
    pub(super) next: u64,
    /// What its lines count against the limit.
    pub(super) bytes: u64,
    /// The limit is reached: lines that come are counted by `next`, and not kept.
    pub(super) full: bool,
}

impl Entry {
    /// Of an assignment that nothing is known of.
    pub(super) const NEW: Self = Self { next: 1, bytes: 0, full: false };

    /// With a batch; the same if it was counted already.
    pub(super) fn with(self, batch: &Batch) -> Self {
        let end = batch.end().unwrap_or(u64::MAX);
        let bytes = if end > self.next { self.bytes + batch.bytes() } else { self.bytes };
        Self { next: self.next.max(end), bytes, full: self.full || batch.full }
    }

    /// What is taken of a batch that comes. Of an assignment that nothing is known of, `forgotten` says whether that may be
    /// because retention took all of it.
    pub(super) fn take(
        known: Option<Self>,
        forgotten: bool,
        limits: Limits,
        mut batch: Batch,
    ) -> Result<Taken, OutputError> {
        let end = batch.end().ok_or(OutputError::Numbers)?;
        let entry = known.unwrap_or(Self::NEW);
        // Before these there may be lines that nobody remembers: their count where the assignment is full, and all of
        // them where they were forgotten. Otherwise the agent has to go back.
        if batch.first > entry.next && !entry.full && !forgotten {
            return Ok(Taken { next: entry.next, change: None });
        }
        let next = entry.next.max(batch.first);
        if end <= next {
            return Ok(Taken { next, change: None });
        }
        if entry.full {
            return Ok(Taken { next: end, change: Some((Self { next: end, ..entry }, None)) });
        }
        batch.lines.drain(..usize::try_from(next - batch.first).unwrap_or(usize::MAX));
        batch.first = next;
        batch.cut_to(limits.assignment_bytes.saturating_sub(entry.bytes));
        if batch.full {
            let assignment = batch.assignment;
            tracing::warn!(%assignment, "more output of a step came than is kept of one; the rest is left out");
        }
        let bytes = entry.bytes + batch.bytes();
        Ok(Taken { next: end, change: Some((Self { next: end, bytes, full: batch.full }, Some(batch))) })
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        [&self.next.to_be_bytes()[..], &self.bytes.to_be_bytes(), &[self.full.into()]].concat()
    }

    /// Also of an index from before there were limits, which holds the first number alone.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (next, rest) = bytes.split_at(bytes.len().min(8));
        let (counted, full) = rest.split_at(rest.len().min(8));
        Self { next: number(next).max(1), bytes: number(counted), full: full == [1] }
    }
}

pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
