//! Room on the disk that is kept for ending what has begun.
//!
//! A disk may be filled at any time, by a step too. What runs then still ends, is told and is closed, and the agent still
//! starts (THREATS G7): from this room. Nothing new is begun without it.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;
use windlass_segments::disk::{self, File};

/// Bytes: some reports, and the store's files, which grow by half a megabyte.
const BYTES: u64 = 4 << 20;
/// Bytes that must be free before the store writes: it cannot go on after a write that a full disk refused.
const STORE_BYTES: u64 = 1 << 20;

/// The room, as a file of that size.
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(crate) fn new(state_root: &Path) -> Self {
        Self { path: state_root.join("reserve") }
    }

    /// Takes the room, if it is not held already. Blocks for a moment.
    pub(crate) fn hold(&self) -> anyhow::Result<()> {
        if self.path.metadata().is_ok_and(|found| found.len() == BYTES) {
            return Ok(());
        }
        self.allocate().inspect_err(|_| drop(disk::remove(&self.path))).with_context(|| {
            format!("{} MiB for ending what was begun are not free in {}", BYTES >> 20, self.path.display())
        })
    }

    fn allocate(&self) -> io::Result<()> {
        let file = File::open(OpenOptions::new().write(true).create(true).truncate(true), &self.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, i64::try_from(BYTES).unwrap_or(i64::MAX)) {
            // A file system that cannot set room aside: there is none then, and all else is as it would be.
            Err(nix::errno::Errno::EOPNOTSUPP) => file.set_len(BYTES),
            allocated => Ok(allocated?),
        }
    }

    /// Makes the room free, if it is held, for what is written next.
    pub(crate) fn give_up(&self) {
        if disk::remove(&self.path).is_ok() {
            tracing::warn!("the disk is full; nothing new is begun before there is room again");
        }
    }

    /// Refuses where the store has no room to write in.
    pub(crate) fn check_store(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.is_short()?, "the disk of {} is full", self.path.display());
        Ok(())
    }

    /// The same for what ends something that was begun, or has to be known for that: it may use up the reserve.
    pub(crate) fn make_room_for_store(&self) -> anyhow::Result<()> {
        if self.is_short()? {
            self.give_up();
        }
        self.check_store()
    }

    fn is_short(&self) -> anyhow::Result<bool> {
        let space = statvfs(disk::parent(&self.path))?;
        Ok(space.blocks_available().saturating_mul(space.fragment_size()) < STORE_BYTES)
    }
}
