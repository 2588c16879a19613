//! How far an interrupted pull came: what a new one asks for.

use std::collections::BTreeSet;
use std::fs::OpenOptions;

use windlass_protocol::digest::Hasher;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::limits::{self, SEGMENT_BYTES};
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;
use windlass_protocol::{Digest, digest};
use windlass_segments::disk;

use super::order::ContentOrder;
use super::segments;
use super::settling;
use crate::cache::{Attempt, Layout};
use crate::{Cache, CacheError, files};

/// A pull that is about to be asked for. While it exists, nobody else can pull the same package.
pub struct PullState {
    pub(super) attempt: Attempt,
    pub(super) manifest: Digest,
    pub(super) label: String,
    /// The package's tree, if its text is here.
    pub(super) tree: Option<Manifest>,
    holds: Vec<Digest>,
    pub(super) complete_files: u32,
    pub(super) partial: Option<Partial>,
    whole: bool,
}

/// The beginning of a content, whole segments on disk.
pub(super) struct Partial {
    pub(super) content: Digest,
    pub(super) segments: u32,
    /// Has seen these segments.
    pub(super) hasher: Hasher,
}

impl PullState {
    pub fn manifest(&self) -> Digest {
        self.manifest
    }

    /// Whether the package's text is here already.
    pub fn has_manifest(&self) -> bool {
        self.tree.is_some()
    }

    /// The packages to name as held.
    pub fn holds(&self) -> &[Digest] {
        &self.holds
    }

    /// How many of the contents that travel, given the holds, are complete.
    pub fn complete_files(&self) -> u32 {
        self.complete_files
    }

    /// How many whole segments of the next content are here.
    pub fn complete_segments(&self) -> u32 {
        self.partial.as_ref().map_or(0, |partial| partial.segments)
    }

    /// Whether nothing is missing: the package is complete, and a pull would only confirm it.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    pub fn request(&self, assignment: AssignmentId) -> PullRequest {
        PullRequest {
            assignment,
            manifest: self.manifest,
            has_manifest: self.has_manifest(),
            holds: self.holds.clone(),
            complete_files: self.complete_files(),
            complete_segments: self.complete_segments(),
        }
    }
}

impl Cache {
    /// Looks how far a pull of `manifest` came, verifies what it left, and claims it. `label` tells which packages
    /// are its kin, such as the package's id: they are named as held first.
    ///
    /// Reads and hashes what an interrupted pull left unnamed, at most some hundred megabytes of contents and the
    /// part of one.
    pub fn begin(&self, manifest: Digest, label: &str) -> Result<PullState, CacheError> {
        let attempt = self.claim(manifest)?;
        let _gate = self.gate();
        let layout = self.layout();
        files::create_folder(&layout.partial(manifest))?;
        let tree = known_tree(self, manifest)?;
        let mut holds = self.held(label)?;
        // What of the package itself is here is said by the count of complete files.
        holds.retain(|held| *held != manifest);
        self.hold(manifest, &holds);

        let mut state = PullState {
            attempt,
            manifest,
            label: label.to_owned(),
            tree: None,
            holds,
            complete_files: 0,
            partial: None,
            whole: false,
        };
        let Some(tree) = tree else {
            clean(layout, manifest, |_| false)?;
            return Ok(state);
        };
        let order = ContentOrder::of(&tree);
        adopt(layout, manifest, &order)?;
        let travelling = travelling(self, &order, &state.holds)?;
        let mut next = None;
        for content in travelling {
            if !layout.has_blob(content, order.get(content).map_or(0, |content| content.size))? {
                next = Some(content);
                break;
            }
            state.complete_files += 1;
        }
        clean(layout, manifest, |content| Some(content) == next)?;
        state.partial = next.map(|content| resume(layout, manifest, &order, content)).transpose()?.flatten();
        state.whole = self.has_contents(&tree)?;
        if state.whole {
            // An earlier pull may have been stopped between the last content's name and the manifest's.
            settling::name(self, manifest, label)?;
        }
        state.tree = Some(tree);
        Ok(state)
    }

