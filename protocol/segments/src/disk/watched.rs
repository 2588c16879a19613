//! Somebody may record: what is done below a folder is told to its recorder, in the order in which it is done.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Change, FileChange};
use crate::power::Log;

/// The recorders of this process, each for one folder. A test has its own folder, so that tests do not meet.
static RECORDERS: Mutex<Vec<Arc<Recorder>>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(crate) struct Recorder {
    root: PathBuf,
    log: Mutex<Log>,
}

impl Recorder {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to record what is done below `root`.
pub(crate) fn record(root: &Path) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder { root: root.to_owned(), log: Mutex::new(Log::new(root)) });
    recorders().push(Arc::clone(&recorder));
    recorder
}

/// Ends it.
pub(crate) fn forget(recorder: &Arc<Recorder>) {
    recorders().retain(|other| !Arc::ptr_eq(other, recorder));
}

fn recorders() -> MutexGuard<'static, Vec<Arc<Recorder>>> {
    RECORDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of(path: &Path) -> Option<(Arc<Recorder>, PathBuf)> {
    let recorders = recorders();
    let found =
        recorders.iter().find_map(|recorder| Some((recorder, path.strip_prefix(&recorder.root).ok()?)));
    found.map(|(recorder, inside)| (Arc::clone(recorder), inside.to_owned()))
}

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
    log.change(change, |path| path.strip_prefix(&recorder.root).unwrap_or(path).to_owned());
    Ok(done)
}
