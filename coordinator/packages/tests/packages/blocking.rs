//! The store in the threads of a runtime that may block, of which there are few: nothing waits there for another of them.

use std::sync::mpsc;
use std::time::Duration;

use windlass_packages::PackageStore;
use windlass_protocol::manifest::Manifest;

use crate::workshop::{stored, tree, upload};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Does something in the only thread that may block of a runtime; none if it never ends.
fn in_the_only_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).build().unwrap();
    let (done, waiting) = mpsc::channel();
    runtime.spawn_blocking(move || done.send(work()));
    let result = waiting.recv_timeout(PATIENCE).ok();
    runtime.shutdown_background();
    result
}

#[test]
fn no_call_of_the_store_waits_for_a_thread_that_may_block() {
    let place = tempfile::tempdir().unwrap();
    let store = PackageStore::open(place.path()).unwrap();
    let files = tree(&[("hook", b"echo"), ("data", b"data")]);
    let manifest = stored(&store, &files);
    let (digest, reading) = (manifest.digest(), store.clone());
    let read: Option<Manifest> = in_the_only_thread(move || reading.manifest(digest).unwrap().unwrap());
    assert!(read.is_some_and(|read| read == manifest), "reading a manifest");
    let reading = store.clone();
    let texts = in_the_only_thread(move || reading.read_texts(&manifest, |_| true, 1000).unwrap());
    assert!(texts.is_some_and(|texts| texts.read.len() == 2), "reading files");
    let uploading = store.clone();
    let other = tree(&[("hook", b"other"), ("data", b"data")]);
    let uploaded = in_the_only_thread(move || upload(&uploading, &other).unwrap());
    assert!(uploaded.is_some(), "storing an upload");
}
