//! The package store, as the HTTP API uses it.

use std::fs::File;

use windlass_api::error::{Problem, ProblemKind};
use windlass_packages::{Limits, PackageStore, StoreError, UploadError};
use windlass_protocol::Digest;
use windlass_protocol::manifest::EntryPath;

use super::{PackageDoor, PackageTexts, StoredPackage};

/// Bytes of hooks and named files that are read to find what they need: configuration, not content.
const TEXT_BYTES: u64 = 16 << 20;

impl PackageDoor for PackageStore {
    fn store(&self, file: File, name: &str) -> Result<StoredPackage, Problem> {
        let uploaded = self.store_upload(file, name, &Limits::default()).map_err(|why| match why {
            UploadError::Store(why) => broken("the package cannot be stored", &why),
            other => Problem::usage(format!("{name}: {other}")),
        })?;
        Ok(StoredPackage {
            manifest: uploaded.manifest,
            original: uploaded.original,
            format: uploaded.format.to_string(),
            size: uploaded.size,
            files: u32::try_from(uploaded.files).unwrap_or(u32::MAX),
            identified: uploaded.identified,
        })
    }

    fn texts(&self, manifest: Digest, wanted: &dyn Fn(&EntryPath) -> bool) -> Result<PackageTexts, Problem> {
        let failed = |why: StoreError| broken("the package cannot be read", &why);
        let manifest = self.manifest(manifest).map_err(failed)?;
        let manifest =
            manifest.ok_or_else(|| Problem::failed("the store does not hold the package any more"))?;
        let texts = self.read_texts(&manifest, wanted, TEXT_BYTES).map_err(failed)?;
        Ok(PackageTexts {
            read: texts.read.into_iter().map(|(path, text)| (path.to_string(), text)).collect(),
            unread: texts.left_out.into_iter().map(|(path, _)| path.to_string()).collect(),
        })
    }
}

/// A full disk is said; everything else about the store's folder is for the log alone.
fn broken(what: &str, why: &StoreError) -> Problem {
    tracing::error!(%why, "{what}");
    match why {
        StoreError::Full { .. } => {
            Problem::new(ProblemKind::DiskFull, format!("{what}: the coordinator's disk is full"))
        }
        _ => Problem::failed(format!("{what}; the coordinator's log tells why")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_problem_of_its_own_kind() {
        let full = StoreError::Full { action: "write to", path: "store".into() };
        assert_eq!(broken("the package cannot be stored", &full).kind.status(), 507);
    }
}
