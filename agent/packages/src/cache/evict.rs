//! Making room: what nobody uses goes, the least recently used first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use windlass_protocol::Digest;
use windlass_protocol::limits;
use windlass_protocol::manifest::Manifest;
use windlass_segments::fail;

use super::Cache;
use crate::{CacheError, files};

/// What eviction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Bytes of contents that went.
    pub freed: u64,
    /// Bytes of contents that are left. More than asked for if what is in use alone is more.
    pub left: u64,
}

/// While this exists no pull begins, so that what is in use can be found out before anything else becomes it.
pub struct EvictionGuard<'a> {
    cache: &'a Cache,
    _gate: MutexGuard<'a, ()>,
}

impl Cache {
    /// Waits until no pull is about to begin, and lets none begin.
    pub fn pause_pulls(&self) -> EvictionGuard<'_> {
        EvictionGuard { cache: self, _gate: self.inner.pulls.gate() }
    }
}

impl EvictionGuard<'_> {
    /// Removes contents until at most `most_bytes` are left: first those that interrupted pulls left and no package
    /// needs, then whole packages, the least recently used first. Never a content of a package `in_use`, being pulled,
    /// or named as held in a pull that goes on.
    pub fn evict(&self, most_bytes: u64, in_use: &BTreeSet<Digest>) -> Result<Evicted, CacheError> {
        self.evict_to(in_use, |_| most_bytes)
    }

    /// The same, until so many bytes are free that were not, as far as there are so many.
    pub fn free(&self, bytes: u64, in_use: &BTreeSet<Digest>) -> Result<Evicted, CacheError> {
        self.evict_to(in_use, |there| there.saturating_sub(bytes))
    }

    fn evict_to(
        &self,
        in_use: &BTreeSet<Digest>,
        most: impl FnOnce(u64) -> u64,
    ) -> Result<Evicted, CacheError> {
        let mut kept = in_use.clone();
        kept.extend(self.cache.inner.pulls.active());
        let mut eviction = Eviction::survey(self.cache, &kept)?;
        let most_bytes = most(eviction.left);
        eviction.partials(&kept, most_bytes)?;
        eviction.orphans(most_bytes)?;
        eviction.packages(&kept, most_bytes)?;
        Ok(Evicted { freed: eviction.freed, left: eviction.left })
    }
}

/// One run: what there is, how much of it, and how many packages need each content.
struct Eviction<'a> {
    cache: &'a Cache,
    blobs: BTreeMap<Digest, u64>,
    /// Bytes in the partial folders.
    partials: BTreeMap<Digest, u64>,
    needed: BTreeMap<Digest, u32>,
    freed: u64,
    left: u64,
}

impl<'a> Eviction<'a> {
    fn survey(cache: &'a Cache, kept: &BTreeSet<Digest>) -> Result<Self, CacheError> {
        let layout = cache.layout();
        let blobs = files::digests(&layout.blobs())?;
        let mut partials = BTreeMap::new();
        for manifest in files::digests(&layout.partials())?.into_keys() {
            partials.insert(manifest, files::digests(&layout.partial(manifest))?.values().sum());
        }
        let left = blobs.values().sum::<u64>() + partials.values().sum::<u64>();
        let mut eviction = Self { cache, blobs, partials, needed: BTreeMap::new(), freed: 0, left };
        for manifest in files::digests(&layout.manifests())?.into_keys() {
            need(&mut eviction.needed, cache.manifest(manifest)?.as_ref());
        }
        for manifest in eviction.partials.keys().filter(|manifest| kept.contains(manifest)) {
            let text = files::read(&layout.partial_manifest(*manifest), limits::MANIFEST_BYTES as u64)?;
            let wanted = text.and_then(|text| Manifest::from_text(&text).ok());
            need(&mut eviction.needed, wanted.as_ref());
        }
        Ok(eviction)
    }

    /// What was pulled in part, of packages that nobody is waiting for.
    fn partials(&mut self, kept: &BTreeSet<Digest>, most_bytes: u64) -> Result<(), CacheError> {
        for (manifest, bytes) in self.partials.clone() {
            if self.left > most_bytes && !kept.contains(&manifest) {
                files::remove_folder(&self.cache.layout().partial(manifest))?;
                self.account(bytes);
            }
        }
        Ok(())
    }

    /// Contents that no package needs.
    fn orphans(&mut self, most_bytes: u64) -> Result<(), CacheError> {
        let orphans: Vec<_> =
            self.blobs.keys().filter(|content| !self.needed.contains_key(content)).copied().collect();
        for content in orphans {
            if self.left > most_bytes {
                self.remove(content)?;
            }
        }
        Ok(())
    }

    fn packages(&mut self, kept: &BTreeSet<Digest>, most_bytes: u64) -> Result<(), CacheError> {
        let oldest = self.cache.records().oldest();
        for manifest in oldest.into_iter().filter(|manifest| !kept.contains(manifest)) {
            if self.left <= most_bytes {
                break;
            }
            let contents: BTreeSet<_> = self.cache.manifest(manifest)?.iter().flat_map(contents).collect();
            fail::point("cache-before-evict");
            // First the manifest, durably: one that is there has all its contents.
            files::remove(&self.cache.layout().manifest(manifest))?;
            files::sync_folder(&self.cache.layout().manifests())?;
            fail::point("cache-after-evict");
            self.cache.records().forget(self.cache.layout(), manifest)?;
            for content in contents {
                let needed = self.needed.entry(content).or_default();
                *needed = needed.saturating_sub(1);
                if *needed == 0 {
                    self.remove(content)?;
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, content: Digest) -> Result<(), CacheError> {
        files::remove(&self.cache.layout().blob(content))?;
        let bytes = self.blobs.remove(&content).unwrap_or_default();
        self.account(bytes);
        Ok(())
    }

    fn account(&mut self, bytes: u64) {
        self.freed += bytes;
        self.left -= bytes;
    }
}

/// Counts a package, if there is one, for each of its contents.
fn need(needed: &mut BTreeMap<Digest, u32>, manifest: Option<&Manifest>) {
    for content in manifest.into_iter().flat_map(contents) {
        *needed.entry(content).or_default() += 1;
    }
}

/// The distinct contents of a package.
fn contents(manifest: &Manifest) -> BTreeSet<Digest> {
    manifest.files().map(|(_, digest, _)| digest).collect()
}
