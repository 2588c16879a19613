//! The cache: contents and manifests by their digests, in a folder that one process has open.
//!
//! ```text
//! blobs/<content>                 plain contents of files, complete and verified
//! manifests/<manifest>            canonical texts, of packages whose contents are all in blobs
//! records/<manifest>              when a package was last used, and the label it was pulled under
//! partial/<manifest>/manifest     the text of a package being pulled
//! partial/<manifest>/<content>    its contents that have no name in blobs yet
//! ```
//!
//! The disk is the only truth: nothing but the records is kept in memory, and losing them costs an order of eviction.

mod evict;
mod layout;
mod pulls;
mod records;

use std::fs::TryLockError;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use windlass_protocol::manifest::Manifest;
use windlass_protocol::{Digest, limits};
use windlass_segments::disk;

use crate::{CacheError, files};
pub use evict::{Evicted, EvictionGuard};
pub(crate) use layout::Layout;
use pulls::Pulls;
pub(crate) use pulls::{Attempt, Claim};
use records::Records;

/// A cache of packages. Clones are the same cache.
///
/// Everything here but [`Cache::receive`] waits for the disk: call it from a thread that may block.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    records: Mutex<Records>,
    pulls: Arc<Pulls>,
    /// Held as long as the cache is open. The kernel drops it with the process.
    _lock: disk::File,
}

impl Cache {
    /// Opens the cache in `folder` and makes the folder if it is missing; its parent has to exist. What a crash
    /// left is taken up again by the next pull of the same package.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, CacheError> {
        let folder = folder.as_ref();
        files::create_folder(folder)?;
        let folder = &folder.canonicalize().map_err(CacheError::io("open", folder))?;
        let lock = lock(folder)?;
        let layout = Layout::create(folder)?;
        let records = Mutex::new(Records::load(&layout)?);
        let inner = Inner { layout, records, pulls: Arc::default(), _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the package is there with all its contents.
    pub fn contains(&self, manifest: Digest) -> Result<bool, CacheError> {
        match self.manifest(manifest)? {
            Some(manifest) => self.has_contents(&manifest),
            None => Ok(false),
        }
    }

    /// The manifest of a package that was pulled to its end. Contents that were damaged since may be missing.
    pub fn manifest(&self, digest: Digest) -> Result<Option<Manifest>, CacheError> {
        let path = self.layout().manifest(digest);
        let Some(text) = files::read(&path, limits::MANIFEST_BYTES as u64 + 1)? else { return Ok(None) };
        if Digest::of(&text) != digest {
            // Not what was once verified, so it says nothing; a pull brings it again.
            files::remove(&path)?;
            return Ok(None);
        }
        Ok(Manifest::from_text(&text).ok())
    }

    /// A content of a complete package, of so many bytes, as its digest says. A damaged one is removed and named.
    pub fn content(&self, digest: Digest, bytes: u64) -> Result<Vec<u8>, CacheError> {
        let blob = self.layout().blob(digest);
        match files::read(&blob, bytes + 1)? {
            Some(content) if Digest::of(&content) == digest => Ok(content),
            _ => {
                // Whoever needs it pulls it again.
                files::remove(&blob)?;
                Err(CacheError::Damaged { digest })
            }
        }
    }

    /// The packages to name as held in a pull: those that are complete, the most recently used of the same `label`
    /// first, then others. At most [`limits::HELD_MANIFESTS`].
    pub fn held(&self, label: &str) -> Result<Vec<Digest>, CacheError> {
        let candidates = self.records().nearest(label);
        let mut held = Vec::new();
        for digest in candidates {
            if held.len() == limits::HELD_MANIFESTS {
                break;
            }
            if self.contains(digest)? {
                held.push(digest);
            }
        }
        Ok(held)
    }

    /// Notes that a package is in use now, for the order of eviction.
    pub fn touch(&self, manifest: Digest) -> Result<(), CacheError> {
        self.records().touch(self.layout(), manifest, None)
    }

    pub(crate) fn completed(&self, manifest: Digest, label: &str) -> Result<(), CacheError> {
        self.records().touch(self.layout(), manifest, Some(label))
    }

    pub(crate) fn has_contents(&self, manifest: &Manifest) -> Result<bool, CacheError> {
        for (_, digest, size) in manifest.files() {
            if !self.layout().has_blob(digest, size)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Takes the pull of a package for the caller alone, and waits for what an abandoned one still writes.
    pub(crate) fn claim(&self, manifest: Digest) -> Result<Attempt, CacheError> {
        self.inner.pulls.claim(manifest).ok_or(CacheError::Busy { manifest })
    }

    /// Keeps the packages that a pull names as held from being evicted as long as it lasts.
    pub(crate) fn hold(&self, manifest: Digest, held: &[Digest]) {
        self.inner.pulls.hold(manifest, held);
    }

    /// Keeps evictions from beginning.
    pub(crate) fn gate(&self) -> MutexGuard<'_, ()> {
        self.inner.pulls.gate()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.inner.records.lock().expect("nothing panics while it holds the records")
    }
}

fn lock(folder: &Path) -> Result<disk::File, CacheError> {
    let path = folder.join("lock");
    let file = files::create(&path).map_err(CacheError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CacheError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(CacheError::io("lock", &path)(error)),
    }
}
