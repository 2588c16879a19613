//! A package's tree, copied out of the cache.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use nix::unistd::{Gid, Uid, syncfs};
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_protocol::manifest::{EntryKind, Manifest};
use windlass_segments::disk::{self, Change};
use windlass_segments::fail;

use super::remove_folder;
use super::tree::Tree;
use crate::{Cache, CacheError, files, room};

/// How a package is unpacked.
#[derive(Clone, Copy, Default)]
pub struct Unpack<'a> {
    /// User and group that are to own the tree; otherwise it stays this process's own.
    pub owner: Option<(u32, u32)>,
    /// Bytes that are to stay free on the file system.
    pub reserve: u64,
    /// What some files are to hold in place of what the package has.
    pub rewrite: Option<&'a dyn Rewrite>,
}

/// Changes what some files of a release hold, before anybody else can reach them. Both errors are a sentence.
pub trait Rewrite {
    /// Whether the file at this path, of this many bytes, is to be changed.
    fn concerns(&self, path: &str, bytes: u64) -> Result<bool, String>;

    /// What the file is to hold, from what the package has.
    fn rewrite(&self, path: &str, content: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// What unpacking wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of all files.
    pub bytes: u64,
    /// How many files share their blocks with the cache.
    pub shared: u64,
}

impl Cache {
    /// Writes the tree of a complete package into the folder `into`, which must not exist and whose parent must.
    ///
    /// Files are copies of their own (reflinked where the file system can), owner-only, each hashed again; links are
    /// made last. When all that is to be written is, the tree is given to its owner, the root last: from then on nothing
    /// is opened in it, and when this returns, all is durable. The caller then gives the folder its final name with
    /// [`publish`](crate::publish). After an error nothing is left of it.
    pub fn unpack(&self, manifest: Digest, into: &Path, how: &Unpack<'_>) -> Result<Unpacked, CacheError> {
        let tree = self.manifest(manifest)?.ok_or(CacheError::Incomplete { manifest })?;
        if !self.has_contents(&tree)? {
            return Err(CacheError::Incomplete { manifest });
        }
        let parent = match into.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        room::check(parent, tree.size(), how.reserve)?;
        let owner = how.owner.map(|(user, group)| (Uid::from_raw(user), Gid::from_raw(group)));
        let failed = |error| CacheError::system("create", into)(error);
        let folder = Tree::create(into, owner).map_err(failed)?;
        let mut unpacking = Unpacking::new(self, into, folder, how.rewrite);
        match unpacking.write(&tree) {
            Ok(()) => {
                // The tree is whole; a record that could not be written only lets the package go earlier.
                let _ = self.touch(manifest);
                Ok(unpacking.unpacked)
            }
            Err(error) => {
                // The first error is the one to tell; a rest is found by whoever removes old releases.
                let _ = remove_folder(into);
                Err(error)
            }
        }
    }
}

struct Unpacking<'a> {
    cache: &'a Cache,
    into: &'a Path,
    tree: Tree,
    rewrite: Option<&'a dyn Rewrite>,
    unpacked: Unpacked,
    /// Whether sharing blocks is worth a try: not after it failed once.
    share: bool,
    buffer: Vec<u8>,
}

impl<'a> Unpacking<'a> {
    fn new(cache: &'a Cache, into: &'a Path, tree: Tree, rewrite: Option<&'a dyn Rewrite>) -> Self {
        let buffer = vec![0; files::COPY_BYTES];
        Self { cache, into, tree, rewrite, unpacked: Unpacked::default(), share: true, buffer }
    }

