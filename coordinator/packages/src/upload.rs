//! An upload, from the received file to a durable package.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _};

use windlass_archives::{Format, Limits, identify};
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;

use crate::blob::BlobWriter;
use crate::{PackageStore, StoreError, UploadError};

/// What an uploaded file became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The package's identity.
    pub manifest: Digest,
    /// The SHA-256 of the file as it was uploaded, for provenance.
    pub original: Digest,
    /// What kind of file it was.
    pub format: Format,
    /// Bytes of all files of the package together.
    pub size: u64,
    pub files: usize,
    /// How many contents the store did not have before.
    pub new_contents: usize,
    /// The id and version that the file's name states, if it has that form.
    pub identified: Option<(String, String)>,
}

/// Bytes of the uploaded file read at once.
const READ_BYTES: usize = 256 << 10;

pub(crate) fn store(
    store: &PackageStore,
    mut file: File,
    name: &str,
    limits: &Limits,
) -> Result<Uploaded, UploadError> {
    let stage = store.stage()?;
    let folder = store.objects().folder();
    let mut sink = BlobWriter::new(store.objects(), &stage)
        .map_err(|source| StoreError::io("write to", folder)(source))?;
    let mut archive = BufReader::with_capacity(READ_BYTES, &mut file);
    let contents = windlass_archives::read(&mut archive, name, limits, &mut sink)
        .map_err(|error| UploadError::of_archive(error, stage.folder()))?;
    let original = digest_of(&mut file).map_err(UploadError::Read)?;

    let staged = sink.into_staged();
    store.objects().publish(&staged)?;
    // Last, so that a manifest that is there has all its blobs.
    let text = contents.manifest.to_text();
    let manifest = Digest::of(&text);
    let staged_text = stage.write(&text).map_err(StoreError::io("write to", stage.folder()))?;
    store.objects().publish_manifest(manifest, &staged_text)?;
    Ok(Uploaded {
        manifest,
        original,
        format: contents.format,
        size: contents.manifest.size(),
        files: contents.manifest.files().count(),
        new_contents: staged.len(),
        identified: identify(name),
    })
}

fn digest_of(file: &mut File) -> std::io::Result<Digest> {
    file.rewind()?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
