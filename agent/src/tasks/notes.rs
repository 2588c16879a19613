//! What the agent itself has to say in a step's log: a folder of lines after those of the step's processes.

use std::fs;
use std::path::{Path, PathBuf};

use windlass_agent_core::telling;

use super::TaskContext;

/// Where the lines lie, in the folder of an assignment.
pub(super) fn folder(work: &Path) -> PathBuf {
    work.join("Notes")
}

/// Writes warnings down, in the place of those of a try before this one that a crash took: before the step's end is
/// written down, none of its last lines is told. Where the disk does not take them they are in the agent's own log.
pub(super) async fn write(context: &TaskContext, mut warnings: Vec<String>) {
    for warning in &warnings {
        tracing::warn!(assignment = %context.id(), "{warning}");
    }
    if warnings.is_empty() {
        return;
    }
    let folder = folder(&context.agent.ledger().folder(context.id()));
    warnings.iter_mut().for_each(telling::cut);
    let written = tokio::task::spawn_blocking(move || {
        if folder.try_exists()? {
            fs::remove_dir_all(&folder)?;
        }
        windlass_supervisor::note(&folder, warnings)
    });
    if !matches!(written.await, Ok(Ok(true))) {
        tracing::warn!(assignment = %context.id(), "the step's log lacks these warnings");
    }
}
