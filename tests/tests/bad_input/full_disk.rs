//! Full disks: one clear sentence, nothing half done, and all is well again when there is room.
//!
//! Each test runs in a mount namespace of its own, where it mounts small disks; they go with it, whatever happens.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::message::{
    Advertised, Answer, Denied, FromCoordinator, Goodbye, Hello, Outcome, OutputVariable,
    OutputVariableValue, Report, ReportKind, Request,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{connect, hello, runtime, session};
use windlass_tests::installation::{Installation, Process, wait_until};
use windlass_tests::journal::events;
use windlass_tests::namespace::inside;
use windlass_workshop::noise;

/// More than any of the small disks holds.
const LARGE: usize = 40 << 20;

fn mount(folder: &Path, size: &str, options: &str) {
    fs::create_dir_all(folder).expect("a folder");
    let size = format!("{options}size={size}");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).output();
    let mounted = mounted.expect("mount starts");
    assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
}

/// Takes all the room that is left.
fn fill(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("filler");
    let mut file = fs::File::create(&path).expect("a file");
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

/// Runs a command that has to fail, and returns the sentence.
fn refused(installation: &Installation, arguments: &[&str]) -> String {
    let output = installation.try_windlass(arguments);
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_full_disk_of_the_coordinator_changes_nothing_and_is_said() {
    if !inside("full_disk::a_full_disk_of_the_coordinator_changes_nothing_and_is_said") {
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let (folder, data) = (temporary.path(), temporary.path().join("data"));
    mount(&data, "32m", "mode=0700,");
    let installation = Installation::start(folder).expect("an installation");
    installation.apply("kind: environment\nname: Testing\n");
    let before = installation.windlass(&["export"]);

    let large = folder.join("large.1.0.0.bin");
    fs::write(&large, noise(1, LARGE)).expect("a file");
    let upload = ["package", "upload", large.to_str().expect("text")];
    assert_eq!(
        refused(&installation, &upload),
        "error: the package cannot be stored: the coordinator's disk is full"
    );
    let small = folder.join("small.1.0.0.bin");
    fs::write(&small, "content").expect("a file");
    installation.windlass(&["package", "upload", small.to_str().expect("text")]);
    assert!(!installation.windlass(&["package", "list"]).contains("large"));

    let filler = fill(&data);
    let staging = folder.join("staging.yaml");
    let document = format!("kind: environment\nname: Staging\ndescription: {}\n", "x".repeat(10_000));
    fs::write(&staging, document).expect("a file");
    let apply = ["apply", "-f", staging.to_str().expect("text")];
    for _ in 0..3 {
        let said = refused(&installation, &apply);
        assert_eq!(said, "error: the coordinator's disk is full; nothing was changed");
    }
    assert_eq!(installation.windlass(&["export"]), before);
    fs::remove_file(filler).expect("the filler is there");
    installation.windlass(&apply);
    installation.windlass(&["audit", "verify"]);
    let verified =
        installation.program("windlass-coordinator").arg("verify").arg("--data").arg(&data).output();
    assert!(verified.expect("it starts").status.success());
}

const DOCUMENTS: &str = r"
kind: environment
name: Production
---
kind: project
name: Web
steps: [{name: Site, roles: [web], package: {id: site}}]
";

/// Deploys a version and returns why it failed, if it did.
fn deploy(installation: &Installation, version: &str) -> Option<String> {
    deploy_of(installation, "Web", version)
}

/// The same of any project.
fn deploy_of(installation: &Installation, project: &str, version: &str) -> Option<String> {
    let mut command = Command::new("timeout");
    command.arg("60").arg(installation.program("windlass").get_program());
    command.args(["release", "deploy", "--project", project, "--version", version]);
    command.args(["--environment", "Production", "--wait"]);
    command.env("WINDLASS_SERVER", installation.server()).env("WINDLASS_TOKEN", installation.token());
    let output = command.output().expect("it starts");
    let list: Value = json(installation, &["deployment", "list"]);
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    let view = json(installation, &["deployment", "view", &id]);
    match output.status.code() {
        Some(0) => None,
        Some(1) => Some(view["reason"].as_str().unwrap_or_else(|| panic!("a reason in {view}")).to_owned()),
        _ => {
            let log = fs::read_to_string(installation.folder.join("agent.log")).unwrap_or_default();
            panic!("the deployment does not end: {view}\n{log}")
        }
    }
}

fn json(installation: &Installation, arguments: &[&str]) -> Value {
    let text = installation.windlass(&[arguments, &["-o", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// Enrols an agent whose state and releases lie on disks of their own, and starts it.
fn agent(installation: &Installation) -> Process {
    let folder = &installation.folder;
    enrol(installation, &folder.join("state"), &folder.join("install"));
    run(installation)
}

/// Enrols an agent whose state and releases lie there.
fn enrol(installation: &Installation, state: &Path, install: &Path) {
    let folder = &installation.folder;
    let text = format!(
        "coordinator = \"{}\"\nstate_root = {state:?}\ninstall_root = {install:?}\nisolation = \"none\"\n",
        installation.quic,
    );
    let configuration = folder.join("agent.toml");
    fs::write(&configuration, text).expect("a file");
    let made = json(installation, &["enrolment", "create", "--environment", "Production", "--role", "web"]);
    let token = made["token"].as_str().expect("a token");
    let mut enrol = installation.program("windlass-agent");
    enrol.args(["enrol", "--name", "web-1", "--token", token, "--config"]).arg(&configuration);
    assert!(enrol.status().expect("it starts").success());
}

/// Starts the agent and waits for its session.
fn run(installation: &Installation) -> Process {
    let folder = &installation.folder;
    let mut run = installation.program("windlass-agent");
    run.arg("run").arg("--config").arg(folder.join("agent.toml"));
    let agent = Process::start(&mut run, &folder.join("agent.log"));
    wait_until("the agent's session", || {
        json(installation, &["target", "list"])["items"][0]["online"] == true
    });
    agent.expect("it starts")
}

/// Projects of one script each.
fn scripts(scripts: &[(&str, &str)]) -> String {
    let project = |(name, body): &(&str, &str)| {
        format!(
            "---\nkind: project\nname: {name}\nsteps: [{{name: Say, roles: [web], concurrent: true, \
             script: {{body: '{body}'}}}}]\n"
        )
    };
    "kind: environment\nname: Production\n".to_owned() + &scripts.iter().map(project).collect::<String>()
}

/// What the agent said in its log so far that holds this.
fn said(installation: &Installation, words: &str) -> usize {
    let log = fs::read_to_string(installation.folder.join("agent.log")).expect("it has one");
    log.lines().filter(|line| line.contains(words)).count()
}

#[test]
fn a_step_that_fills_the_disk_ends_and_what_it_took_is_free_again() {
    if !inside("full_disk::a_step_that_fills_the_disk_ends_and_what_it_took_is_free_again") {
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(temporary.path()).expect("an installation");
    let disk = temporary.path().join("disk");
    mount(&disk, "24m", "");
    let fill = "set_windlassvariable Url http://x; head -c 60000000 /dev/zero > big";
    let failing = format!("{fill}; exit 1");
    let quiet = format!("{fill} 2>/dev/null; exit 0");
    let projects = [("Fail", &*failing), ("Fill", &*quiet), ("Other", "true")];
    installation.apply(&scripts(&projects));
    enrol(&installation, &disk.join("state"), &disk.join("install"));
    let _agent = run(&installation);
    for (project, _) in projects {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let reason = deploy_of(&installation, "Fail", "1.0.0").expect("it fails by itself");
    assert!(reason.contains("exit code 1"), "{reason}");
    assert_eq!(deploy_of(&installation, "Other", "1.0.0"), None, "there is room again");
    let reason = deploy_of(&installation, "Fill", "1.0.0").expect("what it set cannot be kept");
    assert!(reason.contains("output variables cannot be kept") && reason.contains("full"), "{reason}");
    assert_eq!(deploy_of(&installation, "Other", "1.0.0"), None, "there is room again");
}

#[test]
fn an_agent_on_a_full_disk_ends_what_runs_starts_again_and_takes_new_work_when_there_is_room() {
    if !inside(
        "full_disk::an_agent_on_a_full_disk_ends_what_runs_starts_again_and_takes_new_work_when_there_is_room",
    ) {
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(temporary.path()).expect("an installation");
    let (disk, go) = (temporary.path().join("disk"), temporary.path().join("go"));
    mount(&disk, "24m", "");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done; exit 3", go.display());
    installation.apply(&scripts(&[("Wait", &wait), ("Other", "true")]));
    enrol(&installation, &disk.join("state"), &disk.join("install"));
    let mut agent = run(&installation);
    for project in ["Wait", "Other"] {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let start = |project| {
        let what = ["release", "deploy", "--project", project, "--version", "1.0.0"];
        let started = json(&installation, &[&what[..], &["--environment", "Production"]].concat());
        started["deployments"][0]["id"].as_str().expect("an id").to_owned()
    };
    let state = |id: &str| json(&installation, &["deployment", "view", id])["state"].clone();
    let running = start("Wait");
    wait_until("the step runs", || {
        said(&installation, "connected") == 1
            && windlass_workshop::names(&disk.join("state/work")).len() == 1
            && state(&running) == "running"
    });
    std::thread::sleep(std::time::Duration::from_secs(1));
    let filler = fill(&disk);
    let waiting = start("Other");
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(said(&installation, "connected"), 1, "one assignment that cannot be taken ends no session");
    assert_eq!(state(&waiting), "running");
    agent.kill();
    let agent = run(&installation);
    fs::write(&go, "").expect("the coordinator's disk has room");
    wait_until("the end of what ran", || state(&running) == "failed");
    assert_eq!(said(&installation, "connected"), 1);
    fs::remove_file(filler).expect("the filler is there");
    wait_until("the end of what waited", || state(&waiting) == "succeeded");
    drop(agent);
}

#[test]
fn a_full_disk_of_a_target_fails_the_deployment_with_the_reason_and_activates_nothing() {
    if !inside(
        "full_disk::a_full_disk_of_a_target_fails_the_deployment_with_the_reason_and_activates_nothing",
    ) {
        return;
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(temporary.path()).expect("an installation");
    let (state, install) = (temporary.path().join("state"), temporary.path().join("install"));
    mount(&state, "24m", "");
    // The agent keeps 64 MiB free wherever it unpacks.
    mount(&install, "96m", "");
    installation.apply(DOCUMENTS);
    for (version, content) in [("1.0.0", b"small".to_vec()), ("2.0.0", noise(1, LARGE))] {
        let file = temporary.path().join(format!("site.{version}.bin"));
        fs::write(&file, content).expect("a file");
        installation.windlass(&["package", "upload", file.to_str().expect("text")]);
        let package = format!("Site:{version}");
        installation.windlass(&[
            "release",
            "create",
            "--project",
            "Web",
            "--version",
            version,
            "--package",
            &package,
        ]);
    }
    let _agent = agent(&installation);
    assert_eq!(deploy(&installation, "1.0.0"), None);
    let current = install.join("default/production/_/web/site/current");
    let first = fs::read_link(&current).expect("a release is current");

    let reason = deploy(&installation, "2.0.0").expect("there is no room in the cache");
    insist(&reason, "fetching");
    assert_eq!(fs::read_link(&current).expect("it is there"), first);
    mount(&state, "200m", "remount,");
    let reason = deploy(&installation, "2.0.0").expect("there is no room for the release");
    insist(&reason, "Site");
    assert_eq!(fs::read_link(&current).expect("it is there"), first);
    let releases = fs::read_dir(current.with_file_name("releases")).expect("a folder").count();
    mount(&install, "400m", "remount,");
    assert_eq!(deploy(&installation, "2.0.0"), None);
    assert_ne!(fs::read_link(&current).expect("it is there"), first);
    assert_eq!(releases, 1, "nothing half unpacked stayed");
}

/// A reason says what was done, and that there was no room, in words for people.
fn insist(reason: &str, what: &str) {
    assert!(reason.contains(what) && reason.contains("web-1"), "{reason}");
    assert!(["space", "MiB are needed", "disk is full"].iter().any(|word| reason.contains(word)), "{reason}");
    assert!(!reason.contains("os error") && !reason.contains('\n'), "{reason}");
}

/// What the coordinator says first to who greets it so.
async fn greeted(agent: &Agent, greeting: &Hello) -> FromCoordinator {
    let link = connect(&agent.state()).await.expect("a connection");
    let (_control, mut replies) = link.hello(greeting).await.expect("a stream");
    replies.next().await.expect("an answer")
}

/// Who asks while the coordinator's disk is full is told to come again, and no record says later that it was denied.
#[test]
fn who_asks_while_the_disk_is_full_is_not_denied() {
    if !inside("full_disk::who_asks_while_the_disk_is_full_is_not_denied") {
        return;
    }
    windlass_trust::install_provider();
    let temporary = tempfile::tempdir().expect("a folder");
    let (folder, data) = (temporary.path(), temporary.path().join("data"));
    mount(&data, "32m", "mode=0700,");
    let mut installation = Installation::start(folder).expect("an installation");
    // What is recorded of these is more than the page has that was written last, and that a full disk leaves room in.
    let names: Vec<_> = (10..60).map(|number| format!("{}{number}", "Name".repeat(24))).collect();
    let variables: Vec<_> = names.iter().map(|name| format!("{name}: [{{value: some}}]")).collect();
    let used: Vec<_> = names.iter().map(|name| format!("#{{{name}}}")).collect();
    installation.apply(&format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: Web\nvariables: {{{}}}\n\
         steps: [{{name: Say, roles: [web], script: {{body: 'echo {}'}}}}]\n",
        variables.join(", "),
        used.join(" ")
    ));
    let agent = Agent::enrol(&installation, "web-1", &["--environment", "Production", "--role", "web"]);
    installation.windlass(&["release", "create", "--project", "Web", "--version", "1.0.0"]);
    let deploy =
        ["release", "deploy", "--project", "Web", "--version", "1.0.0", "--environment", "Production"];
    let deployment = json(&installation, &deploy)["deployments"][0]["id"].as_str().map(str::parse);
    let step = events(&installation.data())
        .iter()
        .find_map(|event| event["definition"]["project"]["steps"][0]["id"].as_str().map(str::parse));
    let (deployment, step) = (deployment.expect("one").expect("an id"), step.expect("one").expect("an id"));
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let assignment = assignment_id(deployment, target, WorkKind::Run(step), 1);
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        // What it says of itself is to be recorded, and is not: that is no denial either.
        let greeting = Advertised { roles: Some(names.clone()), ..Advertised::default() };
        let greeting = Hello { advertised: greeting, ..hello() };
        let filler = fill(&data);
        assert_eq!(greeted(&agent, &greeting).await, FromCoordinator::Goodbye(Goodbye::Busy));
        let value = OutputVariableValue::Plain("x".repeat(10_000));
        let variables = vec![OutputVariable { name: "Said".to_owned(), value }];
        let ended = ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines: 0 };
        let kinds = [ReportKind::Started, ended];
        let report = Request::Report(kinds.map(|kind| Report { assignment, kind }).into());
        let requests = [Request::Variables { assignment }, report];
        for request in &requests {
            let answer = session.link.answer(request).await.expect("an answer");
            assert!(
                answer == Answer::Denied(Denied::Busy),
                "{} {}",
                request.kind(),
                match answer {
                    Answer::Denied(why) => format!("{why:?}"),
                    Answer::Reported => "reported".to_owned(),
                    _ => "other".to_owned(),
                }
            );
        }
        fs::remove_file(filler).expect("the filler is there");
        for request in &requests {
            let answer = session.link.answer(request).await.expect("an answer");
            assert!(!matches!(answer, Answer::Denied(_)), "{}", request.kind());
        }
        session.link.close();
        let said = greeted(&agent, &greeting).await;
        assert!(matches!(said, FromCoordinator::Welcome(_)), "{said:?}");
    });
    assert!(installation.stop(), "it ends well");
    let denied: Vec<_> = events(&data).into_iter().filter(|event| event["event"] == "denied").collect();
    assert_eq!(denied, [Value::Null; 0]);
}
