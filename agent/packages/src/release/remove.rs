//! Removing a tree that was somebody else's, while processes of theirs may still be at work in it.
//!
//! Each folder is taken before it is looked into: made this process's own, so that nobody adds to it any more. What is
//! below a taken folder is moved up to the top before it is taken in turn: however deep a tree is, or is made meanwhile,
//! there are two open folders and no path. Links are removed, never followed. What is mounted is not entered, because
//! what lies there is no part of the tree: removing and moving a mount point fails.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{UnlinkatFlags, fchown, getegid, geteuid, unlinkat};

use crate::CacheError;

/// How long is tried at once. Millions of files take longer, and so does a tree that a process makes deeper and deeper
/// as fast as it is removed: the rest is for the next time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Removes a folder and all in it, if it is there, as far as that is possible. The error is the first of what could not
/// be removed.
pub fn remove_folder(folder: &Path) -> Result<(), CacheError> {
    remove_until(folder, Instant::now() + PATIENCE)
}

/// The same for several folders in the time of one.
pub(super) fn patience() -> Instant {
    Instant::now() + PATIENCE
}

pub(super) fn remove_until(folder: &Path, until: Instant) -> Result<(), CacheError> {
    match unlinkat(AT_FDCWD, folder, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        Err(error) => return Err(CacheError::system("remove", folder)(error)),
    }
    let top = take(AT_FDCWD, folder).map_err(CacheError::system("remove", folder))?;
    let mut removing = Removing { folder, top, until, removed: 0, moved: 0, failure: None };
    loop {
        let before = removing.removed + removing.moved;
        removing.pass().map_err(CacheError::system("list", folder))?;
        match unlinkat(AT_FDCWD, folder, UnlinkatFlags::RemoveDir) {
            Ok(()) => return Ok(()),
            Err(_) if Instant::now() >= until => return Err(removing.out_of_time()),
            // Another pass finds what was moved up, and what a listing left out while its folder changed.
            Err(_) if removing.removed + removing.moved > before => removing.failure = None,
            Err(error) => {
                return Err(removing.failure.unwrap_or_else(|| CacheError::system("remove", folder)(error)));
            }
        }
    }
}

struct Removing<'a> {
    folder: &'a Path,
    top: OwnedFd,
    until: Instant,
    removed: u64,
    /// How many folders were moved up, each under a number.
    moved: u64,
    failure: Option<CacheError>,
}

impl Removing<'_> {
    /// Removes what lies at the top, and what lies in its folders; folders in those are moved up.
    fn pass(&mut self) -> nix::Result<()> {
        let mut entries = list(self.top.as_fd())?;
        for entry in entries.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if is_itself(name) || Instant::now() >= self.until || self.remove(name) {
                continue;
            }
            match take(self.top.as_fd(), name) {
                Ok(folder) => self.empty(folder.as_fd())?,
                Err(error) => self.failed(name, error),
            }
            self.finish(unlinkat(&self.top, name, UnlinkatFlags::RemoveDir), name);
        }
        Ok(())
    }

    /// Removes an entry at the top. False where it is a folder with something in it.
    fn remove(&mut self, name: &CStr) -> bool {
        match remove_one(self.top.as_fd(), name) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => false,
            other => {
                self.finish(other, name);
                true
            }
        }
    }

    /// Empties a taken folder below the top.
    fn empty(&mut self, folder: BorrowedFd<'_>) -> nix::Result<()> {
        let mut entries = list(folder)?;
        for entry in entries.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if is_itself(name) || Instant::now() >= self.until {
                continue;
            }
            match remove_one(folder, name) {
                Err(Errno::ENOTEMPTY | Errno::EEXIST) => self.move_up(folder, name),
                other => self.finish(other, name),
            }
        }
        Ok(())
    }

    fn move_up(&mut self, folder: BorrowedFd<'_>, name: &CStr) {
        loop {
            self.moved += 1;
            let number = format!(".{}", self.moved);
            match renameat(folder, name, &self.top, number.as_str()) {
                Ok(()) => return,
                // Something of that name lies at the top.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
                Err(error) => return self.failed(name, error),
            }
        }
    }

    fn finish(&mut self, result: nix::Result<()>, name: &CStr) {
        match result {
            Ok(()) => self.removed += 1,
            // What is in a folder is told rather than that the folder is not empty.
            Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => {}
            Err(error) => self.failed(name, error),
        }
    }

    fn failed(&mut self, name: &CStr, error: Errno) {
        let path = self.folder.join(&*name.to_string_lossy());
        self.failure.get_or_insert_with(|| CacheError::system("remove", &path)(error));
    }

    fn out_of_time(self) -> CacheError {
        let late =
            io::Error::new(io::ErrorKind::TimedOut, "it takes too long; the rest is for the next time");
        CacheError::io("remove", self.folder)(late)
    }
}

