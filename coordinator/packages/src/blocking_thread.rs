//! Work in a thread of its own, outside of any runtime.
//!
//! Inside of one, the object store hands its calls to the threads that may block. Whoever is in one of these already and
//! waits for that, waits for another of them; when all do, nobody ever goes on. Here its calls are plain system calls.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use crate::StoreError;

/// Does `work` on the store in `folder`, and waits for it.
pub(crate) fn run_apart<T: Send, E: From<StoreError> + Send>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("package-store".to_owned()).spawn_scoped(scope, work);
        let thread = thread.map_err(StoreError::io("start a thread for", folder))?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
