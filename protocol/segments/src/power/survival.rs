//! What a disk may hold after the power went: everything that was synced, and of the rest anything.

use super::world::{Id, Name, Step, World};

/// What a disk writes at once, or not at all.
const SECTOR: usize = 512;

/// Which of the things that were not synced reached the disk, in the order in which they were done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    None,
    All,
    /// The first so many: what a write that was torn leaves.
    First(usize),
    /// All but the first so many: the disk wrote in another order.
    From(usize),
    /// Any, by a seed.
    Random(u64),
}

/// What became of names and of data. With `extended` a file got its new length though not its new bytes, and zeros
/// stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survival {
    pub(super) names: Fate,
    pub(super) data: Fate,
    pub(super) extended: bool,
}

impl Fate {
    fn keeps(self, number: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::First(count) => number < count,
            Self::From(count) => number >= count,
            Self::Random(seed) => scatter(seed ^ (number as u64 + 1)) & 1 == 0,
        }
    }
}

/// A number that looks like chance.
pub(super) fn scatter(seed: u64) -> u64 {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// What is durable, and what is not yet.
pub(super) struct Disk {
    pub(super) durable: World,
    pub(super) pending: Vec<Step>,
}

impl Disk {
    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Made(_) | Step::Durable(_) => self.durable.apply(step),
            Step::SyncedAll => self.settle(|_| true),
            Step::SyncedFile(id) => self.settle(|step| concerns_file(step, *id)),
            Step::SyncedFolder(id) => {
                self.settle(|step| concerns_folder(step, *id));
            }
            Step::Acknowledged(_) => {}
            other => self.pending.push(other.clone()),
        }
    }

    /// Makes those of the pending steps durable that a sync is about.
    fn settle(&mut self, synced: impl Fn(&Step) -> bool) {
        let (settled, mut pending): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(synced);
        for step in settled {
            self.durable.apply(&step);
            if let Step::Moved(from, to) = &step {
                // A name that is known to be gone is not made any more. What it stood for was not durable: it is now.
                if let Some(place) = pending.iter().position(|other| puts(other, from)) {
                    let Step::Put(_, id) = pending.remove(place) else { continue };
                    self.durable.apply(&Step::Put(to.clone(), id));
                }
            }
        }
        self.pending = pending;
    }

    /// How many names and how many sectors are pending.
    pub(super) fn count(&self) -> (usize, usize) {
        let data = self.pending.iter().map(pieces).sum();
        (self.pending.iter().filter(|step| pieces(step) == 0).count(), data)
    }

    /// The tree that a program finds afterwards.
    pub(super) fn after(&self, survival: Survival) -> World {
        let mut world = self.durable.clone();
        let (mut names, mut data) = (0, 0);
        for step in &self.pending {
            match step {
                Step::Data { file, offset, bytes } => {
                    for (from, to) in sectors(*offset, bytes.len()) {
                        if survival.data.keeps(data) {
                            let bytes = bytes[from - offset..to - offset].to_vec();
                            world.apply(&Step::Data { file: *file, offset: from, bytes });
                        } else if survival.extended {
                            let length = world.length(*file).max(to);
                            world.apply(&Step::Length(*file, length));
                        }
                        data += 1;
                    }
                }
                Step::Length(..) => {
                    if survival.data.keeps(data) {
                        world.apply(step);
                    }
                    data += 1;
                }
                step => {
                    if survival.names.keeps(names) {
                        world.apply(step);
                    }
                    names += 1;
                }
            }
        }
        world
    }
}

fn concerns_file(step: &Step, id: Id) -> bool {
    match step {
        Step::Data { file, .. } | Step::Length(file, _) => *file == id,
        _ => false,
    }
}

/// A name that was moved is durable with the folder that it went to.
fn concerns_folder(step: &Step, id: Id) -> bool {
    match step {
        Step::Put((folder, _), _) | Step::Taken((folder, _)) | Step::Moved(_, (folder, _)) => *folder == id,
        _ => false,
    }
}

fn puts(step: &Step, name: &Name) -> bool {
    matches!(step, Step::Put(put, _) if put == name)
}

/// How many parts of a step survive by themselves; none of what is about names.
fn pieces(step: &Step) -> usize {
    match step {
        Step::Data { offset, bytes, .. } => sectors(*offset, bytes.len()).count(),
        Step::Length(..) => 1,
        _ => 0,
    }
}

/// The parts of a write that lie in one sector each, as places in the file.
fn sectors(offset: usize, length: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = offset + length;
    let first = offset / SECTOR * SECTOR;
    (first..end).step_by(SECTOR).map(move |sector| (sector.max(offset), (sector + SECTOR).min(end)))
}
