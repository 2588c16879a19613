//! The file layer: the one place through which this crate, and the stores that stand beside it, change the disk.
//!
//! It adds nothing to what the operating system does. What it is for: in a build with the feature `fail-points` each
//! change and each sync can be recorded ([`power`](crate::power)), so that a test can cut a real sequence of them at
//! every point, as a loss of power does. In any other build nothing of that is there.

pub(crate) mod change;
#[cfg(feature = "fail-points")]
mod watched;
#[cfg(feature = "fail-points")]
use watched as watch;
#[cfg(not(feature = "fail-points"))]
mod unwatched;
#[cfg(not(feature = "fail-points"))]
use unwatched as watch;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::fail;

pub use change::Change;
pub(crate) use change::FileChange;

/// A file that may be changed. Reading and asking go to the file of the standard library inside.
#[derive(Debug)]
pub struct File {
    file: fs::File,
    watch: watch::Watch,
}

impl File {
    /// Opens a file as `options` say, for its owner alone if that makes it, and never through a link.
    pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<Self> {
        let options = options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
        let file = watch::around(&Change::Opened(path), || options.open(path))?;
        let watch = watch::Watch::of(path);
        Ok(Self { file, watch })
    }

    /// Cuts or extends it.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        self.watch.around(|()| FileChange::Length(length), || self.file.set_len(length))
    }

    /// Makes its content durable, and what the file system says of it.
    pub fn sync_all(&self) -> io::Result<()> {
        self.watch.around(|()| FileChange::Synced, || self.file.sync_all())
    }

    /// Makes its content durable.
    pub fn sync_data(&self) -> io::Result<()> {
        self.watch.around(|()| FileChange::Synced, || self.file.sync_data())
    }

    /// Writes all of `bytes` at a place, without moving the one where writing goes on.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.watch.around(|()| FileChange::Data(offset, bytes), || self.file.write_all_at(bytes, offset))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Deref for File {
    type Target = fs::File;

    fn deref(&self) -> &fs::File {
        &self.file
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = &self.file;
        // Asked for only while somebody records: where a write went is known after it, also of one that appends.
        let place = |written: usize| {
            let end = (&self.file).stream_position().unwrap_or_default();
            FileChange::Data(end - written as u64, &bytes[..written])
        };
        self.watch.around(place, || file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Makes a folder, for its owner alone; whether it was missing. Its parent has to exist. A file of its name is an error.
pub fn create_folder(folder: &Path) -> io::Result<bool> {
    match watch::around(&Change::Folder(folder), || DirBuilder::new().mode(0o700).create(folder)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
        result => result.map(|()| true),
    }
}

/// Makes a folder and those above it that are missing, for their owner alone, and its name durable, also where an
/// earlier try made it and died.
pub fn create_durable_folder(folder: &Path) -> io::Result<()> {
    let above = parent(folder);
    if !above.try_exists()? {
        create_durable_folder(above)?;
    }
    create_folder(folder)?;
    sync_folder(above)
}

/// Makes a link at `path` that leads to `target`.
pub fn create_link(target: &Path, path: &Path) -> io::Result<()> {
    watch::around(&Change::Link(target, path), || std::os::unix::fs::symlink(target, path))
}

/// Gives a file or folder another name, instead of whatever has it. Durable after a sync of both folders.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    watch::around(&Change::Renamed(from, to), || fs::rename(from, to))
}

/// Removes a file or link.
pub fn remove(path: &Path) -> io::Result<()> {
    watch::around(&Change::Removed(path), || fs::remove_file(path))
}

/// Removes a folder and all in it, following no link.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    watch::around(&Change::Removed(folder), || fs::remove_dir_all(folder))
}

/// Makes the content of a file durable that is not open here.
pub fn sync_file(path: &Path) -> io::Result<()> {
    watch::around(&Change::SyncedFile(path), || fs::File::open(path)?.sync_all())
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    watch::around(&Change::SyncedFolder(folder), || fs::File::open(folder)?.sync_all())
}

/// Makes everything on the folder's file system durable: one wait for any number of files.
pub fn sync_file_system(folder: &Path) -> io::Result<()> {
    let sync = || nix::unistd::syncfs(fs::File::open(folder)?).map_err(io::Error::from);
    watch::around(&Change::SyncedFileSystem(folder), sync)
}

/// Tells whoever records what calls did that do not go through here: those of a library, or by descriptor.
pub fn done_elsewhere(change: Change<'_>) {
    let _ = watch::around(&change, || Ok(()));
}

/// Writes a file that only its owner may read, durably, all or nothing: whoever reads it finds all of the old content
/// or all of the new. Of several who do so at the same time, in whatever processes, each comes to its end, and the last
/// one's stays. `points` begins the names of the points at which crash tests kill.
pub fn replace(path: &Path, bytes: &[u8], points: &'static str) -> io::Result<()> {
    let partial = partial(path);
    let mut file = own(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fail::step(points, "before-rename");
    rename(&partial, path)?;
    fail::step(points, "after-rename");
    sync_folder(parent(path))?;
    fail::step(points, "after-sync");
    Ok(())
}

/// What the next content of a file is called until it is whole. The whole name is in it, since files may differ in
/// what looks like an ending alone; and it is always the same, so that a crash leaves no more than one, which the next
/// writer takes over: a name for each try would leave copies that nobody removes, also of keys.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Opens a file to write it from its beginning, when nobody else writes it: who holds its lock is the one. The lock goes
/// with the file, also by a crash.
fn own(partial: &Path) -> io::Result<File> {
    loop {
        let mut options = OpenOptions::new();
        let file = File::open(options.write(true).create(true).truncate(false), partial)?;
        file.lock()?;
        let opened = file.metadata()?;
        // Who had the lock before may have given this very file its final name: then it is not to be written any more.
        match fs::symlink_metadata(partial) {
            Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => {
                if opened.len() > 0 {
                    file.set_len(0)?;
                }
                return Ok(file);
            }
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Whether an error says that there is no room: on the disk, in the quota, or under the limit on file sizes.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The folder in which a path's last name stands.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}
