//! Who kills whom: each point in turn, and then anybody at any time.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::operator::PATIENCE;
use crate::points::{POINTS, Point, Reached, Victim};
use crate::settings::Chances;
use crate::world::World;

/// Kills by what was killed, and where.
#[derive(Debug, Default)]
pub struct Kills(Mutex<BTreeMap<String, u64>>);

impl Kills {
    fn count(&self, what: &str) {
        *self.0.lock().expect("nobody panics in here").entry(what.to_owned()).or_default() += 1;
    }

    /// How often this was.
    pub fn of(&self, what: &str) -> u64 {
        self.0.lock().expect("nobody panics in here").get(what).copied().unwrap_or_default()
    }

    pub fn total(&self) -> u64 {
        self.0.lock().expect("nobody panics in here").values().sum()
    }

    /// The table, one line each.
    pub fn print(&self, expected: &[String]) {
        println!("kills:");
        for what in expected {
            println!("  {:<40} {:>4}", what, self.of(what));
        }
        println!("  {:<40} {:>4}", "all", self.total());
    }
}

/// What random kills are counted as.
pub fn at_random(victim: Victim) -> String {
    format!("{victim:?} at a random moment").to_lowercase()
}

/// The points that this run can reach.
pub fn points(world: &World) -> impl Iterator<Item = &'static Point> {
    let root = world.root;
    POINTS.iter().filter(move |point| root || !point.with_accounts)
}

/// Points that are armed together: what brings a program there is not the same for all of them.
const AT_ONCE: usize = 4;

/// Counting a passing takes a moment; after so long, whoever did it is dead.
const ABANDONED: Duration = Duration::from_secs(5);

struct Armed {
    point: &'static Point,
    since: Instant,
    /// Since when somebody has been counting a passing.
    taken: Option<Instant>,
}

/// Arms one victim's points until each had its kill.
pub fn kill_at_points(world: &World, victim: Victim, kills: &Kills, mut chances: Chances) {
    let mut waiting: VecDeque<_> = points(world).filter(|point| point.victim == victim).collect();
    for index in (1..waiting.len()).rev() {
        let other = usize::try_from(chances.below(index as u64 + 1)).expect("an index");
        waiting.swap(index, other);
    }
    let mut armed: Vec<Armed> = Vec::new();
    while !waiting.is_empty() || !armed.is_empty() {
        while armed.len() < AT_ONCE
            && let Some(point) = waiting.pop_front()
        {
            let passings = if victim == Victim::Supervisor { 8 } else { 3 };
            arm(world, point, chances.below(passings) + 1, kills);
            armed.push(Armed { point, since: Instant::now(), taken: None });
        }
        armed.retain_mut(|armed| !has_killed(world, armed, kills));
        let refusals = refusals(world);
        assert!(refusals.is_empty(), "{refusals:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn file(world: &World, point: &Point, ending: &str) -> PathBuf {
    let folder = if point.victim == Victim::Coordinator { "arm-coordinator" } else { "arm-agents" };
    world.folder.join(folder).join(format!("{}{ending}", point.name))
}

fn arm(world: &World, point: &Point, count: u64, kills: &Kills) {
    let count = if point.reached == Reached::Working { count } else { 1 };
    let partial = world.folder.join(format!("{}.arming", point.name));
    fs::write(&partial, count.to_string()).expect("a file");
    if point.reached == Reached::StartingTorn {
        world.tear_next_time();
    }
    fs::rename(&partial, file(world, point, "")).expect("the same file system");
    if point.reached != Reached::Working && world.coordinator.kill() {
        kills.count(&at_random(Victim::Coordinator));
    }
}

fn has_killed(world: &World, armed: &mut Armed, kills: &Kills) -> bool {
    let point = armed.point;
    if fs::remove_file(file(world, point, ".killed")).is_ok() {
        kills.count(point.name);
        return true;
    }
    // Who was about to count a passing died somewhere else meanwhile.
    let taken = file(world, point, ".taken");
    armed.taken = taken.exists().then(|| armed.taken.unwrap_or_else(Instant::now));
    if armed.taken.is_some_and(|since| since.elapsed() > ABANDONED) && fs::remove_file(taken).is_ok() {
        arm(world, point, 1, kills);
    }
    assert!(armed.since.elapsed() < PATIENCE, "nothing reached the point {} in {PATIENCE:?}", point.name);
    false
}

/// Kills anybody at any time, until that is enough.
pub fn kill_at_random(world: &World, kills: &Kills, mut chances: Chances, enough: impl Fn() -> bool) {
    let started = Instant::now();
    while !enough() {
        std::thread::sleep(Duration::from_millis(400) + chances.time(Duration::from_millis(2500)));
        let victim =
            *chances.one_of(&[Victim::Coordinator, Victim::Agent, Victim::Agent, Victim::Supervisor]);
        let killed = match victim {
            Victim::Coordinator => world.coordinator.kill(),
            Victim::Agent => chances.one_of(&world.machines).agent.kill(),
            Victim::Supervisor => {
                let living = world.supervisors();
                !living.is_empty() && {
                    let id = chances.one_of(&living).to_string();
                    Command::new("kill")
                        .args(["-9", &id])
                        .output()
                        .is_ok_and(|output| output.status.success())
                }
            }
        };
        if killed {
            kills.count(&at_random(victim));
        }
        let refusals = refusals(world);
        assert!(refusals.is_empty(), "{refusals:?}");
        assert!(started.elapsed() < Duration::from_secs(24 * 3600), "random kills come to an end");
    }
}

/// Programs that ended without having been killed.
pub fn refusals(world: &World) -> Vec<String> {
    let daemons = world.machines.iter().map(|machine| &machine.agent).chain([&world.coordinator]);
    daemons.flat_map(|daemon| daemon.refusals()).collect()
}
