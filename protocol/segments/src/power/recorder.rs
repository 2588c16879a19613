//! Who records, and what of: told in the order in which things are done.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::log::Log;

/// The recorders of this process, each for one folder. A test has its own folder, so that tests do not meet.
static RECORDERS: Mutex<Vec<Arc<Recorder>>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(crate) struct Recorder {
    root: PathBuf,
    log: Mutex<Log>,
}

impl Recorder {
    /// A path as it is called in the folder that is recorded.
    pub(crate) fn inside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

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

/// The recorder of what lies there, and where that is in its folder.
pub(crate) fn recorder_of(path: &Path) -> Option<(Arc<Recorder>, PathBuf)> {
    let recorders = recorders();
    let found =
        recorders.iter().find_map(|recorder| Some((recorder, path.strip_prefix(&recorder.root).ok()?)));
    found.map(|(recorder, inside)| (Arc::clone(recorder), inside.to_owned()))
}
