//! Space on a disk: how much there is, and how much of it stays free.

use std::path::Path;

use nix::sys::statvfs::{Statvfs, statvfs};

use crate::CacheError;

/// Bytes that a pull leaves free, an eighth of a small disk: the agent still has to write down that it failed, and its
/// store cannot go on after a write that a full disk refused.
const RESERVE: u64 = 8 << 20;

/// Bytes that this process may still write there.
pub(crate) fn available(space: &Statvfs) -> u64 {
    space.blocks_available().saturating_mul(space.fragment_size())
}

/// Bytes that a pull leaves free there.
pub(crate) fn reserve(space: &Statvfs) -> u64 {
    RESERVE.min(space.blocks().saturating_mul(space.fragment_size()) / 8)
}

/// Refuses what would leave less than `reserve` bytes free in `folder`.
pub(crate) fn check(folder: &Path, bytes: u64, reserve: u64) -> Result<(), CacheError> {
    within(folder, bytes, reserve, available(&look(folder)?))
}

/// Refuses to pull so many bytes into `folder` if they have no room there.
pub(crate) fn check_pull(folder: &Path, bytes: u64) -> Result<(), CacheError> {
    let space = look(folder)?;
    within(folder, bytes, reserve(&space), available(&space))
}

fn look(folder: &Path) -> Result<Statvfs, CacheError> {
    statvfs(folder).map_err(CacheError::system("look at", folder))
}

fn within(folder: &Path, bytes: u64, reserve: u64, available: u64) -> Result<(), CacheError> {
    let needed = bytes.saturating_add(reserve);
    if bytes > 0 && needed > available {
        return Err(CacheError::NoRoom { path: folder.to_owned(), needed, available });
    }
    Ok(())
}
