//! What was done below a folder, step by step, from what lay there before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::world::{Id, Name, Node, Step, World};
use crate::disk::change::{Change, FileChange};

/// The steps so far, and the tree as the running program sees it.
#[derive(Debug)]
pub(crate) struct Log {
    root: PathBuf,
    /// What lay there when recording began, all durable.
    before: World,
    live: World,
    pub(super) steps: Vec<Step>,
}

impl Log {
    pub(crate) fn new(root: &Path) -> Self {
        let mut log =
            Self { root: root.to_owned(), before: World::new(), live: World::new(), steps: Vec::new() };
        log.read(Path::new(""));
        log.before = log.live.clone();
        log.steps.clear();
        log
    }

    pub(super) fn before(&self) -> World {
        self.before.clone()
    }

    pub(crate) fn find(&self, path: &Path) -> Option<Id> {
        self.live.find(path)
    }

    pub(super) fn acknowledge(&mut self, number: u64) {
        self.steps.push(Step::Acknowledged(number));
    }

    pub(crate) fn file(&mut self, file: Id, change: &FileChange<'_>) {
        self.add(match change {
            FileChange::Data(offset, bytes) => {
                Step::Data { file, offset: usize_of(*offset), bytes: bytes.to_vec() }
            }
            FileChange::Length(length) => Step::Length(file, usize_of(*length)),
            FileChange::Synced => Step::SyncedFile(file),
        });
    }

    pub(crate) fn change(&mut self, change: &Change<'_>, inside: impl Fn(&Path) -> PathBuf) {
        match change {
            Change::Opened(path) => self.opened(&inside(path)),
            Change::Folder(path) => drop(self.make(&inside(path), Node::Folder(BTreeMap::new()))),
            Change::Link(target, path) => {
                self.make(&inside(path), Node::Link((*target).to_owned()));
            }
            Change::Renamed(from, to) => {
                let (from, to) = (self.name(&inside(from)), self.name(&inside(to)));
                self.add(Step::Moved(from, to));
            }
            Change::Removed(path) => self.taken(&inside(path)),
            Change::SyncedFile(path) => self.synced(&inside(path), Step::SyncedFile),
            Change::SyncedFolder(path) => self.synced(&inside(path), Step::SyncedFolder),
            Change::SyncedFileSystem(_) => self.add(Step::SyncedAll),
            Change::Other(path) => self.read(&inside(path)),
            Change::OtherDurably(path) => {
                let begin = self.steps.len();
                self.read(&inside(path));
                let steps = self.steps.split_off(begin);
                self.steps.push(Step::Durable(steps));
            }
        }
    }

    fn add(&mut self, step: Step) {
        self.live.apply(&step);
        self.steps.push(step);
    }

    fn name(&self, path: &Path) -> Name {
        self.live
            .name(path)
            .unwrap_or_else(|| panic!("nobody recorded who made the folder of {}", path.display()))
    }

    fn make(&mut self, path: &Path, node: Node) -> Id {
        let (name, id) = (self.name(path), self.live.next());
        self.add(Step::Made(node));
        self.add(Step::Put(name, id));
        id
    }

    fn synced(&mut self, path: &Path, step: fn(Id) -> Step) {
        if let Some(id) = self.find(path) {
            self.add(step(id));
        }
    }

    /// A file that was opened is there now, and is as long as it is.
    fn opened(&mut self, path: &Path) {
        let id = self.find(path).unwrap_or_else(|| self.make(path, Node::File(Vec::new())));
        let length = fs::metadata(self.root.join(path)).map_or(0, |found| usize_of(found.len()));
        if self.live.length(id) != length {
            self.add(Step::Length(id, length));
        }
    }

    /// Everything inside goes one by one.
    fn taken(&mut self, path: &Path) {
        let Some(id) = self.find(path) else { return };
        let inside: Vec<_> =
            self.live.entries(id).into_iter().flatten().map(|(name, _)| name.clone()).collect();
        for name in inside {
            self.taken(&path.join(name));
        }
        let name = self.name(path);
        self.add(Step::Taken(name));
    }

    /// Makes what is known of a path what really lies there.
    fn read(&mut self, path: &Path) {
        let real = self.root.join(path);
        let Ok(found) = fs::symlink_metadata(&real) else { return self.taken(path) };
        if found.is_dir() {
            let id = self.find(path).unwrap_or_else(|| self.make(path, Node::Folder(BTreeMap::new())));
            let names = |entry: std::io::Result<fs::DirEntry>| entry.expect("a readable folder").file_name();
            let there: Vec<_> = fs::read_dir(&real).expect("a readable folder").map(names).collect();
            let known = self.live.entries(id).expect("a folder").keys().cloned();
            let gone: Vec<_> = known.filter(|name| !there.contains(name)).collect();
            for name in gone.iter().chain(&there) {
                self.read(&path.join(name));
            }
        } else if found.is_symlink() {
            if self.find(path).is_none() {
                self.make(path, Node::Link(fs::read_link(&real).expect("a link")));
            }
        } else {
            let id = self.find(path).unwrap_or_else(|| self.make(path, Node::File(Vec::new())));
            let bytes = fs::read(&real).expect("a readable file");
            if !matches!(self.live.node(id), Node::File(known) if *known == bytes) {
                self.add(Step::Length(id, bytes.len()));
                self.add(Step::Data { file: id, offset: 0, bytes });
            }
        }
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("what a test writes fits into memory")
}
