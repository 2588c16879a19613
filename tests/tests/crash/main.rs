//! Killing the coordinator, the agents and the supervisors of steps, before and after every durable step and at any
//! other moment, while deployments, uploads and new tenants go on. Whatever was acknowledged is there afterwards, no
//! step ran twice, no release is half activated, and everything comes to its end by itself.
//!
//! `tests/README.md` says how to run it for longer, and how to run the same choices again.

#![allow(
    clippy::print_stdout,
    reason = "the seed and the table of kills are for who reads the test's output"
)]

mod campaign;
mod checks;
mod daemon;
mod deletion;
mod installation;
mod installed;
mod load;
mod operator;
mod points;
mod project;
mod record;
mod settings;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use campaign::{Kills, at_random, kill_at_points, kill_at_random, points};
use load::Load;
use operator::wait_until;
use points::Victim;
use settings::{Chances, Settings};
use world::World;

/// Deployments of a run at least.
const DEPLOYMENTS: u64 = 100;
/// Kills at random moments of a run at least, of each kind of program.
const RANDOM_KILLS: u64 = 4;
/// Versions that are there before anything is deployed.
const VERSIONS: u64 = 6;
const VICTIMS: [Victim; 3] = [Victim::Coordinator, Victim::Agent, Victim::Supervisor];

#[test]
fn nothing_is_lost_or_done_twice_whoever_is_killed() {
    let settings = Settings::read();
    println!("WINDLASS_TEST_SEED={}", settings.seed);
    let started = Instant::now();
    let world = World::make();
    let (load, kills) = (Load::default(), Kills::default());
    (1..=VERSIONS).for_each(|number| load.publish(&world, number));
    println!("{:?}: the installation stands", started.elapsed());
    let looks = run(&world, &load, &kills, settings, started);
    println!(
        "{:?}: killed {} times, looked at current releases {looks} times",
        started.elapsed(),
        kills.total()
    );

    let table: Vec<String> =
        points(&world).map(|point| point.name.to_owned()).chain(VICTIMS.map(at_random)).collect();
    kills.print(&table);
    let never: Vec<_> = table.iter().filter(|what| kills.of(what) == 0).collect();
    assert!(never.is_empty(), "nobody was killed at {never:?}");
    every_point_that_was_passed_is_in_the_table(&world);

    checks::nothing_is_left_over(&world);
    checks::nothing_acknowledged_is_lost(&world, &load);
    let ends = checks::every_step_ran_as_told(&world);
    println!("deployments: {ends:?}");
    assert!(ends.values().sum::<u64>() >= DEPLOYMENTS);
    checks::the_journal_verifies(&world);
    checks::snapshots_change_nothing(&world);
    checks::the_journal_verifies(&world);
    let refusals = campaign::refusals(&world);
    assert!(refusals.is_empty(), "{refusals:?}");
    println!("{:?}: everything holds", started.elapsed());
}

/// Everything at once: those who work, those who kill, those who look. Then nobody kills any more, all comes to its
/// end, and every tenant gets one more release. Returns how often was looked.
fn run(world: &World, load: &Load, kills: &Kills, settings: Settings, started: Instant) -> u64 {
    let chances = |thread: &str| Chances::of(settings.seed, thread);
    let over = Over(load);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| installed::watch(world, load));
        scope.spawn(|| load.look(world));
        let mut workers: Vec<_> = project::TENANTS
            .iter()
            .map(|(tenant, _)| scope.spawn(|| load.deploy_all_the_time(world, tenant, chances(tenant))))
            .collect();
        workers.push(scope.spawn(|| load.publish_all_the_time(world, VERSIONS, chances("publish"))));
        workers.push(scope.spawn(|| load.admit_all_the_time(world, chances("admit"))));
        // Whatever fails below, the others are told that it is over.
        let over = over;
        let killers = VICTIMS.map(|victim| {
            let own = chances(&format!("{victim:?}"));
            scope.spawn(move || kill_at_points(world, victim, kills, own))
        });
        join_all(killers);
        println!(
            "{:?}: every point had its kill, {} deployments",
            started.elapsed(),
            load.made.load(Ordering::Relaxed)
        );
        let random = Instant::now();
        kill_at_random(world, kills, chances("anybody"), || {
            VICTIMS.iter().all(|victim| kills.of(&at_random(*victim)) >= RANDOM_KILLS)
                && load.made.load(Ordering::Relaxed) >= DEPLOYMENTS
                && random.elapsed() >= settings.seconds
        });
        load.enough.store(true, Ordering::Relaxed);
        join_all(workers);
        println!("{:?}: no more kills, {} deployments", started.elapsed(), load.made.load(Ordering::Relaxed));
        everybody_gets_one_more(world, load);
        drop(over);
        join_all([watcher]).into_iter().sum()
    })
}

/// Tells the others that it is over, also when the test fails.
struct Over<'a>(&'a Load);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::Relaxed);
        self.0.over.store(true, Ordering::Relaxed);
    }
}

fn join_all<'scope, T>(threads: impl IntoIterator<Item = thread::ScopedJoinHandle<'scope, T>>) -> Vec<T> {
    let joined =
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
    joined.collect()
}

/// A release that every cache has reaches everybody, and is what is current everywhere then.
fn everybody_gets_one_more(world: &World, load: &Load) {
    let tenants = load.tenants();
    let deployments: Vec<_> = tenants.iter().map(|tenant| load.insist(world, tenant, 1)).collect();
    load.finish(world, &deployments);
    for (tenant, deployment) in tenants.iter().zip(&deployments) {
        let view = world.operator.read(&["deployment", "view", deployment]);
        assert_eq!(view["state"], "succeeded", "{view}");
        assert_eq!(installed::current(world, tenant), BTreeSet::from([1]), "{tenant}");
    }
    // Now every machine has it, whatever was interrupted: nothing travels any more.
    let again = project::TENANTS.map(|(tenant, _)| load.insist(world, tenant, 1));
    load.finish(world, &again);
    for deployment in &again {
        let view = world.operator.read(&["deployment", "view", deployment]);
        let targets = view["targets"].as_array().expect("it has targets");
        assert!(targets.iter().all(|target| target["moved"] == 0 && target["saved"] != 0), "{view}");
    }
    wait_until("the connection of all agents", || {
        let targets = world.operator.read(&["target", "list"]);
        let items = targets["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter(|item| item["online"] == true).count() == world.machines.len()
    });
}

/// A point that a program passes and that is not in the table would be one where nobody is ever killed.
fn every_point_that_was_passed_is_in_the_table(world: &World) {
    let known: BTreeSet<_> = points(world).map(|point| point.name).collect();
    let log = fs::read_to_string(world.folder.join("points.log")).expect("a log of points");
    let passed: BTreeSet<_> = log.lines().filter(|line| !line.starts_with("killed ")).collect();
    let unknown: Vec<_> = passed.difference(&known).collect();
    assert!(unknown.is_empty(), "these points are passed and are not in the table: {unknown:?}");
}
