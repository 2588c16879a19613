//! Hostile packages, refused whole with one clear sentence: by the coordinator when they are uploaded, and by the agent
//! when a coordinator sends them; and a coordinator whose clock is wrong, or that answers nothing.

mod coordinator;
mod renewals;
mod silence;
mod streams;
mod uploads;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The paths of everything below a folder.
fn below(folder: &Path) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(within) = folders.pop() {
        for entry in fs::read_dir(&within).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("it lies below").to_string_lossy().into_owned();
            paths.insert(name);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    paths
}
