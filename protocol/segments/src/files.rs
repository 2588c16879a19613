//! Files and folders as this crate opens them: owner only, never through a link, made durable by name.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::SegmentError;
use crate::disk::{self, File};
use crate::fail;
use crate::names;

/// Makes `folder`, for its owner alone, unless it is there. Its parent has to exist.
pub(crate) fn create_folder(folder: &Path) -> Result<(), SegmentError> {
    disk::create_folder(folder).map(drop).map_err(SegmentError::writing("create", folder, folder))
}

/// Makes the name of `folder` itself durable.
pub(crate) fn sync_parent(folder: &Path) -> Result<(), SegmentError> {
    let parent = disk::parent(folder);
    disk::sync_folder(parent).map_err(SegmentError::writing("sync", parent, folder))
}

/// Makes the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), SegmentError> {
    disk::sync_folder(folder).map_err(SegmentError::writing("sync", folder, folder))
}

/// Takes the folder's lock, which lasts as long as the file is open. The kernel drops it with the process, so that a
/// crash never leaves a stale one.
pub(crate) fn lock(folder: &Path) -> Result<File, SegmentError> {
    let path = folder.join(names::LOCK);
    let mut options = OpenOptions::new();
    let file = File::open(options.write(true).create(true).truncate(false), &path)
        .map_err(SegmentError::writing("open", &path, folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SegmentError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SegmentError::io("lock", &path)(error)),
    }
}

/// Makes the segment that begins with line `first`, empty, and its name durable.
pub(crate) fn create_segment(folder: &Path, first: u64, name: &'static str) -> Result<File, SegmentError> {
    let path = names::segment(folder, first);
    fail::step(name, "before-create");
    let mut options = OpenOptions::new();
    let file = File::open(options.append(true).create_new(true), &path)
        .map_err(SegmentError::writing("create", &path, folder))?;
    fail::step(name, "after-create");
    sync_folder(folder)?;
    Ok(file)
}

/// Opens a segment that is there, to append to it.
pub(crate) fn open_segment(folder: &Path, first: u64) -> Result<File, SegmentError> {
    let path = names::segment(folder, first);
    File::open(OpenOptions::new().append(true), &path).map_err(SegmentError::io("open", &path))
}

/// Opens a file to read it; `None` if it is gone.
pub(crate) fn read(path: &Path) -> Result<Option<fs::File>, SegmentError> {
    match OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(SegmentError::io("open", path)),
    }
}
