//! The thread that makes verified contents durable, gives them their names, and at the end the package its own.

use std::sync::Arc;

use tokio::sync::mpsc;
use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;
use windlass_segments::{disk, fail};

use super::ending::Ended;
use crate::cache::{Claim, Layout};
use crate::{Cache, CacheError, PullError, files};

/// What the writing thread says.
pub(super) enum Settle {
    /// Much was written, and these contents are whole and verified.
    Written(Vec<Digest>),
    /// There is no more.
    Finish,
}

/// The package that a pull is for.
pub(super) struct Package {
    pub(super) manifest: Digest,
    pub(super) tree: Manifest,
    pub(super) label: String,
}

/// The body of the thread.
pub(super) fn run(
    cache: &Cache,
    package: &Package,
    claim: &Arc<Claim>,
    mut settles: mpsc::Receiver<Settle>,
) -> Result<Ended, PullError> {
    while let Some(message) = settles.blocking_recv() {
        if claim.is_abandoned() {
            break;
        }
        match message {
            Settle::Written(ready) => settle(cache.layout(), package.manifest, &ready)?,
            Settle::Finish => {
                complete(cache, package)?;
                return Ok(Ended::Complete);
            }
        }
    }
    Ok(Ended::Early)
}

/// Makes everything that was written durable, then gives `ready` contents their names.
///
/// One `syncfs` instead of a sync of each file: see the README for what that saves.
pub(super) fn settle(layout: &Layout, manifest: Digest, ready: &[Digest]) -> Result<(), CacheError> {
    fail::point("cache-before-sync");
    files::sync_file_system(&layout.partial(manifest))?;
    fail::point("cache-after-sync");
    for content in ready {
        fail::point("cache-before-rename");
        let from = layout.partial_blob(manifest, *content);
        files::rename(&from, &layout.blob(*content))?;
    }
    fail::point("cache-after-rename");
    Ok(())
}

/// Checks that all of the package is there, and says so durably.
fn complete(cache: &Cache, package: &Package) -> Result<(), PullError> {
    for (_, content, size) in package.tree.files() {
        if !cache.layout().has_blob(content, size)? {
            return Err(PullError::Missing(content));
        }
    }
    Ok(name(cache, package.manifest, &package.label)?)
}

/// Gives the manifest of a package whose contents are all there its name, durably, and removes what its pull left.
pub(super) fn name(cache: &Cache, manifest: Digest, label: &str) -> Result<(), CacheError> {
    let layout = cache.layout();
    files::sync_folder(&layout.blobs())?;
    fail::point("cache-after-names");
    let text = layout.partial_manifest(manifest);
    // It is not there where the package had been complete before and had only lost contents.
    if files::size(&text)?.is_some() {
        disk::sync_file(&text).map_err(CacheError::io("sync", &text))?;
        fail::point("cache-before-manifest");
        files::rename(&text, &layout.manifest(manifest))?;
        fail::point("cache-after-manifest");
        files::sync_folder(&layout.manifests())?;
        fail::point("cache-after-complete");
    }
    files::remove_folder(&layout.partial(manifest))?;
    // The package is complete; that its place in the order of eviction could not be written changes nothing.
    let _ = cache.completed(manifest, label);
    Ok(())
}
