//! Three tenants, each with a package of its own, on agents of their own and on one that two of them share: every
//! byte that an agent receives, decrypted and decompressed, and everything that ever lies on its disk is searched for
//! words that are planted in all that belongs to a tenant. Of the agent's own tenants all are found, of others none.

mod data;
mod digests;
mod forged;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_tests::agents::{self, Agent, is_root};
use windlass_tests::canaries::{Canaries, Scan};
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::field;

use sample::{INSTALLED, RECEIVED, TENANTS, all_of, canaries_of, canary, documents, package};

/// What was found of an agent.
#[derive(Debug, Default)]
struct Found {
    received: BTreeSet<String>,
    /// On its disk, during the run and at the end.
    disk: BTreeSet<String>,
    /// On its disk at the end.
    left: BTreeSet<String>,
    /// In the environment, arguments and memory files of its processes, while steps ran.
    processes: BTreeSet<String>,
    /// Bytes of streams, and of contents.
    bytes: (u64, u64),
}

/// Enrols and starts one agent that writes down what it is given.
fn start(installation: &Installation, name: &str, tenants: &[&str]) -> Agent {
    let names: Vec<_> = tenants.iter().map(|tenant| canary(tenant, "tenant")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    machine(installation, name, &names)
}

/// The same for tenants of these names.
fn machine(installation: &Installation, name: &str, tenants: &[&str]) -> Agent {
    let program = windlass_tests::recording_agent().expect("the recording agent builds");
    let mut agent = Agent::new(&installation.folder, name, &installation.quic, program);
    let isolation = if is_root() || tenants.len() < 2 { "" } else { "isolation = \"none\"\n" };
    agent.configure(&format!("coordinator = \"{}\"\n{isolation}", installation.quic));
    let recording = recording(installation, name);
    fs::create_dir_all(&recording).expect("a folder");
    agent.set_variable("WINDLASS_RECORDING", &recording);
    let granted = tenants.iter().flat_map(|tenant| ["--tenant", *tenant]);
    let mut grant = vec!["--environment", "Production", "--role", "web", "--name", name];
    grant.extend(granted);
    agent.enrol_with(&agents::token(installation, &grant));
    agent.run();
    agent
}

fn recording(installation: &Installation, name: &str) -> PathBuf {
    installation.folder.join("recordings").join(name)
}

/// Uploads, releases and starts one deployment of each project for each tenant; answers with their ids.
fn deploy(installation: &Installation) -> Vec<(&'static str, String)> {
    let mut started = Vec::new();
    for tenant in TENANTS {
        let path = installation.folder.join(format!("{}.1.0.0.tar", canary(tenant, "package")));
        fs::write(&path, package(tenant)).expect("a file");
        installation.windlass(&["package", "upload", &path.to_string_lossy()]);
    }
    installation.windlass(&["release", "create", "--project", "Common", "--version", "1.0.0"]);
    for tenant in TENANTS {
        let notes = installation.folder.join("notes.md");
        fs::write(&notes, canary(tenant, "notes")).expect("a file");
        let (project, name) = (canary(tenant, "project"), canary(tenant, "tenant"));
        let notes = notes.to_string_lossy();
        installation.windlass(&[
            "release",
            "create",
            "--project",
            &project,
            "--version",
            "1.0.0",
            "--notes-file",
            &notes,
        ]);
        for project in [project.as_str(), "Common"] {
            let what = ["release", "deploy", "--project", project, "--version", "1.0.0"];
            let answer =
                installation.json(&[&what[..], &["--environment", "Production", "--tenant", &name]].concat());
            started.push((tenant, field(&answer["deployments"][0], "id").to_owned()));
        }
    }
    started
}

/// Lets the agents with these tenants have everything that they should, and says what was found on each.
fn run(members: &[(&'static str, &[&str])]) -> BTreeMap<&'static str, Found> {
    let words = TENANTS.iter().flat_map(|tenant| all_of(tenant)).collect();
    let canaries = Canaries::new(words);
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let gate = folder.path().join("gate");
    fs::create_dir(&gate).expect("a folder");
    fs::set_permissions(&gate, fs::Permissions::from_mode(0o755)).expect("it is the test's");
    let go = gate.join("open");
    let path = folder.path().join("all.yaml");
    fs::write(&path, documents(&go)).expect("a file");
    let secrets = TENANTS.map(|tenant| (format!("SECRET_OF_{tenant}"), canary(tenant, "sensitive")));
    let applied =
        installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]).envs(secrets).output();
    let applied = applied.expect("windlass starts");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let mut machines = Vec::new();
    for (name, tenants) in members {
        machines.push((*name, start(&installation, name, tenants)));
    }
    for (name, _) in members {
        agents::wait_for_presence(&installation, name, true);
    }

    let over = AtomicBool::new(false);
    let mut found: BTreeMap<_, _> = members.iter().map(|(name, _)| (*name, Found::default())).collect();
    std::thread::scope(|scope| {
        let watching: Vec<_> = machines
            .iter()
            .map(|(name, machine)| {
                let (name, folder) = (*name, machine.folder.clone());
                let (over, canaries) = (&over, &canaries);
                scope.spawn(move || (name, watch(canaries, &folder, over)))
            })
            .collect();
        // Whatever fails below, those who watch have to end.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            work(&installation, &canaries, &machines, &go, &mut found);
        }));
        over.store(true, Ordering::SeqCst);
        fs::write(&go, "").expect("a file");
        for watcher in watching {
            let (name, disk) = watcher.join().expect("it only looks");
            found.get_mut(name).expect("a member").disk.extend(disk);
        }
        if let Err(why) = ended {
            std::panic::resume_unwind(why);
        }
    });
    for (name, machine) in &machines {
        let found = found.get_mut(name).expect("a member");
        let (mut received, mut left) = (Scan::new(&canaries), Scan::new(&canaries));
        let recording = recording(&installation, name);
        received.look(&recording);
        found.received = received.found;
        found.bytes = (bytes_of(&recording, "stream-"), bytes_of(&recording, "content-"));
        left.look(&machine.folder);
        found.disk.extend(left.found.clone());
        found.left = left.found;
    }
    found
}

