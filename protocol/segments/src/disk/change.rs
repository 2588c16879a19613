//! What is done to the disk, as it is recorded.

use std::path::Path;

/// What is done to names, and the syncs that go by a path.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A file was opened, and with that perhaps made or emptied.
    Opened(&'a Path),
    /// A folder was made.
    Folder(&'a Path),
    /// A link that leads to the first was made at the second.
    Link(&'a Path, &'a Path),
    /// The first is called like the second now.
    Renamed(&'a Path, &'a Path),
    /// It is gone, with all that was in it.
    Removed(&'a Path),
    /// A file's content is durable.
    SyncedFile(&'a Path),
    /// The names in a folder are durable.
    SyncedFolder(&'a Path),
    /// Everything on the file system of a folder is durable.
    SyncedFileSystem(&'a Path),
    /// What lies there is another than it was, by whatever calls; nothing of that need be durable.
    Other(&'a Path),
    /// The same, and all of it is durable.
    OtherDurably(&'a Path),
}

/// What is done to an open file.
#[cfg_attr(not(feature = "fail-points"), expect(dead_code, reason = "nobody records"))]
pub(crate) enum FileChange<'a> {
    Data(u64, &'a [u8]),
    Length(u64),
    Synced,
}