    fn write(&mut self, manifest: &Manifest) -> Result<(), CacheError> {
        for entry in manifest.entries() {
            let path = self.into.join(entry.path.as_str());
            match &entry.kind {
                EntryKind::Directory => {
                    self.tree.folder(&entry.path).map_err(CacheError::system("create", &path))?;
                }
                EntryKind::File { executable, size, digest } => {
                    let mut file =
                        self.tree.file(&entry.path, *executable).map_err(CacheError::io("create", &path))?;
                    match self.rewritten(entry.path.as_str(), *digest, *size)? {
                        Some(content) => {
                            file.write_all(&content).map_err(CacheError::io("write", &path))?;
                            self.unpacked.bytes += content.len() as u64;
                        }
                        None => self.fill(&mut file, &path, *digest, *size)?,
                    }
                    self.tree.give(&file).map_err(CacheError::system("give away", &path))?;
                }
                EntryKind::Link { .. } => {}
            }
        }
        self.links(manifest)?;
        fail::point("unpack-before-sync");
        disk::done_elsewhere(Change::Other(self.into));
        // By descriptor, as everything in the tree.
        syncfs(self.tree.root()).map_err(CacheError::system("sync", self.into))?;
        disk::done_elsewhere(Change::SyncedFileSystem(self.into));
        fail::point("unpack-after-sync");
        Ok(())
    }

    /// The links, and only then the owners of folders, the deepest first: nothing is written through, or reached through,
    /// what is not ours any more.
    fn links(&mut self, manifest: &Manifest) -> Result<(), CacheError> {
        let mut folders = BTreeSet::new();
        for entry in manifest.entries() {
            folders.extend(entry.path.ancestors());
            match &entry.kind {
                EntryKind::Link { target } => {
                    let path = self.into.join(entry.path.as_str());
                    self.tree.link(&entry.path, target).map_err(CacheError::system("create", &path))?;
                }
                EntryKind::Directory => drop(folders.insert(entry.path.as_str())),
                EntryKind::File { .. } => {}
            }
        }
        for folder in folders.into_iter().rev() {
            let path = self.into.join(folder);
            self.tree.give_folder(folder).map_err(CacheError::system("give away", &path))?;
        }
        self.tree.give_root().map_err(CacheError::system("give away", self.into))
    }

    /// What a file is to hold, where that is not what the package has.
    fn rewritten(&self, path: &str, content: Digest, size: u64) -> Result<Option<Vec<u8>>, CacheError> {
        let Some(rewrite) = self.rewrite else { return Ok(None) };
        if !rewrite.concerns(path, size).map_err(CacheError::Unsuited)? {
            return Ok(None);
        }
        let content = self.cache.content(content, size)?;
        rewrite.rewrite(path, content).map(Some).map_err(CacheError::Unsuited)
    }

    /// Copies a content into its file, and checks what the file then holds.
    fn fill(&mut self, file: &mut File, path: &Path, content: Digest, size: u64) -> Result<(), CacheError> {
        let blob = self.cache.layout().blob(content);
        let source = files::open(&blob)?.ok_or(CacheError::Damaged { digest: content })?;
        let (found, bytes) = if self.share && size > 0 && rustix::fs::ioctl_ficlone(&*file, &source).is_ok() {
            self.unpacked.shared += 1;
            let mut hasher = Hasher::new();
            let bytes = file.rewind().and_then(|()| files::hash(file, u64::MAX, &mut hasher));
            (hasher.finish(), bytes.map_err(CacheError::io("read", path))?)
        } else {
            self.share &= size == 0;
            self.copy(source, &blob, file, path)?
        };
        if found != content || bytes != size {
            // Whoever needs it pulls it again; nobody is to deploy it.
            files::remove(&blob)?;
            return Err(CacheError::Damaged { digest: content });
        }
        self.unpacked.bytes += size;
        Ok(())
    }

    fn copy(
        &mut self,
        mut source: File,
        blob: &Path,
        file: &mut File,
        path: &Path,
    ) -> Result<(Digest, u64), CacheError> {
        let mut hasher = Hasher::new();
        let mut copied = 0;
        loop {
            match source.read(&mut self.buffer) {
                Ok(0) => return Ok((hasher.finish(), copied)),
                Ok(count) => {
                    let bytes = &self.buffer[..count];
                    hasher.update(bytes);
                    file.write_all(bytes).map_err(CacheError::io("write", path))?;
                    copied += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CacheError::io("read", blob)(error)),
            }
        }
    }
}
