//! Losses of power, for tests: what a program does to the disk is recorded, then cut at every point.
//!
//! A kill leaves what the kernel holds; a loss of power takes that too. Of what was written and not synced any sector
//! may have reached the disk or not, in any order; of the names that were made, changed and removed any may have. What
//! was synced is there. A sync that is named is believed, and nothing else: that many a file system makes more durable
//! than it was asked for helps no program here.
//!
//! Only in a build with the feature `fail-points`.

mod log;
mod recorder;
mod survival;
mod world;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use recorder::{Recorder, recorder_of};
use survival::{Disk, Fate, Survival, scatter};
use world::{Node, Step, World};

/// For how many seconds random losses are tried after those that are tried always.
const SECONDS: &str = "WINDLASS_POWER_SECONDS";
/// The first of the random ones.
const SEED: &str = "WINDLASS_TEST_SEED";
/// At most so many lengths of a torn write are tried at each point, spread over it.
const TEARS: usize = 12;

/// Records what is done below a folder, until it is finished.
#[derive(Debug)]
pub struct Recording(Arc<Recorder>);

impl Recording {
    /// Begins. What lies below `root` counts as durable. Files that are open already are not seen.
    pub fn start(root: &Path) -> Self {
        Self(recorder::record(root))
    }

    /// Notes that somebody was told: from here on what `number` stands for has to survive.
    pub fn acknowledge(&self, number: u64) {
        self.0.log().acknowledge(number);
    }

    /// Ends.
    pub fn finish(self) -> Recorded {
        recorder::forget(&self.0);
        let mut log = self.0.log();
        Recorded { before: log.before(), steps: std::mem::take(&mut log.steps) }
    }
}

/// A real sequence of changes and syncs.
#[derive(Debug)]
pub struct Recorded {
    before: World,
    steps: Vec<Step>,
}

/// A disk after a loss of power.
#[derive(Debug)]
pub struct Loss<'a> {
    /// What the recorded folder holds now.
    pub folder: &'a Path,
    /// What was acknowledged last before the cut; 0 if nothing was.
    pub acknowledged: u64,
    /// Which loss it is, for messages.
    pub name: &'a str,
}

impl Recorded {
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Cuts after every step, with what was not synced lost, kept, torn and out of order, and has `check` look at each
    /// disk that comes of it; then at random ones for some seconds. Returns how many disks there were.
    pub fn cut(&self, mut check: impl FnMut(&Loss<'_>)) -> usize {
        let mut disks = self.cut_usual(&mut check);
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let end = Instant::now() + Duration::from_secs(number(SECONDS).unwrap_or(2));
        let mut seed = number(SEED).unwrap_or(1);
        while Instant::now() < end {
            let point = scatter(seed) as usize % (self.steps.len() + 1);
            let (disk, acknowledged) = self.until(point);
            let (names, data) = (Fate::Random(scatter(seed + 1)), Fate::Random(scatter(seed + 2)));
            let survival = Survival { names, data, extended: seed % 3 > 0 };
            look(&disk.after(survival), acknowledged, point, survival, &mut check);
            disks += 1;
            seed += 3;
        }
        disks
    }

    /// The same without the random ones.
    pub fn cut_usual(&self, mut check: impl FnMut(&Loss<'_>)) -> usize {
        let mut disks = 0;
        for point in 0..=self.steps.len() {
            let (disk, acknowledged) = self.until(point);
            let mut seen = BTreeSet::new();
            for survival in usual(disk.count()) {
                let world = disk.after(survival);
                if seen.insert(world.print()) {
                    disks += 1;
                    look(&world, acknowledged, point, survival, &mut check);
                }
            }
        }
        disks
    }

    /// The files that were removed, each with its name and with what the disk was certain to hold of it: of one that has
    /// no name any more nobody writes what is still to be written.
    pub fn removed(&self) -> Vec<(OsString, Vec<u8>)> {
        let (mut disk, mut removed) =
            (Disk { durable: self.before.clone(), pending: Vec::new() }, Vec::new());
        for step in &self.steps {
            if let Step::Taken((folder, name)) = step
                && let Some(id) = disk.durable.entries(*folder).and_then(|entries| entries.get(name))
                && let Node::File(bytes) = disk.durable.node(*id)
            {
                removed.push((name.clone(), bytes.clone()));
            }
            disk.step(step);
        }
        removed
    }

    fn until(&self, point: usize) -> (Disk, u64) {
        let mut disk = Disk { durable: self.before.clone(), pending: Vec::new() };
        let mut acknowledged = 0;
        for step in &self.steps[..point] {
            disk.step(step);
            if let Step::Acknowledged(number) = step {
                acknowledged = *number;
            }
        }
        (disk, acknowledged)
    }
}

/// The losses that are tried at each point, of so many names and sectors.
fn usual((names, data): (usize, usize)) -> Vec<Survival> {
    let survival = |names, data, extended| Survival { names, data, extended };
    let mut usual = vec![
        survival(Fate::None, Fate::None, false),
        survival(Fate::All, Fate::All, false),
        survival(Fate::All, Fate::None, false),
        survival(Fate::All, Fate::None, true),
        survival(Fate::None, Fate::All, false),
    ];
    for count in (1..data).step_by(data.div_ceil(TEARS).max(1)) {
        usual.push(survival(Fate::All, Fate::First(count), false));
        usual.push(survival(Fate::All, Fate::First(count), true));
        usual.push(survival(Fate::All, Fate::From(count), true));
    }
    for count in (1..names).step_by(names.div_ceil(TEARS).max(1)) {
        usual.push(survival(Fate::First(count), Fate::All, false));
        usual.push(survival(Fate::From(count), Fate::All, false));
    }
    usual
}

fn look(
    world: &World,
    acknowledged: u64,
    point: usize,
    survival: Survival,
    check: &mut impl FnMut(&Loss<'_>),
) {
    let place = Place::new();
    let name = format!("cut after step {point}, {survival:?}");
    world.write(&place.0).expect("the disk of a test takes it");
    let _told = Told(&name);
    check(&Loss { folder: &place.0, acknowledged, name: &name });
}

/// Says which loss it was if the check panics, whatever the check itself says.
struct Told<'a>(&'a str);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// A folder in memory if there is such a thing: thousands of disks are made, and each is synced.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(above.join(format!("windlass-power-{}-{number}", std::process::id())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
