//! The objects of the store, and the one place that names `object_store`.
//!
//! A finished object never changes and is named by the SHA-256 of what it holds: `blobs/<digest>`,
//! `manifests/<digest>`. Files that are being written lie in `staging/`, on the same file system.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures_executor::block_on;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetResultPayload, ObjectStoreExt as _};
use windlass_protocol::Digest;
use windlass_segments::disk::{self, Change};
use windlass_segments::fail;

use crate::{Kind, StoreError};

/// The objects in a local folder.
pub(crate) struct Objects {
    folder: PathBuf,
    /// For single objects: each is durable when its call returns.
    durable: LocalFileSystem,
    /// For many objects at once, between syncs of their own: see [`Objects::publish`].
    batched: LocalFileSystem,
}

impl Objects {
    /// Opens the folder, which exists, and makes what is missing in it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        for name in [folder_of(Kind::Blob), folder_of(Kind::Manifest)] {
            create_folder(&folder.join(name))?;
        }
        sync_folder(folder)?;
        let local =
            || LocalFileSystem::new_with_prefix(folder).map_err(|error| store_error("open", folder, error));
        Ok(Self { folder: folder.to_owned(), durable: local()?.with_fsync(true), batched: local()? })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn contains(&self, kind: Kind, digest: Digest) -> Result<bool, StoreError> {
        match block_on(self.batched.head(&name(kind, digest))) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(store_error("look at", &self.path(kind, digest), error)),
        }
    }

    /// Opens an object to read it; `None` if there is none of that name.
    pub(crate) fn open_object(&self, kind: Kind, digest: Digest) -> Result<Option<File>, StoreError> {
        let path = self.path(kind, digest);
        match block_on(self.batched.get(&name(kind, digest))) {
            Ok(result) => match result.payload {
                GetResultPayload::File(file, _) => Ok(Some(file)),
                GetResultPayload::Stream(_) => {
                    let source = io::Error::other("a local folder answered with something else than a file");
                    Err(StoreError::Io { action: "open", path, source })
                }
            },
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error("open", &path, error)),
        }
    }

    /// Gives a staged manifest, whose content is durable, its name, durably.
    pub(crate) fn publish_manifest(&self, digest: Digest, staged: &Path) -> Result<(), StoreError> {
        fail::point("packages-before-manifest");
        block_on(self.durable.rename(&self.object_name(staged)?, &name(Kind::Manifest, digest)))
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
        let blobs = self.folder.join(folder_of(Kind::Blob));
        if !staged.is_empty() {
            fail::point("packages-before-sync");
            sync_files(staged.values(), staged.len(), &blobs)?;
            fail::point("packages-after-sync");
        }
        for (digest, path) in staged {
            let from = self.object_name(path)?;
            block_on(self.batched.rename(&from, &name(Kind::Blob, *digest)))
                .map_err(|error| store_error("rename", path, error))?;
            disk::done_elsewhere(Change::Renamed(path, &self.path(Kind::Blob, *digest)));
            fail::point("packages-after-rename");
        }
        // Also when nothing was staged: what this upload found may have been named by another one a moment ago.
        sync_folder(&blobs)?;
        fail::point("packages-after-names");
        Ok(())
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
            return StoreError::io(action, path)(
                known.unwrap_or_else(|| io::Error::other(error.to_string())),
            );
        }
        source = inner.source();
    }
    StoreError::Io { action, path: path.to_owned(), source: io::Error::other(error) }
}
