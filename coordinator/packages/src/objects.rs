//! The objects of the store, and the one place that says what `object_store` is to do.
//!
//! A finished object never changes and is named by the SHA-256 of what it holds: `blobs/<digest>`,
//! `manifests/<digest>`. Files that are being written lie in `staging/`, in the store's own folder. Where the objects lie in
//! that folder too, a file becomes one by a rename; into any other store it is copied.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_executor::{block_on, block_on_stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt as _};
use windlass_protocol::Digest;
use windlass_segments::disk::{self, Change};
use windlass_segments::fail;

use crate::{Kind, StoreError};

/// Bytes of an object that are copied at once.
const PART_BYTES: u64 = 8 << 20;

/// The objects, wherever they lie.
pub(crate) struct Objects {
    /// For files on their way.
    folder: PathBuf,
    /// A local one leaves it to us to sync many objects at once: see [`Objects::publish`].
    store: Arc<dyn ObjectStore>,
    /// Where they lie in the folder: for single objects, each of which is durable when its call returns.
    local: Option<LocalFileSystem>,
}

impl Objects {
    /// Objects in the folder, which exists; makes what is missing in it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        for name in [folder_of(Kind::Blob), folder_of(Kind::Manifest)] {
            create_folder(&folder.join(name))?;
        }
        sync_folder(folder)?;
        let local =
            || LocalFileSystem::new_with_prefix(folder).map_err(|error| store_error("open", folder, error));
        let (store, local) = (Arc::new(local()?), Some(local()?.with_fsync(true)));
        Ok(Self { folder: folder.to_owned(), store, local })
    }

    /// Objects in another store. Only files on their way lie in the folder, which exists.
    pub(crate) fn open_on(folder: &Path, store: Arc<dyn ObjectStore>) -> Self {
        Self { folder: folder.to_owned(), store, local: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens an object to read it; `None` if there is none of that name. One that lies elsewhere is fetched.
    pub(crate) fn open_object(&self, kind: Kind, digest: Digest) -> Result<Option<File>, StoreError> {
        let path = self.path(kind, digest);
        match block_on(self.store.get(&name(kind, digest))) {
            Ok(result) => match result.payload {
                GetResultPayload::File(file, _) => Ok(Some(file)),
                GetResultPayload::Stream(stream) => {
                    let failed = StoreError::io("write to", &self.folder);
                    let mut file = tempfile::tempfile_in(&self.folder).map_err(failed)?;
                    for piece in block_on_stream(stream) {
                        let piece = piece.map_err(|error| store_error("read", &path, error))?;
                        file.write_all(&piece).map_err(StoreError::io("write to", &self.folder))?;
                    }
                    file.rewind().map_err(StoreError::io("read", &path))?;
                    Ok(Some(file))
                }
            },
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error("open", &path, error)),
        }
    }

    /// Gives a staged manifest, whose content is durable, its name, durably.
    pub(crate) fn publish_manifest(&self, digest: Digest, staged: &Path) -> Result<(), StoreError> {
        let Some(durable) = &self.local else { return self.copy(Kind::Manifest, digest, staged) };
        fail::point("packages-before-manifest");
        block_on(durable.rename(&self.object_name(staged)?, &name(Kind::Manifest, digest)))
            .map_err(|error| store_error("rename", staged, error))?;
        // It also syncs the folder of the new name, and after that the one of the old.
        disk::done_elsewhere(Change::Renamed(staged, &self.path(Kind::Manifest, digest)));
        disk::done_elsewhere(Change::SyncedFolder(&self.folder.join(folder_of(Kind::Manifest))));
        fail::point("packages-after-manifest");
        Ok(())
    }

    /// Gives staged blobs their names, all durable when this returns.
    ///
    /// The contents are made durable before the first of them gets its name, the names by one sync of their folder.
    pub(crate) fn publish(&self, staged: &BTreeMap<Digest, PathBuf>) -> Result<(), StoreError> {
        if self.local.is_none() {
            return staged.iter().try_for_each(|(digest, path)| self.copy(Kind::Blob, *digest, path));
        }
        let blobs = self.folder.join(folder_of(Kind::Blob));
        if !staged.is_empty() {
            fail::point("packages-before-sync");
            sync_files(staged.values(), staged.len(), &blobs)?;
            fail::point("packages-after-sync");
        }
        for (digest, path) in staged {
            let from = self.object_name(path)?;
            block_on(self.store.rename(&from, &name(Kind::Blob, *digest)))
                .map_err(|error| store_error("rename", path, error))?;
            disk::done_elsewhere(Change::Renamed(path, &self.path(Kind::Blob, *digest)));
            fail::point("packages-after-rename");
        }
        // Also when nothing was staged: what this upload found may have been named by another one a moment ago.
        sync_folder(&blobs)?;
        fail::point("packages-after-names");
        Ok(())
    }

    /// Copies a staged file into a store that is elsewhere, where it gets its name when all of it is there.
    fn copy(&self, kind: Kind, digest: Digest, staged: &Path) -> Result<(), StoreError> {
        let failed = |error| store_error("write", &self.path(kind, digest), error);
        let file = File::open(staged).map_err(StoreError::io("read", staged))?;
        let mut upload = block_on(self.store.put_multipart(&name(kind, digest))).map_err(failed)?;
        let copied = copy_parts(&file, upload.as_mut()).map_err(failed);
        if copied.is_err() {
            // What stays behind has no name.
            let _ = block_on(upload.abort());
        }
        copied
    }

    /// What to say of an object that is there and cannot be read.
    pub(crate) fn unreadable(&self, kind: Kind, digest: Digest, source: io::Error) -> StoreError {
        StoreError::Io { action: "read", path: self.path(kind, digest), source }
    }

    /// The object name of a file inside the store's folder.
    fn object_name(&self, path: &Path) -> Result<ObjectPath, StoreError> {
        let inside = path.strip_prefix(&self.folder).expect("staged files lie in the store's folder");
        let text = inside.to_str().expect("the names of staged files are digits");
        ObjectPath::parse(text).map_err(|error| store_error("name", path, error.into()))
    }

    fn path(&self, kind: Kind, digest: Digest) -> PathBuf {
        self.folder.join(folder_of(kind)).join(digest.to_hex())
    }
}

