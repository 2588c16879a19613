//! What an archive holds according to its headers, gathered in the first pass and checked as one tree before any
//! file's bytes go anywhere.

use std::collections::HashMap;

use windlass_protocol::Digest;
use windlass_protocol::limits::PATH_BYTES;
use windlass_protocol::manifest::{BadTree, Entry, EntryKind, EntryPath, Manifest};

use crate::{BadPackage, Limits, Shown};

/// What an entry's header says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File { executable: bool, size: u64 },
    Link { target: String },
}

/// One entry, in the order of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) path: EntryPath,
    pub(crate) kind: Kind,
}

/// The entries found so far, within the limits.
pub(crate) struct Plan<'a> {
    entries: Vec<Planned>,
    copies: Vec<Copy>,
    /// The files among the first `indexed` entries, for those that are copied.
    files: HashMap<EntryPath, usize>,
    indexed: usize,
    text_bytes: usize,
    unpacked: u64,
    archive: u64,
    limits: &'a Limits,
}

/// An entry whose content is that of an earlier one.
#[derive(Debug, Clone, Copy)]
struct Copy {
    entry: usize,
    original: usize,
}

impl<'a> Plan<'a> {
    /// An empty plan for an archive of `archive` bytes.
    pub(crate) fn new(limits: &'a Limits, archive: u64) -> Self {
        let (entries, copies, files) = (Vec::new(), Vec::new(), HashMap::new());
        Self { entries, copies, files, indexed: 0, text_bytes: 0, unpacked: 0, archive, limits }
    }

    /// Takes the next entry of the archive.
    pub(crate) fn add(&mut self, path: EntryPath, kind: Kind) -> Result<(), BadPackage> {
        if self.entries.len() >= self.limits.entries {
            return Err(BadPackage::TooManyEntries { limit: self.limits.entries });
        }
        // Names are held in memory, so their sum must not wait for the manifest to be looked at.
        self.text_bytes += path.as_str().len();
        match &kind {
            Kind::File { size, .. } => self.count(*size)?,
            Kind::Link { target } => {
                check_target(&path, target)?;
                self.text_bytes += target.len();
            }
            Kind::Directory => {}
        }
        if self.text_bytes > self.limits.manifest_bytes {
            return Err(BadPackage::ManifestTooLong { limit: self.limits.manifest_bytes });
        }
        self.entries.push(Planned { path, kind });
        Ok(())
    }

    /// Takes the next entry of the archive, a second name for the file at `target`: it becomes a file of its own.
    pub(crate) fn add_copy(&mut self, path: EntryPath, target: &EntryPath) -> Result<(), BadPackage> {
        for (index, entry) in self.entries.iter().enumerate().skip(self.indexed) {
            if let Kind::File { .. } = entry.kind {
                self.files.insert(entry.path.clone(), index);
            }
        }
        self.indexed = self.entries.len();
        let Some(original) = self.files.get(target).copied() else {
            let (name, target) = (Shown::new(path.as_str()), Shown::new(target.as_str()));
            return Err(BadPackage::HardLink { name, target });
        };
        self.copies.push(Copy { entry: self.entries.len(), original });
        self.add(path, self.entries[original].kind.clone())
    }

    fn count(&mut self, size: u64) -> Result<(), BadPackage> {
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > self.limits.unpacked_bytes {
            return Err(BadPackage::TooLarge { limit: self.limits.unpacked_bytes });
        }
        if self.limits.is_bomb(self.archive, self.unpacked) {
            return Err(BadPackage::Bomb { ratio: self.limits.expansion_ratio });
        }
        Ok(())
    }

