//! What an agent does for steps on its machine: beside processes of the very tenants that it works for, and where the
//! machine is not as it should be.

mod attacker;
mod clean_up;
mod far;
mod gone;
mod hooks;
mod powershell;
mod private;

use std::path::Path;
use std::time::{Duration, Instant};

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::installation::Installation;
use windlass_tests::journal::field;
use windlass_workshop::{tar, tree};

/// How long a deployment may take here, on a machine that is busy with something else as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// An installation with the environment Production and these further documents.
fn installation(documents: &str) -> (tempfile::TempDir, Installation) {
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    installation.apply(&format!("kind: environment\nname: Production\n---\n{documents}"));
    (folder, installation)
}

/// A machine with the role `web` and these further grants, connected.
fn machine(installation: &Installation, grant: &[&str], configuration: &str) -> Agent {
    let basic = ["--environment", "Production", "--role", "web"];
    let mut agent = Agent::enrol(installation, "machine", &[&basic[..], grant].concat());
    agent.configure(&format!("coordinator = \"{}\"\n{configuration}", installation.quic));
    agent.run();
    wait_for_presence(installation, "machine", true);
    agent
}

/// Uploads a package of these files as `<id> <version>`.
fn upload(installation: &Installation, id: &str, version: &str, files: &[(&str, &[u8])]) {
    let path = installation.folder.join(format!("{id}.{version}.tar"));
    let mut archive = std::fs::File::create(&path).expect("a file");
    std::io::copy(&mut tar(&tree(files)), &mut archive).expect("it can be written");
    installation.windlass(&["package", "upload", path.to_str().expect("text")]);
}

/// A release of the project `Site`.
fn release(installation: &Installation, version: &str) {
    installation.windlass(&["release", "create", "--project", "Site", "--version", version]);
}

/// Starts a deployment of the project `Site` to Production and answers with its id.
fn start(installation: &Installation, version: &str, tenant: Option<&str>) -> String {
    let what =
        ["release", "deploy", "--project", "Site", "--version", version, "--environment", "Production"];
    let tenant = tenant.map(|name| ["--tenant", name]);
    let answer = installation.json(&[&what[..], tenant.as_ref().map_or(&[], |tenant| &tenant[..])].concat());
    field(&answer["deployments"][0], "id").to_owned()
}

/// Waits for a deployment's end: its state, and the reason with it.
fn end(installation: &Installation, id: &str) -> (String, String) {
    let started = Instant::now();
    loop {
        let view = installation.json(&["deployment", "view", id]);
        let state = field(&view, "state");
        if !matches!(state, "queued" | "fetching" | "running") {
            return (state.to_owned(), view["reason"].as_str().unwrap_or_default().to_owned());
        }
        assert!(started.elapsed() < PATIENCE, "the deployment does not come to its end: {view}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Deploys a version, which has to succeed, and answers with what its steps said.
fn deploy(installation: &Installation, version: &str) -> String {
    let id = start(installation, version, None);
    let (state, reason) = end(installation, &id);
    assert_eq!(state, "succeeded", "{reason}");
    installation.windlass(&["deployment", "logs", &id])
}

/// Where the releases of the step `Install` lie, and the link beside them.
fn step_folder(agent: &Agent, tenant: &str) -> std::path::PathBuf {
    agent.install().join("default/production").join(tenant).join("site/install")
}

/// All regular files below a folder, whatever else may be there, and whatever goes meanwhile.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}