    /// Gives back the room of a pull that was not finished and is not to be gone on with.
    pub fn abandon(&self, manifest: Digest) -> Result<(), CacheError> {
        let _attempt = self.claim(manifest)?;
        clean(self.layout(), manifest, |_| false)
    }
}

/// The package's tree, from a text that still has the right digest.
fn known_tree(cache: &Cache, manifest: Digest) -> Result<Option<Manifest>, CacheError> {
    if let Some(tree) = cache.manifest(manifest)? {
        return Ok(Some(tree));
    }
    let path = cache.layout().partial_manifest(manifest);
    let Some(text) = files::read(&path, limits::MANIFEST_BYTES as u64 + 1)? else { return Ok(None) };
    if digest::Digest::of(&text) != manifest {
        files::remove(&path)?;
        return Ok(None);
    }
    Ok(Manifest::from_text(&text).ok())
}

/// Gives contents that are whole on disk but have no name yet theirs, once they are verified.
fn adopt(layout: &Layout, manifest: Digest, order: &ContentOrder) -> Result<(), CacheError> {
    let mut ready = Vec::new();
    for (content, bytes) in files::digests(&layout.partial(manifest))? {
        if order.get(content).is_none_or(|wanted| wanted.size != bytes) {
            continue;
        }
        let path = layout.partial_blob(manifest, content);
        let Some(mut file) = files::open(&path)? else { continue };
        let mut hasher = Hasher::new();
        files::hash(&mut file, bytes, &mut hasher).map_err(CacheError::io("read", &path))?;
        if hasher.finish() == content {
            ready.push(content);
        }
    }
    if ready.is_empty() { Ok(()) } else { settling::settle(layout, manifest, &ready) }
}

/// The contents that travel if the coordinator believes the holds.
fn travelling(cache: &Cache, order: &ContentOrder, holds: &[Digest]) -> Result<Vec<Digest>, CacheError> {
    let mut held = BTreeSet::new();
    for manifest in holds {
        if let Some(tree) = cache.manifest(*manifest)? {
            held.extend(tree.files().map(|(_, content, _)| content));
        }
    }
    let contents = order.contents().iter().map(|content| content.digest);
    Ok(contents.filter(|content| !held.contains(content)).collect())
}

/// Removes what lies in the partial folder and is of no more use.
fn clean(layout: &Layout, manifest: Digest, keep: impl Fn(Digest) -> bool) -> Result<(), CacheError> {
    for content in files::digests(&layout.partial(manifest))?.into_keys().filter(|content| !keep(*content)) {
        files::remove(&layout.partial_blob(manifest, content))?;
    }
    Ok(())
}

/// Cuts the next content to its whole segments and hashes them.
fn resume(
    layout: &Layout,
    manifest: Digest,
    order: &ContentOrder,
    content: Digest,
) -> Result<Option<Partial>, CacheError> {
    let path = layout.partial_blob(manifest, content);
    let size = order.get(content).map_or(0, |content| content.size);
    let Some(bytes) = files::size(&path)? else { return Ok(None) };
    // A complete one would have been adopted, were it what it should be.
    let whole = bytes / SEGMENT_BYTES as u64;
    if whole == 0 || whole >= u64::from(segments(size)) {
        files::remove(&path)?;
        return Ok(None);
    }
    let kept = whole * SEGMENT_BYTES as u64;
    let failed = |error| CacheError::io("read", &path)(error);
    let mut file = disk::File::open(OpenOptions::new().read(true).write(true), &path).map_err(failed)?;
    file.set_len(kept).map_err(CacheError::io("cut", &path))?;
    let mut hasher = Hasher::new();
    files::hash(&mut file, kept, &mut hasher).map_err(failed)?;
    let segments = u32::try_from(whole).expect("fewer segments than the content has");
    Ok(Some(Partial { content, segments, hasher }))
}
