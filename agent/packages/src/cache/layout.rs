//! Where things lie in the cache's folder. Every name below it is a digest in hexadecimal, never a peer's text.

use std::path::{Path, PathBuf};

use windlass_protocol::Digest;

use crate::{CacheError, files};

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Makes what is missing in the folder, which exists.
    pub(crate) fn create(folder: &Path) -> Result<Self, CacheError> {
        let layout = Self { folder: folder.to_owned() };
        for folder in [layout.blobs(), layout.manifests(), layout.records(), layout.partials()] {
            files::create_folder(&folder)?;
        }
        files::sync_folder(folder)?;
        Ok(layout)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn blob(&self, content: Digest) -> PathBuf {
        self.blobs().join(content.to_hex())
    }

    /// Whether a content is there, with the size that it has to have.
    pub(crate) fn has_blob(&self, content: Digest, bytes: u64) -> Result<bool, CacheError> {
        Ok(files::size(&self.blob(content))? == Some(bytes))
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    pub(crate) fn manifest(&self, manifest: Digest) -> PathBuf {
        self.manifests().join(manifest.to_hex())
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.folder.join("records")
    }

    pub(crate) fn record(&self, manifest: Digest) -> PathBuf {
        self.records().join(manifest.to_hex())
    }

    pub(crate) fn partials(&self) -> PathBuf {
        self.folder.join("partial")
    }

    pub(crate) fn partial(&self, manifest: Digest) -> PathBuf {
        self.partials().join(manifest.to_hex())
    }

    pub(crate) fn partial_manifest(&self, manifest: Digest) -> PathBuf {
        self.partial(manifest).join("manifest")
    }

    pub(crate) fn partial_blob(&self, manifest: Digest, content: Digest) -> PathBuf {
        self.partial(manifest).join(content.to_hex())
    }
}
