//! Start-up: a snapshot, if a later record names its digest, and the tail of the journal after it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_coordinator_core::event::{Event, Observation};
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_segments::SegmentError;

use super::line::{BadLine, GENESIS, Line};

/// Why the journal cannot be replayed. The coordinator refuses to start: nothing is dropped or guessed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The files themselves.
    #[error(transparent)]
    Segments(#[from] SegmentError),
    /// A record.
    #[error("record {sequence} of the journal: {why}; `windlass-coordinator verify` tells more")]
    Line {
        /// Its number.
        sequence: u64,
        /// What is wrong.
        why: BadLine,
    },
    /// A record that does not fit.
    #[error(transparent)]
    DoesNotFit(#[from] windlass_coordinator_core::state::DoesNotFit),
    /// The folder of the snapshots.
    #[error("cannot read the snapshots in {path}: {source}")]
    Snapshots {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a replay found.
pub struct Replayed {
    /// The state after the last record.
    pub state: State,
    /// The hash of the chain at it.
    pub head: Digest,
    /// The record that the replay started after: 0 without a snapshot.
    pub from: u64,
}

/// A state with the place of the journal that it belongs to, as a file. It may always be thrown away.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    /// The hash of the chain at the state's last record.
    pub head: Digest,
    /// The state.
    pub state: State,
}

fn snapshots(data: &Path) -> PathBuf {
    data.join("snapshots")
}

impl Snapshot {
    /// Writes the snapshot beside the others and removes all but the newest two; its digest is what a record names.
    pub fn write(&self, data: &Path) -> std::io::Result<Digest> {
        let folder = snapshots(data);
        fs::create_dir_all(&folder)?;
        let text = serde_json::to_vec(self).expect("a state has nothing that JSON cannot hold");
        let digest = Digest::of(&text);
        let place = folder.join(format!("{:020}-{digest}.json", self.state.number));
        let partial = folder.join("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(&text)?;
        file.sync_all()?;
        windlass_segments::fail::point("snapshot-before-rename");
        fs::rename(&partial, &place)?;
        fs::File::open(&folder)?.sync_all()?;
        windlass_segments::fail::point("snapshot-after-rename");
        for (_, _, path) in list(&folder)?.iter().rev().skip(2) {
            fs::remove_file(path)?;
        }
        Ok(digest)
    }
}

/// The snapshots in a folder, oldest first: record, digest by name, path.
fn list(folder: &Path) -> std::io::Result<Vec<(u64, Digest, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
        if let Some((sequence, digest)) = name
            && let (Ok(sequence), Ok(digest)) = (sequence.parse(), digest.parse())
        {
            found.push((sequence, digest, path));
        }
    }
    found.sort_by_key(|(sequence, _, _)| *sequence);
    Ok(found)
}

/// Replays the journal below `data`: from the newest snapshot that holds, else from the first record.
pub fn replay(data: &Path) -> Result<Replayed, ReplayError> {
    let folder = snapshots(data);
    let found = list(&folder).map_err(|source| ReplayError::Snapshots { path: folder, source })?;
    for (sequence, digest, path) in found.iter().rev() {
        let Some(snapshot) = read_snapshot(path, *sequence, *digest) else { continue };
        if let Some(replayed) = after_snapshot(data, snapshot, *digest)? {
            return Ok(replayed);
        }
        tracing::warn!(record = sequence, "a snapshot is not confirmed by the journal and is left aside");
    }
    let mut whole = Replayed { state: State::default(), head: GENESIS, from: 0 };
    tail(data, &mut whole, |_| {})?;
    Ok(whole)
}

fn read_snapshot(path: &Path, sequence: u64, digest: Digest) -> Option<Snapshot> {
    let text = fs::read(path).ok().filter(|text| Digest::of(text) == digest)?;
    let snapshot: Snapshot = serde_json::from_slice(&text).ok()?;
    (snapshot.state.number == sequence).then_some(snapshot)
}

/// The state after the tail, if a record of the tail names the snapshot.
fn after_snapshot(data: &Path, snapshot: Snapshot, digest: Digest) -> Result<Option<Replayed>, ReplayError> {
    let from = snapshot.state.number;
    let mut replayed = Replayed { state: snapshot.state, head: snapshot.head, from };
    let mut confirmed = false;
    let result = tail(data, &mut replayed, |event| {
        confirmed |= matches!(event, Event::Observation(Observation::SnapshotTaken { record, digest: named })
            if *record == from && *named == digest);
    });
    match result {
        // The tail does not follow from this snapshot; whether the journal is sound, another start will tell.
        Err(ReplayError::Line { why: BadLine::Hash, .. }) if !confirmed => Ok(None),
        Err(ReplayError::Segments(SegmentError::Beyond { .. })) => Ok(None),
        Err(other) => Err(other),
        Ok(()) => Ok(confirmed.then_some(replayed)),
    }
}

fn tail(data: &Path, replayed: &mut Replayed, mut see: impl FnMut(&Event)) -> Result<(), ReplayError> {
    let folder = super::folder(data);
    if !folder.exists() {
        return Ok(());
    }
    let mut lines = windlass_segments::read(folder, replayed.state.number + 1)?;
    while let Some((sequence, line)) = lines.next_line()? {
        let bad = |why| ReplayError::Line { sequence, why };
        let line = Line::read(line, replayed.head).map_err(bad)?;
        let record = line.parse().map_err(bad)?;
        replayed.state.apply(&record)?;
        replayed.head = line.hash;
        record.events.iter().for_each(&mut see);
    }
    Ok(())
}
