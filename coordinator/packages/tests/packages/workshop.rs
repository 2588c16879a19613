//! Archives to upload and requests to answer.

use std::sync::Arc;

use windlass_packages::{Contents, Limits, PackageStore, UploadError, Uploaded};
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;
pub use windlass_workshop::{Tree, names, noise, tar, tree, words};

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
