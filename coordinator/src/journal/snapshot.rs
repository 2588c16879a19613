//! Snapshots of the state: files from which a start goes on. They may always be thrown away, so nothing about them stops
//! anything: what cannot be used is left aside with one log line.
//!
//! Written and read as a stream: a state is in memory once, and its text never.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_segments::{disk, fail};

use super::ReplayError;

/// What is read, hashed and written at once.
const BUFFER_BYTES: usize = 64 << 10;
/// How many are kept: the newest may not be confirmed yet.
const KEPT: usize = 2;
/// The ending of one that is being written.
const PARTIAL: &str = "partial";

/// What a state keeps of the events, counted up whenever it keeps more or other things of events that there were before:
/// a state from an older snapshot would lack them for ever, and one from a newer program may hold what this one does not
/// know.
pub(super) const VERSION: u32 = 4;

/// A state with the place of the journal that it belongs to, as a file.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    pub(super) version: u32,
    /// The hash of the chain at the state's last record.
    pub head: Digest,
    pub state: State,
}

/// Why a snapshot is not started from.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Read(#[from] serde_json::Error),
    #[error("{0}")]
    Open(#[from] io::Error),
    #[error("it is of version {0}, and this program keeps states of version {VERSION}")]
    Version(u32),
    #[error("it is not what its name says")]
    Damaged,
    #[error("no record of the journal names it")]
    Unconfirmed,
    #[error("what follows in the journal does not fit: {0}")]
    Tail(#[from] ReplayError),
}

/// A file of the folder, by its name.
pub(super) struct Found {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
    path: PathBuf,
}

pub(super) fn folder(data: &Path) -> PathBuf {
    data.join("snapshots")
}

impl Snapshot {
    /// A state with the hash of the chain at its last record.
    pub const fn of(head: Digest, state: State) -> Self {
        Self { version: VERSION, head, state }
    }

    /// Writes the snapshot beside the others and removes all but the newest two; its digest is what a record names.
    /// Several may be written at once.
    pub fn write(&self, data: &Path) -> io::Result<Digest> {
        let folder = folder(data);
        disk::create_durable_folder(&folder)?;
        let sequence = self.state.number;
        let partial = folder.join(format!("{sequence:020}.{PARTIAL}"));
        let digest = self.write_partial(&partial).inspect_err(|_| drop(disk::remove(&partial)))?;
        fail::point("snapshot-before-rename");
        disk::rename(&partial, &folder.join(format!("{sequence:020}-{digest}.json")))?;
        disk::sync_folder(&folder)?;
        fail::point("snapshot-after-rename");
        tidy(&folder, sequence)?;
        Ok(digest)
    }

    fn write_partial(&self, partial: &Path) -> io::Result<Digest> {
        let mut options = OpenOptions::new();
        let file = disk::File::open(options.write(true).create(true).truncate(true), partial)?;
        let mut out =
            BufWriter::with_capacity(BUFFER_BYTES, Digesting { inner: file, hasher: Hasher::new() });
        serde_json::to_writer(&mut out, self)?;
        let Digesting { inner, hasher } = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        inner.sync_all()?;
        Ok(hasher.finish())
    }
}

/// Removes the snapshots that newer ones make useless, and what others that never came to their end left.
fn tidy(folder: &Path, newest: u64) -> io::Result<()> {
    let mut useless: Vec<_> = list(folder)?.into_iter().rev().skip(KEPT).map(|found| found.path).collect();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let sequence = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if path.extension().is_some_and(|ending| ending == PARTIAL)
            && sequence.is_none_or(|other| other < newest)
        {
            useless.push(path);
        }
    }
    for path in useless {
        match disk::remove(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    Ok(())
}

/// The snapshots in a folder, oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
        if let Some((sequence, digest)) = name
            && let (Ok(sequence), Ok(digest)) = (sequence.parse(), digest.parse())
        {
            found.push(Found { sequence, digest, path });
        }
    }
    found.sort_by_key(|found| found.sequence);
    Ok(found)
}

impl Found {
    /// Reads it, if it is what its name says.
    pub(super) fn read(&self) -> Result<Snapshot, Unusable> {
        let file = Digesting { inner: fs::File::open(&self.path)?, hasher: Hasher::new() };
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut deserializer = serde_json::Deserializer::from_reader(&mut reader);
        let snapshot = Snapshot::deserialize(&mut deserializer)?;
        deserializer.end()?;
        let digest = reader.into_inner().hasher.finish();
        if digest != self.digest || snapshot.state.number != self.sequence {
            return Err(Unusable::Damaged);
        }
        if snapshot.version != VERSION {
            return Err(Unusable::Version(snapshot.version));
        }
        Ok(snapshot)
    }
}

/// Hashes what passes.
struct Digesting<T> {
    inner: T,
    hasher: Hasher,
}

impl<T: Write> Write for Digesting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Digesting<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
