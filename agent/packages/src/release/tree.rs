//! A tree being written beneath one folder, reached through open folders only.
//!
//! Every component is opened by itself, relative to the folder above and never through a link, so that nothing that
//! happens to the tree meanwhile leads a write out of it (THREATS E1).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, fchown, fchownat, symlinkat};
use std::path::Path;
use windlass_protocol::manifest::EntryPath;

/// Who is to own what is written.
pub(super) type Owner = Option<(Uid, Gid)>;

const FOLDER: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The tree, and the open folders on the way to where the last entry was.
pub(super) struct Tree {
    root: OwnedFd,
    /// Each with its path below the root.
    open: Vec<(String, OwnedFd)>,
    owner: Owner,
}

impl Tree {
    /// Makes the root, which must not exist: 0700, and ours until [`Tree::give_root`].
    pub(super) fn create(root: &Path, owner: Owner) -> nix::Result<Self> {
        mkdirat(AT_FDCWD, root, Mode::S_IRWXU)?;
        let root = openat(AT_FDCWD, root, FOLDER, Mode::empty())?;
        // The mask of this process may have taken more away than is to be.
        fchmod(&root, Mode::S_IRWXU)?;
        Ok(Self { root, open: Vec::new(), owner })
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Makes an empty folder and those above it.
    pub(super) fn folder(&mut self, path: &EntryPath) -> nix::Result<()> {
        self.enter(path.as_str(), true).map(|_| ())
    }

    /// Makes a new file, for its owner alone, to be written and read.
    pub(super) fn file(&mut self, path: &EntryPath, executable: bool) -> io::Result<File> {
        let (folder, name) = self.parent(path, true)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // The manifest's 0755 or 0644, without what would let anyone but the owner in.
        let mode = if executable { Mode::S_IRWXU } else { Mode::S_IRUSR | Mode::S_IWUSR };
        fchmod(&file, mode)?;
        Ok(File::from(file))
    }

    /// Makes a link, in a folder that is there by now or was empty but for links.
    pub(super) fn link(&mut self, path: &EntryPath, target: &str) -> nix::Result<()> {
        let owner = self.owner;
        let (folder, name) = self.parent(path, true)?;
        symlinkat(target, folder, name)?;
        match owner {
            Some((user, group)) => {
                fchownat(folder, name, Some(user), Some(group), AtFlags::AT_SYMLINK_NOFOLLOW)
            }
            None => Ok(()),
        }
    }

    /// Gives a file or folder to the owner.
    pub(super) fn give(&self, entry: impl AsFd) -> nix::Result<()> {
        match self.owner {
            Some((user, group)) => fchown(entry, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Gives a folder inside the tree to the owner.
    pub(super) fn give_folder(&mut self, path: &str) -> nix::Result<()> {
        let owner = self.owner;
        let folder = self.enter(path, false)?;
        match owner {
            Some((user, group)) => fchown(folder, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Gives the root away, last: until then nobody else could reach anything inside.
    pub(super) fn give_root(&self) -> nix::Result<()> {
        self.give(&self.root)
    }

    fn parent<'a>(&mut self, path: &'a EntryPath, make: bool) -> nix::Result<(BorrowedFd<'_>, &'a str)> {
        match path.as_str().rsplit_once('/') {
            Some((folder, name)) => Ok((self.enter(folder, make)?, name)),
            None => Ok((self.root.as_fd(), path.as_str())),
        }
    }

    /// Opens the folder at `path`, one component after the other, from the deepest that is open already.
    fn enter(&mut self, path: &str, make: bool) -> nix::Result<BorrowedFd<'_>> {
        let is_above =
            |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.open.retain(|(open, _)| is_above(open));
        let mut at = self.open.last().map_or(0, |(open, _)| open.len());
        while at < path.len() {
            let rest = path[at..].trim_start_matches('/');
            let name = rest.split('/').next().unwrap_or(rest);
            let above = self.open.last().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd());
            let folder = enter_one(above, name, make)?;
            at = path.len() - rest.len() + name.len();
            self.open.push((path[..at].to_owned(), folder));
        }
        Ok(self.open.last().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd()))
    }
}

fn enter_one(above: BorrowedFd<'_>, name: &str, make: bool) -> nix::Result<OwnedFd> {
    if make {
        match mkdirat(above, name, Mode::S_IRWXU) {
            Ok(()) => {
                let folder = openat(above, name, FOLDER, Mode::empty())?;
                fchmod(&folder, Mode::S_IRWXU)?;
                return Ok(folder);
            }
            Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    openat(above, name, FOLDER, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_folder_that_was_swapped_for_a_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        let mut tree = Tree::create(&root, None).unwrap();
        symlink(&outside, root.join("a")).unwrap();
        assert_eq!(
            tree.file(&path("a/file"), false).unwrap_err().raw_os_error(),
            Some(Errno::ENOTDIR as i32)
        );
        assert_eq!(tree.folder(&path("a/b")), Err(Errno::ENOTDIR));
        assert_eq!(tree.link(&path("a/link"), "file"), Err(Errno::ENOTDIR));
        assert_eq!(tree.give_folder("a"), Err(Errno::ENOTDIR));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_there_is_not_written_to() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let mut tree = Tree::create(&root, None).unwrap();
        fs::write(root.join("file"), b"another's").unwrap();
        symlink("elsewhere", root.join("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(tree.file(&path(name), false).unwrap_err().raw_os_error(), Some(Errno::EEXIST as i32));
        }
        assert_eq!(Tree::create(&root, None).err(), Some(Errno::EEXIST));
    }

    #[test]
    fn folders_are_entered_by_their_whole_names() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let mut tree = Tree::create(&root, None).unwrap();
        for name in ["a/b/file", "a/bc/file", "a-b/file", "a/b/c/d/file", "ab/file", "file"] {
            tree.file(&path(name), true).unwrap();
            let mode = fs::metadata(root.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o700, "{name}");
        }
    }
}