/// Deploys, looks at processes while every agent runs a step, and lets the steps end.
fn work(
    installation: &Installation,
    canaries: &Canaries,
    machines: &[(&'static str, Agent)],
    go: &Path,
    found: &mut BTreeMap<&'static str, Found>,
) {
    let deployments = deploy(installation);
    let state = |id: &str| field(&installation.json(&["deployment", "view", id]), "state").to_owned();
    // A step that has its variables in hand stands in the processes of its machine.
    for (name, machine) in machines {
        wait_until(&format!("a step with its secret on {name}"), || {
            let mut scan = Scan::new(canaries);
            scan.look_at_processes(&machine.folder);
            let processes = &mut found.get_mut(name).expect("a member").processes;
            processes.extend(scan.found);
            processes.iter().any(|word| word.ends_with("sensitive"))
        });
    }
    fs::write(go, "").expect("a file");
    for (tenant, id) in &deployments {
        wait_until(&format!("the end of a deployment for {tenant}"), || {
            !["queued", "fetching", "running"].contains(&state(id).as_str())
        });
        assert_eq!(
            state(id),
            "succeeded",
            "{tenant}: {}",
            installation.windlass(&["deployment", "logs", id])
        );
    }
    for tenant in TENANTS {
        let own = deployments.iter().filter(|(of, _)| *of == tenant);
        let logs: String = own.map(|(_, id)| installation.windlass(&["deployment", "logs", id])).collect();
        for kind in ["output", "made", "value", "variable"] {
            assert!(logs.contains(&canary(tenant, kind)), "{kind} of {tenant} in its logs: {logs}");
        }
        for kind in ["sensitive", "hidden"] {
            assert!(
                !logs.contains(&canary(tenant, kind)),
                "{kind} of {tenant} is masked in its logs: {logs}"
            );
        }
    }
}

/// Looks at everything below a folder again and again until it is over.
fn watch(canaries: &Canaries, folder: &Path, over: &AtomicBool) -> BTreeSet<String> {
    let mut scan = Scan::new(canaries);
    while !over.load(Ordering::SeqCst) {
        scan.look(folder);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    scan.found
}

fn bytes_of(folder: &Path, kind: &str) -> u64 {
    let entries = fs::read_dir(folder).expect("a recording").flatten();
    let tapes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(kind));
    tapes.map(|entry| entry.metadata().expect("a file").len()).sum()
}

/// What an agent of these tenants must not have, wherever it was found.
fn foreign<'a>(found: &'a Found, own: &[&str]) -> Vec<(&'static str, &'a String)> {
    let allowed: BTreeSet<String> = own.iter().flat_map(|tenant| all_of(tenant)).collect();
    let places =
        [("received", &found.received), ("on disk", &found.disk), ("in processes", &found.processes)];
    let all = places.into_iter().flat_map(|(place, words)| words.iter().map(move |word| (place, word)));
    all.filter(|(_, word)| !allowed.contains(*word)).collect()
}

#[test]
fn an_agent_gets_everything_of_its_own_tenants_and_nothing_of_others() {
    let members: [(&str, &[&str]); 4] = [
        ("dedicated-1", &["alpha"]),
        ("dedicated-2", &["beta"]),
        ("dedicated-3", &["gamma"]),
        ("shared-1", &["alpha", "beta"]),
    ];
    for (name, found) in run(&members) {
        let own = members.iter().find(|(member, _)| *member == name).expect("a member").1;
        assert_eq!(foreign(&found, own), [], "{name} has something of others");
        for tenant in own {
            let missing: Vec<_> =
                canaries_of(tenant, &RECEIVED).difference(&found.received).cloned().collect();
            assert!(missing.is_empty(), "{name} received everything of {tenant} but {missing:?}");
            let missing: Vec<_> = canaries_of(tenant, &INSTALLED).difference(&found.left).cloned().collect();
            assert!(missing.is_empty(), "{name} installed everything of {tenant} but {missing:?}");
            for hidden in ["sensitive", "hidden", "notes"] {
                assert!(!found.disk.contains(&canary(tenant, hidden)), "{hidden} lay on the disk of {name}");
            }
        }
        let (streams, contents) = found.bytes;
        assert!(
            streams > 0 && streams < contents / 4,
            "{name}: {streams} bytes brought {contents}: compressed"
        );
    }
}

#[test]
fn a_target_granted_another_tenant_in_addition_is_found_to_have_its_things() {
    let members: [(&str, &[&str]); 3] =
        [("dedicated-1", &["alpha"]), ("dedicated-2", &["beta"]), ("dedicated-3", &["gamma", "alpha"])];
    let found = run(&members);
    let wrong = &found["dedicated-3"];
    let foreign = foreign(wrong, &["gamma"]);
    for (place, kinds) in
        [("received", &RECEIVED[..]), ("on disk", &INSTALLED), ("in processes", &["sensitive"])]
    {
        for kind in kinds {
            let word = canary("alpha", kind);
            assert!(foreign.contains(&(place, &word)), "{word} {place}: {foreign:?}");
        }
    }
}
