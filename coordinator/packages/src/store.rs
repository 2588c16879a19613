//! The package store: a folder that one process has open, and objects there or elsewhere.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use windlass_archives::Limits;
use windlass_protocol::manifest::{EntryPath, Manifest};
use windlass_protocol::{Digest, limits};
use windlass_segments::disk;

use crate::blocking_thread::run_apart;
use crate::contents::Shelf;
use crate::objects::{Objects, create_folder, remove_folder};
use crate::stage::Stage;
use crate::{Contents, Kind, StoreError, Texts, UploadError, Uploaded, text, upload};

/// Manifests and blobs in a folder or another store of objects. Clones are the same store.
///
/// Everything here but [`send`](crate::send) waits for the disk: call it from a thread that may block.
#[derive(Clone)]
pub struct PackageStore {
    inner: Arc<Inner>,
}

struct Inner {
    objects: Objects,
    shelf: Shelf,
    uploads: AtomicU64,
    /// Held as long as the store is open. The kernel drops it with the process.
    _lock: disk::File,
}

impl PackageStore {
    /// Opens the store in `folder`, makes the folder if it is missing (its parent has to exist), and removes what
    /// interrupted uploads left.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::over(folder.as_ref(), Objects::open)
    }

    /// Opens the store whose objects lie in `objects`. In `folder` lies only what is on its way.
    pub fn open_on(folder: impl AsRef<Path>, objects: Arc<dyn ObjectStore>) -> Result<Self, StoreError> {
        Self::over(folder.as_ref(), |folder| Ok(Objects::open_on(folder, objects)))
    }

    fn over(
        folder: &Path,
        open: impl FnOnce(&Path) -> Result<Objects, StoreError>,
    ) -> Result<Self, StoreError> {
        disk::create_durable_folder(folder).map_err(StoreError::io("create", folder))?;
        let folder = &folder.canonicalize().map_err(StoreError::io("open", folder))?;
        let lock = lock(folder)?;
        let staging = folder.join(STAGING);
        remove_folder(&staging)?;
        create_folder(&staging)?;
        let objects = open(folder)?;
        let (shelf, uploads) = (Shelf::default(), AtomicU64::new(0));
        Ok(Self { inner: Arc::new(Inner { objects, shelf, uploads, _lock: lock }) })
    }

    /// Takes an uploaded file: reads it as hostile input, stores what the store does not have yet, and returns when
    /// all of it is durable. `name` is the name that it was uploaded under.
    ///
    /// A refused or failed upload leaves nothing in the store. Several uploads may run at once.
    pub fn store_upload(&self, file: File, name: &str, limits: &Limits) -> Result<Uploaded, UploadError> {
        run_apart(self.objects().folder(), || upload::store(self, file, name, limits))
    }

    /// The manifest with this digest, checked again, or `None`.
    pub fn manifest(&self, digest: Digest) -> Result<Option<Manifest>, StoreError> {
        let read = run_apart(self.objects().folder(), || self.read_manifest(digest))?;
        Ok(read.map(|(manifest, _)| manifest))
    }

    /// What pulls need of the manifest with this digest. What was read lately, or is in use, is not read again.
    ///
    /// Reading a large one takes a hundred times the memory of what is kept of it: let not many do it at once.
    pub fn contents(&self, digest: Digest) -> Result<Option<Arc<Contents>>, StoreError> {
        if let Some(known) = self.inner.shelf.get(digest) {
            return Ok(Some(known));
        }
        let read = run_apart(self.objects().folder(), || {
            let read = self.read_manifest(digest)?;
            Ok::<_, StoreError>(read.map(|(manifest, bytes)| Contents::of_text(digest, bytes, &manifest)))
        })?;
        Ok(read.map(|read| self.inner.shelf.put(read)))
    }

    /// A manifest, and the bytes of its text.
    fn read_manifest(&self, digest: Digest) -> Result<Option<(Manifest, usize)>, StoreError> {
        let Some(file) = self.objects().open_object(Kind::Manifest, digest)? else { return Ok(None) };
        let mut text = Vec::new();
        file.take(limits::MANIFEST_BYTES as u64 + 1)
            .read_to_end(&mut text)
            .map_err(|source| self.objects().unreadable(Kind::Manifest, digest, source))?;
        let damaged = |fault| StoreError::Damaged { kind: Kind::Manifest, digest, fault };
        if Digest::of(&text) != digest {
            return Err(damaged("its text has another digest"));
        }
        let manifest = Manifest::from_text(&text).map_err(|_| damaged("its text is no manifest"))?;
        Ok(Some((manifest, text.len())))
    }

    /// The files of a stored package that `matches` selects, as texts of at most `most_bytes` together.
    pub fn read_texts(
        &self,
        manifest: &Manifest,
        matches: impl Fn(&EntryPath) -> bool,
        most_bytes: u64,
    ) -> Result<Texts, StoreError> {
        let selected: Vec<_> = manifest.files().filter(|(path, ..)| matches(path)).collect();
        run_apart(self.objects().folder(), || text::read(self.objects(), &selected, most_bytes))
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.inner.objects
    }

    /// A place for the files of one upload.
    pub(crate) fn stage(&self) -> Result<Stage, StoreError> {
        let number = self.inner.uploads.fetch_add(1, Ordering::Relaxed);
        let folder = self.objects().folder().join(STAGING).join(number.to_string());
        let error = StoreError::io("create", &folder);
        Stage::new(folder.clone()).map_err(error)
    }
}

const STAGING: &str = "staging";

fn lock(folder: &Path) -> Result<disk::File, StoreError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let file = disk::File::open(options.write(true).create(true).truncate(false), &path)
        .map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}