fn copy_parts(file: &File, upload: &mut dyn MultipartUpload) -> object_store::Result<()> {
    let unread =
        |source: io::Error| object_store::Error::Generic { store: "staged file", source: source.into() };
    loop {
        let mut part = Vec::new();
        file.take(PART_BYTES).read_to_end(&mut part).map_err(unread)?;
        if part.is_empty() {
            return block_on(upload.complete()).map(drop);
        }
        block_on(upload.put_part(part.into()))?;
    }
}

fn folder_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Manifest => "manifests",
        Kind::Blob => "blobs",
    }
}

fn name(kind: Kind, digest: Digest) -> ObjectPath {
    ObjectPath::from_iter([folder_of(kind), &digest.to_hex()])
}

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn create_folder(folder: &Path) -> Result<(), StoreError> {
    disk::create_folder(folder).map(drop).map_err(StoreError::io("create", folder))
}

/// Makes the contents of files durable that lie on the file system of `folder`.
///
/// Many at once by `syncfs`: one wait, where each file by itself would have one of its own. Few by themselves,
/// because `syncfs` also waits for all else that is being written there, such as the uploaded file itself.
fn sync_files<'a>(
    files: impl Iterator<Item = &'a PathBuf>,
    count: usize,
    folder: &Path,
) -> Result<(), StoreError> {
    if count > FEW_FILES {
        return disk::sync_file_system(folder).map_err(StoreError::io("sync", folder));
    }
    for path in files {
        disk::sync_file(path).map_err(StoreError::io("sync", path))?;
    }
    Ok(())
}

/// Up to so many files are synced by themselves.
const FEW_FILES: usize = 64;

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    disk::sync_folder(folder).map_err(StoreError::io("sync", folder))
}

/// Removes a folder and all in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), StoreError> {
    match disk::remove_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(StoreError::io("remove", folder)),
    }
}

/// What the operating system said is somewhere inside the object store's own errors.
fn store_error(action: &'static str, path: &Path, error: object_store::Error) -> StoreError {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(system) = inner.downcast_ref::<io::Error>() {
            let known = system.raw_os_error().map(io::Error::from_raw_os_error);
            let source = known.unwrap_or_else(|| io::Error::new(system.kind(), error.to_string()));
            return StoreError::io(action, path)(source);
        }
        source = inner.source();
    }
    StoreError::Io { action, path: path.to_owned(), source: io::Error::other(error) }
}
