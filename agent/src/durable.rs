//! Small files that have to survive: written beside, synced, renamed, and the name synced too.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use windlass_segments::fail;

/// The mode of what nobody else needs to read: everything here.
const OWNER_ONLY: u32 = 0o600;

/// Writes a file that only its owner may read, durably, all or nothing: whoever reads it finds all of the old content
/// or all of the new. `points` begins the names of the points at which crash tests kill.
pub(crate) fn write(path: &Path, bytes: &[u8], points: &'static str) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let parent = path.parent().unwrap_or(Path::new("/"));
    let partial = path.with_extension("partial");
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(OWNER_ONLY);
    let mut file = options.open(&partial).with_context(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(failed)?;
    fail::step(points, "before-rename");
    fs::rename(&partial, path).with_context(failed)?;
    fail::step(points, "after-rename");
    fs::File::open(parent).and_then(|parent| parent.sync_all()).with_context(failed)?;
    fail::step(points, "after-sync");
    Ok(())
}
