//! A tree of files as a disk holds it, and the single steps that change it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// A file, folder or link, whatever its name is at the moment. 0 is the folder that is recorded.
pub(super) type Id = usize;

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(Vec<u8>),
    Folder(BTreeMap<OsString, Id>),
    Link(PathBuf),
}

/// A name in a folder.
pub(super) type Name = (Id, OsString);

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// There is a further node, empty and without a name.
    Made(Node),
    Put(Name, Id),
    Taken(Name),
    Moved(Name, Name),
    Data {
        file: Id,
        offset: usize,
        bytes: Vec<u8>,
    },
    Length(Id, usize),
    SyncedFile(Id),
    SyncedFolder(Id),
    SyncedAll,
    /// Done by somebody else, and durable at once.
    Durable(Vec<Step>),
    /// From here on so much was promised to somebody.
    Acknowledged(u64),
}

/// Nodes by their ids. Those without a name are nowhere.
#[derive(Debug, Clone)]
pub(super) struct World(Vec<Node>);

impl World {
    pub(super) fn new() -> Self {
        Self(vec![Node::Folder(BTreeMap::new())])
    }

    pub(super) fn next(&self) -> Id {
        self.0.len()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.0[id]
    }

    /// What is at a path below the root.
    pub(super) fn find(&self, path: &Path) -> Option<Id> {
        path.iter().try_fold(0, |folder, name| self.entries(folder)?.get(name).copied())
    }

    /// Where a path's last name stands.
    pub(super) fn name(&self, path: &Path) -> Option<Name> {
        Some((self.find(path.parent()?)?, path.file_name()?.to_owned()))
    }

    pub(super) fn entries(&self, folder: Id) -> Option<&BTreeMap<OsString, Id>> {
        match &self.0[folder] {
            Node::Folder(entries) => Some(entries),
            _ => None,
        }
    }

    pub(super) fn length(&self, file: Id) -> usize {
        match &self.0[file] {
            Node::File(bytes) => bytes.len(),
            _ => 0,
        }
    }

    fn names(&mut self, folder: Id) -> &mut BTreeMap<OsString, Id> {
        match &mut self.0[folder] {
            Node::Folder(entries) => entries,
            other => panic!("names are in folders, not in {other:?}"),
        }
    }

    pub(super) fn bytes(&mut self, file: Id) -> &mut Vec<u8> {
        match &mut self.0[file] {
            Node::File(bytes) => bytes,
            other => panic!("bytes are in files, not in {other:?}"),
        }
    }

    /// Does what a step says. A sync changes nothing that a running program sees.
    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Made(node) => self.0.push(node.clone()),
            Step::Put((folder, name), id) => drop(self.names(*folder).insert(name.clone(), *id)),
            Step::Taken((folder, name)) => drop(self.names(*folder).remove(name)),
            Step::Moved((from, old), (to, new)) => {
                if let Some(id) = self.names(*from).remove(old) {
                    self.names(*to).insert(new.clone(), id);
                }
            }
            Step::Data { file, offset, bytes } => {
                let held = self.bytes(*file);
                held.resize(held.len().max(offset + bytes.len()), 0);
                held[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Step::Length(file, length) => self.bytes(*file).resize(*length, 0),
            Step::Durable(steps) => steps.iter().for_each(|step| self.apply(step)),
            Step::SyncedFile(_) | Step::SyncedFolder(_) | Step::SyncedAll | Step::Acknowledged(_) => {}
        }
    }

    /// Puts the tree on a real disk.
    pub(super) fn write(&self, into: &Path) -> std::io::Result<()> {
        self.write_node(0, into)
    }

    fn write_node(&self, id: Id, path: &Path) -> std::io::Result<()> {
        match &self.0[id] {
            Node::File(bytes) => {
                fs::write(path, bytes)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            }
            Node::Link(target) => symlink(target, path),
            Node::Folder(entries) => {
                fs::create_dir(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
                entries.iter().try_for_each(|(name, id)| self.write_node(*id, &path.join(name)))
            }
        }
    }

    /// The same for two trees that look the same.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_node(0, &mut hasher);
        hasher.finish()
    }

    fn hash_node(&self, id: Id, hasher: &mut DefaultHasher) {
        match &self.0[id] {
            Node::File(bytes) => (0, bytes).hash(hasher),
            Node::Link(target) => (1, target).hash(hasher),
            Node::Folder(entries) => {
                (2, entries.len()).hash(hasher);
                for (name, id) in entries {
                    name.hash(hasher);
                    self.hash_node(*id, hasher);
                }
            }
        }
    }
}
