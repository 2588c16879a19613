//! The place where an upload is written before anyone can see it: a folder of its own beside the objects.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use windlass_segments::disk::{self, File};

/// One upload's temporary files. They go with it; those that were published have been moved out before.
pub(crate) struct Stage {
    folder: PathBuf,
    next: AtomicU64,
}

impl Stage {
    /// Makes the folder, which must not exist.
    pub(crate) fn new(folder: PathBuf) -> io::Result<Self> {
        if !disk::create_folder(&folder)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Self { folder, next: AtomicU64::new(0) })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new empty file, to be written and read back.
    pub(crate) fn create(&self) -> io::Result<(File, PathBuf)> {
        let path = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let mut options = OpenOptions::new();
        let file = File::open(options.read(true).write(true).create_new(true), &path)?;
        Ok((file, path))
    }

    /// A new file with this content, durable.
    pub(crate) fn write(&self, content: &[u8]) -> io::Result<PathBuf> {
        let (mut file, path) = self.create()?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(path)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the store is opened next.
        let _ = disk::remove_folder(&self.folder);
    }
}
