//! Archives to upload and requests to answer.

use std::fs;
use std::sync::Arc;

use futures_executor::{block_on, block_on_stream};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tempfile::TempDir;
use windlass_packages::{Contents, Limits, PackageStore, UploadError, Uploaded};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;
pub use windlass_workshop::{Tree, names, noise, tar, tree, words};

/// A store, and the ways of others to what is in it.
pub struct Shop {
    pub store: PackageStore,
    pub place: TempDir,
    /// Where the objects lie, if not in the folder.
    objects: Option<Arc<InMemory>>,
}

/// A store in a folder, and one whose objects lie in memory.
pub fn shops() -> [Shop; 2] {
    let [own, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let objects = Arc::new(InMemory::new());
    [
        Shop { store: PackageStore::open(own.path()).unwrap(), place: own, objects: None },
        Shop {
            store: PackageStore::open_on(other.path(), objects.clone()).unwrap(),
            place: other,
            objects: Some(objects),
        },
    ]
}

impl Shop {
    /// The names in `blobs`, `manifests` or `staging`.
    pub fn names(&self, folder: &str) -> Vec<String> {
        match &self.objects {
            Some(objects) if folder != "staging" => {
                let listed = block_on_stream(objects.list(Some(&ObjectPath::from(folder))));
                listed.map(|object| object.unwrap().location.filename().unwrap().to_owned()).collect()
            }
            _ => names(&self.place.path().join(folder)),
        }
    }

    /// An object as it is stored.
    pub fn object(&self, folder: &str, digest: Digest) -> Vec<u8> {
        match &self.objects {
            Some(objects) => {
                block_on(async { objects.get(&named(folder, digest)).await.unwrap().bytes().await.unwrap() })
                    .to_vec()
            }
            None => fs::read(self.place.path().join(folder).join(digest.to_hex())).unwrap(),
        }
    }

    /// Puts something else in its place, or removes it.
    pub fn harm(&self, folder: &str, digest: Digest, bytes: Option<Vec<u8>>) {
        let path = self.place.path().join(folder).join(digest.to_hex());
        match (&self.objects, bytes) {
            (Some(objects), Some(bytes)) => {
                drop(block_on(objects.put(&named(folder, digest), bytes.into())).unwrap());
            }
            (Some(objects), None) => block_on(objects.delete(&named(folder, digest))).unwrap(),
            (None, Some(bytes)) => fs::write(path, bytes).unwrap(),
            (None, None) => fs::remove_file(path).unwrap(),
        }
    }
}

fn named(folder: &str, digest: Digest) -> ObjectPath {
    ObjectPath::from_iter([folder, &digest.to_hex()])
}

pub fn upload(store: &PackageStore, tree: &Tree) -> Result<Uploaded, UploadError> {
    store.store_upload(tar(tree), "app.1.0.tar", &Limits::default())
}

/// Uploads and gives the stored manifest back.
pub fn stored(store: &PackageStore, tree: &Tree) -> Manifest {
    let uploaded = upload(store, tree).unwrap();
    store.manifest(uploaded.manifest).unwrap().unwrap()
}

/// What a pull needs of a stored manifest.
pub fn contents(store: &PackageStore, manifest: &Manifest) -> Arc<Contents> {
    store.contents(manifest.digest()).unwrap().unwrap()
}

pub fn request(manifest: &Manifest) -> PullRequest {
    PullRequest {
        assignment: AssignmentId::from_bytes([7; 16]),
        manifest: manifest.digest(),
        has_manifest: false,
        holds: Vec::new(),
        complete_files: 0,
        complete_segments: 0,
    }
}