    /// Checks all entries together.
    pub(crate) fn finish(self) -> Result<Tree, BadPackage> {
        let mut paths: Vec<&str> = self.entries.iter().map(|entry| entry.path.as_str()).collect();
        paths.sort_unstable();
        if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BadPackage::Duplicate { name: Shown::new(pair[0]) });
        }
        let implied: Vec<bool> = (self.entries.iter())
            .map(|entry| entry.kind == Kind::Directory && has_content(&paths, entry.path.as_str()))
            .collect();
        let said = implied.iter().filter(|implied| !**implied).count();
        if said.saturating_add(count_folders(&paths)) > self.limits.entries {
            return Err(BadPackage::TooManyEntries { limit: self.limits.entries });
        }
        let digests = vec![Digest::from_bytes([0; 32]); self.entries.len()];
        let tree = Tree { entries: self.entries, copies: self.copies, implied, digests };
        // The digests are of one width, so the text is as long as it will be with the true ones.
        if tree.manifest()?.to_text().len() > self.limits.manifest_bytes {
            return Err(BadPackage::ManifestTooLong { limit: self.limits.manifest_bytes });
        }
        Ok(tree)
    }
}

/// A link's text goes into the manifest as it is, so it must be as harmless as a name; where it leads is a question
/// to the whole tree.
fn check_target(path: &EntryPath, target: &str) -> Result<(), BadPackage> {
    let name = || Shown::new(path.as_str());
    if target.len() > PATH_BYTES {
        return Err(BadPackage::TargetTooLong { name: name() });
    }
    if target.chars().any(char::is_control) {
        return Err(BadPackage::TargetText { name: name() });
    }
    Ok(())
}

/// The folders that sorted `paths` imply. Paths that share a folder are neighbours, so each folder is new once.
fn count_folders(paths: &[&str]) -> usize {
    let mut folders = 0;
    let mut previous = "";
    for path in paths {
        let common = path.bytes().zip(previous.bytes()).take_while(|(a, b)| a == b).count();
        folders += path.as_bytes()[common..].iter().filter(|byte| **byte == b'/').count();
        previous = path;
    }
    folders
}

/// Whether one of sorted `paths` lies below `folder`.
fn has_content(paths: &[&str], folder: &str) -> bool {
    let below = format!("{folder}/");
    let next = paths.partition_point(|path| *path < below.as_str());
    paths.get(next).is_some_and(|path| path.starts_with(&below))
}

/// A plan that is a well-formed tree and only lacks the digests of its files.
#[derive(Debug)]
pub(crate) struct Tree {
    entries: Vec<Planned>,
    copies: Vec<Copy>,
    implied: Vec<bool>,
    digests: Vec<Digest>,
}

impl Tree {
    /// The entry at a place in the archive's order, unless there are fewer.
    pub(crate) fn entry(&self, index: usize) -> Option<&Planned> {
        self.entries.get(index)
    }

    /// How many entries the archive has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Notes the digest of the file at a place in the archive's order.
    pub(crate) fn set_digest(&mut self, index: usize, digest: Digest) {
        self.digests[index] = digest;
    }

    pub(crate) fn into_manifest(mut self) -> Result<Manifest, BadPackage> {
        for copy in &self.copies {
            self.digests[copy.entry] = self.digests[copy.original];
        }
        Ok(self.manifest()?)
    }

    fn manifest(&self) -> Result<Manifest, BadTree> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (index, entry) in self.entries.iter().enumerate() {
            let kind = match &entry.kind {
                Kind::Directory if self.implied[index] => continue,
                Kind::Directory => EntryKind::Directory,
                Kind::File { executable, size } => {
                    EntryKind::File { executable: *executable, size: *size, digest: self.digests[index] }
                }
                Kind::Link { target } => EntryKind::Link { target: target.clone() },
            };
            entries.push(Entry { path: entry.path.clone(), kind });
        }
        Manifest::new(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_counted_once() {
        let cases: &[(&[&str], usize)] = &[
            (&["a"], 0),
            (&["a/b", "a/c", "d/e"], 2),
            (&["a-b/c", "a/b/c", "a/b/d", "a/bc/d"], 4),
            (&["a/b/c/d/e"], 4),
        ];
        for (paths, folders) in cases {
            assert!(paths.is_sorted());
            assert_eq!(count_folders(paths), *folders, "{paths:?}");
        }
    }

    #[test]
    fn a_folder_has_content_only_through_what_lies_below_it() {
        let paths = ["a", "a-b", "a-b/c", "ab/c", "b"];
        for (folder, expected) in [("a", false), ("a-b", true), ("ab", true), ("b", false), ("c", false)] {
            assert_eq!(has_content(&paths, folder), expected, "{folder}");
        }
    }
}
