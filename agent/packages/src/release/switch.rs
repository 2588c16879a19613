//! Names of releases: each change is one rename, durable before the next step is taken.

use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use windlass_segments::{disk, fail};

use super::remove;
use crate::{CacheError, files};

/// What the names of folders that are being removed begin with.
const REMOVING: &str = ".removing-";

/// Gives an unpacked folder its final name, durably. Both lie on one file system; `release` must not exist.
pub fn publish(unpacked: &Path, release: &Path) -> Result<(), CacheError> {
    // A rename would replace an empty folder without a word.
    if fs::symlink_metadata(release).is_ok() {
        let there = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(CacheError::io("create", release)(there));
    }
    fail::point("release-before-rename");
    files::rename(unpacked, release)?;
    fail::point("release-after-rename");
    files::sync_folder(parent(release))?;
    if parent(unpacked) != parent(release) {
        files::sync_folder(parent(unpacked))?;
    }
    fail::point("release-after-sync");
    Ok(())
}

/// Makes `to` what the link `current` leads to, in one step and durably: there is no moment without a current
/// release. `to` is as it stands in the link, relative to the link's folder.
pub fn switch(current: &Path, to: &str) -> Result<(), CacheError> {
    let new = beside(current);
    // What a crash between the two steps below left.
    files::remove(&new)?;
    disk::create_link(Path::new(to), &new).map_err(CacheError::io("create", &new))?;
    fail::point("switch-before-rename");
    files::rename(&new, current)?;
    fail::point("switch-after-rename");
    files::sync_folder(parent(current))?;
    fail::point("switch-after-sync");
    Ok(())
}

/// Removes what a switch that was interrupted, and will not be made after all, left beside `current`.
pub fn unprepare(current: &Path) -> Result<(), CacheError> {
    files::remove(&beside(current))
}

/// Where the link is made that becomes `current`.
fn beside(current: &Path) -> PathBuf {
    let mut name = current.file_name().map(|name| name.to_os_string()).unwrap_or_default();
    name.push(".new");
    current.with_file_name(name)
}

/// Takes the link `current` away, durably: there was no release before the one that is given up. It may be gone.
pub fn unswitch(current: &Path) -> Result<(), CacheError> {
    fail::point("switch-before-remove");
    files::remove(current)?;
    files::sync_folder(parent(current))?;
    fail::point("switch-after-remove");
    Ok(())
}

/// What was done about releases whose time has passed.
#[derive(Debug, Default)]
pub struct Removed {
    /// The names of those that were whole and are gone.
    pub names: Vec<String>,
    /// What is left, and why: something mounted in it, a file that nobody may change.
    pub left: Vec<CacheError>,
}

/// Removes every folder in `releases` that is not named in `keep`, also half-unpacked and half-removed ones, each as far
/// as that is possible: what is left is tried again the next time. Which releases to keep is the caller's decision, and
/// at least the current one, its predecessor and whatever is being unpacked at this moment.
pub fn remove_others(releases: &Path, keep: &[&str]) -> Result<Removed, CacheError> {
    let failed = |error| CacheError::io("list", releases)(error);
    let (until, mut removed) = (remove::patience(), Removed::default());
    for entry in fs::read_dir(releases).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if keep.contains(&name.as_str()) || !entry.file_type().map_err(failed)?.is_dir() {
            continue;
        }
        let whole = !name.starts_with('.');
        match remove_one(&entry.path(), &name, until) {
            Ok(()) if whole => removed.names.push(name),
            Ok(()) => {}
            Err(why) => removed.left.push(why),
        }
    }
    removed.names.sort();
    Ok(removed)
}

fn remove_one(release: &Path, name: &str, until: Instant) -> Result<(), CacheError> {
    if name.starts_with(REMOVING) {
        return remove::remove_until(release, until);
    }
    // First out of sight: what is removed in part must not look like a release after a crash.
    let going = free(release, name);
    files::rename(release, &going)?;
    fail::point("release-before-remove");
    remove::remove_until(&going, until)?;
    fail::point("release-after-remove");
    Ok(())
}

/// Where a release goes that is being removed: there may be a rest of another one that had its name.
fn free(release: &Path, name: &str) -> PathBuf {
    let plain = release.with_file_name(format!("{REMOVING}{name}"));
    let others = (2u32..).map(|number| release.with_file_name(format!("{REMOVING}{name}.{number}")));
    let mut free = iter::once(plain).chain(others).filter(|path| fs::symlink_metadata(path).is_err());
    free.next().unwrap_or_default()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn target(link: &Path) -> Option<PathBuf> {
        fs::read_link(link).ok()
    }

    #[test]
    fn the_current_release_is_switched_in_one_step() {
        let place = tempfile::tempdir().unwrap();
        let current = place.path().join("current");
        for to in ["releases/1.0-1", "releases/1.1-2"] {
            switch(&current, to).unwrap();
            assert_eq!(target(&current), Some(to.into()));
        }
        symlink("half", place.path().join("current.new")).unwrap();
        switch(&current, "releases/1.0-1").unwrap();
        assert_eq!(target(&current), Some("releases/1.0-1".into()));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_release_is_published_once() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at(".new")).unwrap();
        publish(&at(".new"), &at("1.0-1")).unwrap();
        fs::create_dir(at(".new")).unwrap();
        assert!(matches!(publish(&at(".new"), &at("1.0-1")), Err(CacheError::Io { .. })));
        assert!(at(".new").is_dir() && at("1.0-1").is_dir());
    }

    #[test]
    fn only_what_is_not_kept_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for name in ["1.0-1", "1.1-2", "1.2-3", ".new-4", ".removing-0.9-0"] {
            fs::create_dir_all(at(name).join("deep")).unwrap();
            fs::write(at(name).join("deep/file"), b"").unwrap();
        }
        fs::write(at("notes"), b"").unwrap();
        symlink("1.2-3", at("link")).unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), b"").unwrap();
        symlink(outside.path(), at("1.0-1").join("link")).unwrap();
        let removed = remove_others(place.path(), &["1.1-2", "1.2-3"]).unwrap();
        assert!(removed.left.is_empty());
        assert_eq!(removed.names, ["1.0-1"]);
        let mut left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["1.1-2", "1.2-3", "link", "notes"]);
        assert!(outside.path().join("file").exists());
    }
}
