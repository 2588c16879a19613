//! Small files that have to survive.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use nix::unistd::{AccessFlags, eaccess};
use windlass_segments::disk;

/// Writes a file that only its owner may read, durably, all or nothing: whoever reads it finds all of the old content
/// or all of the new. `points` begins the names of the points at which crash tests kill.
pub(crate) fn write(path: &Path, bytes: &[u8], points: &'static str) -> anyhow::Result<()> {
    disk::replace(path, bytes, points).with_context(|| format!("cannot write {}", path.display()))
}

/// Makes a folder and those above it that are missing, for their owner alone, durably.
pub(crate) fn create_folder(folder: &Path) -> anyhow::Result<()> {
    disk::create_durable_folder(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Refuses a folder in which this process could make nothing; of one that is missing, the nearest that is there.
pub(crate) fn check_writable(folder: &Path) -> io::Result<()> {
    for above in folder.ancestors() {
        match fs::metadata(above) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
            Ok(found) if !found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
            Ok(_) => return Ok(eaccess(above, AccessFlags::W_OK | AccessFlags::X_OK)?),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Whether an error says that there is no room.
pub(crate) fn is_full(why: &anyhow::Error) -> bool {
    why.chain().filter_map(|why| why.downcast_ref()).any(disk::is_full)
}
