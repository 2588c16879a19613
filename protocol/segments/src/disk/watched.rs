//! Somebody may record: what is done below a folder is told to its recorder, in the order in which it is done.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::change::{Change, FileChange};
use crate::power::{Recorder, recorder_of as of};

/// An open file, as its recorder knows it.
#[derive(Debug)]
pub(super) struct Watch(Option<(Arc<Recorder>, usize)>);

impl Watch {
    pub(super) fn of(path: &Path) -> Self {
        Self(of(path).and_then(|(recorder, inside)| {
            let node = recorder.log().find(&inside)?;
            Some((recorder, node))
        }))
    }

    pub(super) fn around<'a, T: Copy>(
        &self,
        change: impl FnOnce(T) -> FileChange<'a>,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some((recorder, node)) = &self.0 else { return act() };
        // Held while it is done, so that what two threads do is noted in the order in which it was done.
        let mut log = recorder.log();
        let done = act()?;
        log.file(*node, &change(done));
        Ok(done)
    }
}

pub(super) fn around<T>(change: &Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (Change::Opened(path)
    | Change::Folder(path)
    | Change::Link(_, path)
    | Change::Renamed(path, _)
    | Change::Removed(path)
    | Change::SyncedFile(path)
    | Change::SyncedFolder(path)
    | Change::SyncedFileSystem(path)
    | Change::Other(path)
    | Change::OtherDurably(path)) = change;
    let Some((recorder, _)) = of(path) else { return act() };
    let mut log = recorder.log();
    let done = act()?;
    log.change(change, |path| recorder.inside(path));
    Ok(done)
}
