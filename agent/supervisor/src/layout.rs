//! What lies where in a step's folder, which the agent makes (mode 0700) and removes.

use std::path::{Path, PathBuf};

/// Held by the supervisor as long as it lives; says which process that is.
pub fn lock(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// Segments with the step's `started` and `ended`.
pub fn marks(folder: &Path) -> PathBuf {
    folder.join("marks")
}

/// Segments with the step's output, one line each.
pub fn output(folder: &Path) -> PathBuf {
    folder.join("output")
}

/// Segments with the variables that the step set for later ones.
pub fn variables(folder: &Path) -> PathBuf {
    folder.join("variables")
}
