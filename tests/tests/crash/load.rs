//! What operators do all the while: deployments for every tenant, uploads, releases, new tenants.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::operator::wait_until;
use crate::project::{self, TENANTS, archive, is_bad, version};
use crate::settings::Chances;
use crate::world::World;

/// Everything that was acknowledged, and what of it was seen.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// Deployments: their ids, with what `deployment logs` answered once they were over.
    pub deployments: BTreeMap<String, Option<serde_json::Value>>,
    /// Packages whose upload was answered, by number.
    pub packages: BTreeSet<u64>,
    /// Releases, by number.
    pub releases: BTreeSet<u64>,
    /// Tenants that were applied.
    pub tenants: BTreeSet<String>,
}

/// New tenants whose first deployments are waited for at once.
const GUESTS: usize = 2;

/// What the threads of a run share.
#[derive(Default)]
pub struct Load {
    acknowledged: Mutex<Acknowledged>,
    /// Deployments that are not over, as of the last look, and how many looks there were.
    open: Mutex<(BTreeSet<String>, u64)>,
    /// Set when no new work is to be given.
    pub enough: AtomicBool,
    /// Set when nobody looks any more.
    pub over: AtomicBool,
    pub made: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    pub fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        lock(&self.acknowledged)
    }

    fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    /// Looks at the open deployments until the run is over.
    pub fn look(&self, world: &World) {
        while !self.over.load(Ordering::Relaxed) {
            let listed = world.operator.ask(&["deployment", "list", "--state", "open", "--limit", "200"]);
            if let Some(items) = listed.as_ref().and_then(|page| page["items"].as_array()) {
                let ids = items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect();
                let mut open = lock(&self.open);
                *open = (ids, open.1 + 1);
            }
            std::thread::sleep(Duration::from_millis(400));
        }
    }

    /// Waits until none of these is open, as of a look that began after this was called.
    fn wait_for(&self, ids: &[String]) {
        let looks = lock(&self.open).1;
        wait_until(&format!("the end of {}", ids.join(", ")), || {
            let open = lock(&self.open);
            open.1 > looks + 1 && ids.iter().all(|id| !open.0.contains(id))
        });
    }

    /// Asks for a deployment once; its id if that was acknowledged.
    fn deploy(&self, world: &World, tenant: &str, number: u64) -> Option<String> {
        let arguments = ["release", "deploy", "--project", "Shop", "--environment", "Production"];
        let version = version(number);
        let rest = ["--version", version.as_str(), "--tenant", tenant];
        let answer = world.operator.ask(&[&arguments[..], &rest].concat())?;
        let id = answer["deployments"][0]["id"].as_str().expect("a deployment has an id").to_owned();
        self.acknowledged().deployments.insert(id.clone(), None);
        self.made.fetch_add(1, Ordering::Relaxed);
        Some(id)
    }

    /// Deploys a version until it is acknowledged.
    pub fn insist(&self, world: &World, tenant: &str, number: u64) -> String {
        let mut made = None;
        wait_until("a deployment that is acknowledged", || {
            made = self.deploy(world, tenant, number);
            made.is_some()
        });
        made.expect("waited for")
    }

    /// Waits for deployments and keeps what they printed, which the coordinator has acknowledged to the agents.
    pub fn finish(&self, world: &World, ids: &[String]) {
        self.wait_for(ids);
        for id in ids {
            let printed = world.operator.read(&["deployment", "logs", id]);
            self.acknowledged().deployments.insert(id.clone(), Some(printed));
        }
    }

    /// Deploys to one tenant, again and again: mostly one after the other, sometimes two in a row, sometimes to
    /// cancel one in the middle.
    pub fn deploy_all_the_time(&self, world: &World, tenant: &str, mut chances: Chances) {
        while !self.is_enough() {
            let releases: Vec<u64> = self.acknowledged().releases.iter().copied().collect();
            let mut ids = Vec::new();
            for _ in 0..=u64::from(chances.below(4) == 0) {
                ids.extend(self.deploy(world, tenant, *chances.one_of(&releases)));
            }
            if let (Some(id), 0) = (ids.last(), chances.below(8)) {
                std::thread::sleep(chances.time(Duration::from_secs(2)));
                // It may be over, or the coordinator down: both are fine.
                let _ = world.operator.try_once(&["deployment", "cancel", id]);
            }
            self.finish(world, &ids);
        }
    }

    /// Uploads a version and makes a release of it, both until they are acknowledged.
    pub fn publish(&self, world: &World, number: u64) {
        let path = archive(number, &world.counts(), &world.folder.join("uploads"));
        world.operator.insist(&["package", "upload", &path.to_string_lossy()], None);
        self.acknowledged().packages.insert(number);
        let version = version(number);
        let create = ["release", "create", "--project", "Shop", "--version", version.as_str()];
        let package = format!("Web:{version}");
        world.operator.insist(&[&create[..], &["--package", &package]].concat(), Some("already"));
        self.acknowledged().releases.insert(number);
    }

    /// Publishes one version after the other.
    pub fn publish_all_the_time(&self, world: &World, before: u64, mut chances: Chances) {
        for number in before + 1.. {
            if self.is_enough() {
                return;
            }
            self.publish(world, number);
            std::thread::sleep(chances.time(Duration::from_secs(2)));
        }
    }

    /// Admits one tenant after the other, each of which gets a release that fails and then one that does not.
    pub fn admit_all_the_time(&self, world: &World, mut chances: Chances) {
        let hosting = ["Shared", "Dedicated", "Twice"];
        let mut waiting: VecDeque<[String; 2]> = VecDeque::new();
        for guest in 1.. {
            if self.is_enough() {
                break;
            }
            let (bad, good): (Vec<u64>, Vec<u64>) =
                self.acknowledged().releases.iter().partition(|number| is_bad(**number));
            let name = format!("Guest {guest}");
            let tags = format!("[Hosting/{}]", chances.one_of(&hosting));
            world.operator.apply(&world.folder, "guest", &project::tenant(&name, &tags));
            self.acknowledged().tenants.insert(name.clone());
            waiting.push_back([&bad, &good].map(|kind| self.insist(world, &name, *chances.one_of(kind))));
            if waiting.len() > GUESTS
                && let Some(first) = waiting.pop_front()
            {
                self.finish(world, &first);
            }
        }
        waiting.iter().for_each(|ids| self.finish(world, ids));
    }

    /// The tenants that there are.
    pub fn tenants(&self) -> Vec<String> {
        let first = TENANTS.iter().map(|(name, _)| (*name).to_owned());
        first.chain(self.acknowledged().tenants.iter().cloned()).collect()
    }
}
