//! Files and folders as this crate opens them: owner only, never through a link, made durable by name.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::SegmentError;
use crate::fail;
use crate::names;

/// Makes `folder`, for its owner alone, unless it is there. Its parent has to exist.
pub(crate) fn create_folder(folder: &Path) -> Result<(), SegmentError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(SegmentError::writing("create", folder, folder)),
    }
}

/// Makes the name of `folder` itself durable.
pub(crate) fn sync_parent(folder: &Path) -> Result<(), SegmentError> {
    let parent = match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let directory = File::open(parent).map_err(SegmentError::io("open", parent))?;
    directory.sync_all().map_err(SegmentError::writing("sync", parent, folder))
}

/// Takes the folder's lock, which lasts as long as the file is open. The kernel drops it with the process, so that a
/// crash never leaves a stale one.
pub(crate) fn lock(folder: &Path) -> Result<File, SegmentError> {
    let path = folder.join(names::LOCK);
    let mut options = OpenOptions::new();
    let file = owner_only(options.write(true).create(true).truncate(false))
        .open(&path)
        .map_err(SegmentError::writing("open", &path, folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SegmentError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SegmentError::io("lock", &path)(error)),
    }
}

/// Makes the segment that begins with line `first`, empty, and its name durable. `directory` is `folder`, open.
pub(crate) fn create_segment(
    folder: &Path,
    directory: &File,
    first: u64,
    name: &'static str,
) -> Result<File, SegmentError> {
    let path = names::segment(folder, first);
    fail::step(name, "before-create");
    let mut options = OpenOptions::new();
    let file = owner_only(options.append(true).create_new(true))
        .open(&path)
        .map_err(SegmentError::writing("create", &path, folder))?;
    fail::step(name, "after-create");
    directory.sync_all().map_err(SegmentError::writing("sync", folder, folder))?;
    Ok(file)
}

/// Opens a segment that is there, to append to it.
pub(crate) fn open_segment(folder: &Path, first: u64) -> Result<File, SegmentError> {
    let path = names::segment(folder, first);
    owner_only(OpenOptions::new().append(true)).open(&path).map_err(SegmentError::io("open", &path))
}

/// Opens a segment to read it; `None` if it is gone.
pub(crate) fn read_segment(path: &Path) -> Result<Option<File>, SegmentError> {
    match owner_only(OpenOptions::new().read(true)).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(SegmentError::io("open", path)),
    }
}

fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits())
}