/// Opens a folder, never through a link, and makes it this process's own.
fn take(above: impl AsFd, name: &(impl nix::NixPath + ?Sized)) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = openat(above, name, flags, Mode::empty())?;
    fchown(&folder, Some(geteuid()), Some(getegid()))?;
    fchmod(&folder, Mode::S_IRWXU)?;
    Ok(folder)
}

/// Removes a file, a link or an empty folder.
fn remove_one(folder: BorrowedFd<'_>, name: &CStr) -> nix::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => unlinkat(folder, name, UnlinkatFlags::RemoveDir),
        other => other,
    }
}

fn list(folder: BorrowedFd<'_>) -> nix::Result<Dir> {
    Dir::openat(folder, ".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

fn is_itself(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::sys::stat::mkdirat;

    use super::*;

    #[test]
    fn a_tree_is_removed_whatever_is_in_it_and_nothing_that_its_links_lead_to() {
        let place = tempfile::tempdir().unwrap();
        let (tree, outside) = (place.path().join("tree"), place.path().join("outside"));
        fs::create_dir_all(tree.join("a/b/c/d")).unwrap();
        fs::create_dir_all(tree.join(".1")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        for file in ["file", ".2", "a/file", "a/b/c/file", ".1/file"] {
            fs::write(tree.join(file), b"content").unwrap();
        }
        fs::write(outside.join("file"), b"another's").unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        symlink(&outside, tree.join("a/b/link")).unwrap();
        nix::unistd::mkfifo(&tree.join("a/fifo"), Mode::S_IRWXU).unwrap();
        remove_folder(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"another's");
        remove_folder(&tree).unwrap();
        symlink(&outside, &tree).unwrap();
        remove_folder(&tree).unwrap_err();
        assert!(outside.join("file").exists());
    }

    #[test]
    fn no_depth_is_too_deep() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut folder = openat(AT_FDCWD, &tree, OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..5000 {
            mkdirat(&folder, "deeper", Mode::S_IRWXU).unwrap();
            folder = openat(&folder, "deeper", OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        remove_folder(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn a_tree_that_grows_as_fast_as_it_is_removed_is_left_to_the_next_time() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut folder = openat(AT_FDCWD, &tree.join("a/b"), OFlag::O_DIRECTORY, Mode::empty());
                for _ in 0..20_000 {
                    let (Ok(above), false) = (&folder, end.load(Ordering::Relaxed)) else { return };
                    let _ = mkdirat(above, "deeper", Mode::S_IRWXU);
                    let _ = mkdirat(above, "beside", Mode::S_IRWXU);
                    folder = openat(above, "deeper", OFlag::O_DIRECTORY, Mode::empty());
                }
            });
            let started = Instant::now();
            // Whether it comes to its end is up to who is faster; it comes to one.
            let _ = remove_until(&tree, started + Duration::from_millis(200));
            assert!(started.elapsed() < Duration::from_secs(10));
            end.store(true, Ordering::Relaxed);
        });
        while tree.exists() {
            let _ = remove_folder(&tree);
        }
    }
}
