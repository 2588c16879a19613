//! Objects that lie elsewhere, and a way there that fails.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use windlass_packages::{PackageStore, StoreError, UploadError};

use crate::workshop::{tree, upload};

/// What is asked about these names fails in this way.
type Trouble = Option<(&'static str, ErrorKind)>;

#[derive(Debug, Default)]
struct Failing {
    objects: InMemory,
    trouble: Mutex<Trouble>,
}

impl Failing {
    fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn reach(&self, location: &Path) -> Result<()> {
        match *self.trouble.lock().unwrap() {
            Some((names, kind)) if location.as_ref().starts_with(names) => {
                Err(Error::Generic { store: "elsewhere", source: io::Error::from(kind).into() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("elsewhere")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.reach(location)?;
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.reach(location)?;
        self.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reach(location)?;
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

#[test]
fn a_way_that_fails_is_said_to_and_leaves_no_package_and_the_next_try_goes_well() {
    let (place, objects) = (tempfile::tempdir().unwrap(), Arc::new(Failing::default()));
    let store = PackageStore::open_on(place.path(), objects.clone()).unwrap();
    let files = tree(&[("a", b"content"), ("b", b"other")]);
    for names in ["blobs", "manifests"] {
        for (kind, full) in [(ErrorKind::StorageFull, true), (ErrorKind::NotConnected, false)] {
            objects.set(Some((names, kind)));
            let error = upload(&store, &files).unwrap_err();
            match &error {
                UploadError::Store(StoreError::Full { .. }) if full => {}
                UploadError::Store(StoreError::Io { source, .. }) if !full && source.kind() == kind => {}
                _ => panic!("{names}, {kind}: {error:?}"),
            }
        }
    }
    objects.set(None);
    let uploaded = upload(&store, &files).unwrap();
    assert_eq!(uploaded.new_contents, 0, "the blobs are there since the manifest failed");
    let manifest = store.manifest(uploaded.manifest).unwrap().unwrap();
    objects.set(Some(("", ErrorKind::NotConnected)));
    let why = store.manifest(uploaded.manifest).unwrap_err();
    assert!(matches!(why, StoreError::Io { .. }), "it is not missing: {why}");
    let why = store.read_texts(&manifest, |_| true, 100).unwrap_err();
    assert!(matches!(why, StoreError::Io { .. }), "it is not missing: {why}");
    objects.set(None);
    assert_eq!(store.read_texts(&manifest, |_| true, 100).unwrap().read.len(), 2);
}
