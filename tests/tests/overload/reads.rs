//! A token that may only read asks for as much of everything that costs much as it can. Others go on, and the
//! coordinator stops when it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::installation::Installation;
use windlass_tests::journal::field;

use super::{GRANT, deploy, installation, status};

/// Threads that ask, of each kind.
const OF_EACH: usize = 16;
const PLAN: &str = r#"{"project": "Website", "version": "1.0.0", "environments": ["Production"]}"#;

/// Makes a journal whose reading takes seconds: records of three megabytes.
fn fill_journal(installation: &Installation) {
    for round in 0..8 {
        let mut documents = String::new();
        for project in 0..4 {
            write!(documents, "---\nkind: project\nname: Ballast {project}\nvariables:\n").expect("a text");
            for variable in 0..25 {
                let value = format!("{round} {variable} ").repeat(6000);
                writeln!(documents, "  Much{variable}: [{{value: \"{value}\"}}]").expect("a text");
            }
        }
        installation.apply(&documents);
    }
}

#[test]
fn whoever_may_read_cannot_stop_others_nor_keep_the_coordinator_from_stopping() {
    let (_folder, mut installation) = installation("");
    fill_journal(&installation);
    let mut agent = Agent::enrol(&installation, "machine", &GRANT);
    agent.run();
    wait_for_presence(&installation, "machine", true);
    let quiet = deploy(&installation, "1.0.0");
    let made = installation.json(&["token", "create", "--name", "audit", "--role", "auditor"]);
    let deployment = field(&installation.json(&["deployment", "list"])["items"][0], "id").to_owned();

    let over = AtomicBool::new(false);
    let statuses = Mutex::new(BTreeMap::<u16, usize>::new());
    let explanation = format!("deployments/{deployment}/explanation");
    let asked = [
        ("GET", "audit/verification", ""),
        ("GET", "audit/pulled/machine", ""),
        ("GET", "audit?filter=nothing-has-this", ""),
        ("GET", explanation.as_str(), ""),
        ("GET", "audit/what-can/machine", ""),
        ("POST", "plans", PLAN),
    ];
    std::thread::scope(|threads| {
        let http = installation.http().to_owned();
        for (method, path, body) in asked.into_iter().flat_map(|asked| [asked; OF_EACH]) {
            let (token, over, statuses, http) = (field(&made, "token"), &over, &statuses, http.clone());
            threads.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let status = status(&http, token, method, path, body).unwrap_or_default();
                    *statuses.lock().expect("counts").entry(status).or_default() += 1;
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(3));
        let deployed = deploy(&installation, "1.0.1");
        let begun = Instant::now();
        let stopped = installation.stop();
        let took = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        println!(
            "deployed in {deployed:?} ({quiet:?} before), stopped in {took:?}, answered {:?}",
            statuses.lock().unwrap()
        );
        let bound = Duration::from_secs(10) + 4 * quiet;
        assert!(deployed < bound, "a deployment took {deployed:?}, and {quiet:?} before");
        assert!(stopped, "it ends well");
        assert!(took < Duration::from_secs(5), "it took {took:?} to stop");
    });
    let statuses = statuses.lock().expect("counts");
    assert!(statuses.contains_key(&429), "nobody was told that it is too much: {statuses:?}");
}
