//! Start-up: a snapshot, if a later record names its digest, and the tail of the journal after it.

use std::path::Path;

use windlass_coordinator_core::event::{Event, Observation};
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_segments::SegmentError;

use super::line::{BadLine, GENESIS, Line};
use super::snapshot::{self, Found, Unusable};

/// Why the journal cannot be replayed. The coordinator refuses to start: nothing is dropped or guessed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The files cannot be read, or end too early.
    #[error(transparent)]
    Segments(SegmentError),
    /// The files are not as they were written.
    #[error("{0}; restore the journal from a backup")]
    Damaged(SegmentError),
    /// A record.
    #[error("{place}: record {sequence}: {why}; `windlass-coordinator verify` tells more")]
    Line {
        /// Its file and line.
        place: String,
        /// Its number.
        sequence: u64,
        why: BadLine,
    },
    /// A record that does not fit.
    #[error(transparent)]
    DoesNotFit(#[from] windlass_coordinator_core::state::DoesNotFit),
}

impl From<SegmentError> for ReplayError {
    fn from(why: SegmentError) -> Self {
        if why.is_damage() { Self::Damaged(why) } else { Self::Segments(why) }
    }
}

/// What a replay found.
pub struct Replayed {
    /// The state after the last record.
    pub state: State,
    /// The hash of the chain at it.
    pub head: Digest,
    /// The record that the replay started after: 0 without a snapshot.
    pub from: u64,
    /// Bytes of the records after that.
    pub bytes: u64,
}

impl Replayed {
    /// What there is before the first record.
    pub fn nothing() -> Self {
        Self { state: State::default(), head: GENESIS, from: 0, bytes: 0 }
    }
}

/// Replays the journal below `data`: from the newest snapshot that holds, else from the first record. A snapshot that
/// does not hold is left aside, whatever is wrong with it; whether the journal is sound, the next one or the replay from
/// the first record tells.
pub fn replay(data: &Path) -> Result<Replayed, ReplayError> {
    let folder = snapshot::folder(data);
    let found = snapshot::list(&folder).unwrap_or_else(|why| {
        tracing::warn!(folder = %folder.display(), %why, "the snapshots cannot be listed; this start takes longer");
        Vec::new()
    });
    for found in found.iter().rev() {
        match after_snapshot(data, found) {
            Ok(replayed) => return Ok(replayed),
            Err(why) => tracing::warn!(record = found.sequence, %why, "a snapshot is left aside"),
        }
    }
    let mut whole = Replayed::nothing();
    tail(data, &mut whole, |_| {})?;
    Ok(whole)
}

/// The state after the tail, if a record of the tail names the snapshot.
fn after_snapshot(data: &Path, found: &Found) -> Result<Replayed, Unusable> {
    let snapshot = found.read()?;
    let mut replayed =
        Replayed { state: snapshot.state, head: snapshot.head, from: found.sequence, bytes: 0 };
    let mut confirmed = false;
    tail(data, &mut replayed, |event| {
        confirmed |= matches!(event, Event::Observation(Observation::SnapshotTaken { record, digest })
            if (*record, *digest) == (found.sequence, found.digest));
    })?;
    if confirmed { Ok(replayed) } else { Err(Unusable::Unconfirmed) }
}

fn tail(data: &Path, replayed: &mut Replayed, mut see: impl FnMut(&Event)) -> Result<(), ReplayError> {
    let folder = super::folder(data);
    let unseen = |source| SegmentError::Io { action: "look into", path: folder.clone(), source };
    if !folder.try_exists().map_err(unseen)? {
        return Ok(());
    }
    // Before the lines, for somebody may be writing.
    let acknowledged = windlass_segments::durable(&folder)?;
    let mut lines = super::lines(data, replayed.state.number + 1)?;
    while let Some((sequence, line)) = lines.next_line()? {
        replayed.bytes += line.len() as u64;
        let read = Line::read(line, replayed.head).and_then(|line| Ok((line.parse()?, line.hash)));
        let (record, hash) =
            read.map_err(|why| ReplayError::Line { place: super::place(&lines), sequence, why })?;
        replayed.state.apply(&record)?;
        replayed.head = hash;
        record.events.iter().for_each(&mut see);
    }
    match acknowledged.filter(|acknowledged| *acknowledged > replayed.state.number) {
        Some(durable) => Err(SegmentError::Lost { folder, durable, found: replayed.state.number }.into()),
        None => Ok(()),
    }
}
