//! What opens an installation, and how it is taken back: administrators' tokens, enrolment tokens, the keys of tenants.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use windlass_coordinator::journal;
use windlass_coordinator::vault::{Embedded, Vault};
use windlass_coordinator_core::model::Sealed;
use windlass_tests::agents::{Agent, token};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{self as records, field};

fn installation() -> (tempfile::TempDir, Installation) {
    windlass_trust::install_provider();
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    (folder, installation)
}

fn administrator(installation: &Installation, name: &str) -> Output {
    let mut command = installation.program("windlass-coordinator");
    command.arg("administrator").arg("--data").arg(installation.data()).args(["--name", name]);
    command.output().expect("it starts")
}

/// The events of a kind.
fn events(data: &Path, kind: &str) -> Vec<Value> {
    records::events(data).into_iter().filter(|event| event["event"] == kind).collect()
}

/// What a program said on standard error, where it ended with this code.
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn as_holder(installation: &Installation, token: &str, arguments: &[&str]) -> Output {
    installation.windlass_command(arguments).env("WINDLASS_TOKEN", token).output().expect("it starts")
}

#[test]
fn who_has_the_machine_makes_an_administrator_that_outlives_the_first_one() {
    let (_folder, mut installation) = installation();
    let running = said(&administrator(&installation, "anna"), 5);
    assert!(running.starts_with("error: another coordinator runs on the data folder "), "{running}");
    installation.kill();
    let made = administrator(&installation, "anna");
    said(&made, 0);
    let text = String::from_utf8(made.stdout).expect("text");
    let own = text.strip_suffix('\n').expect("one line");
    assert!(
        own.starts_with("wlt_") && own.bytes().all(|byte| byte.is_ascii_graphic()),
        "nothing but a token"
    );
    said(&administrator(&installation, "Anna"), 5);
    installation.serve().expect("it starts");
    said(&as_holder(&installation, own, &["token", "delete", "First administrator"]), 0);
    said(&installation.try_windlass(&["token", "list"]), 3);
    let left = said(&as_holder(&installation, own, &["token", "delete", "anna"]), 5);
    assert!(left.contains("`windlass-coordinator administrator` makes one"), "{left}");
    let told = as_holder(&installation, own, &["audit", "list", "--event", "token-created", "-o", "json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told["items"][0]["actor"], "the installer");
    assert!(!told.to_string().contains("secret"), "{told}");
}

#[test]
fn a_first_token_that_nobody_saw_is_replaced_and_taken_back() {
    let (folder, mut installation) = installation();
    installation.kill();
    fs::remove_dir_all(installation.data()).expect("it is the test's");
    // Nobody reads it: as after a kill between the record and the printing.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut init = installation.program("windlass-coordinator");
    init.arg("init").arg("--data").arg(installation.data()).stdout(full);
    let lost = said(&init.output().expect("it starts"), 1);
    assert!(lost.contains("make another one with `windlass-coordinator administrator --data "), "{lost}");
    let mut again = installation.program("windlass-coordinator");
    let again =
        said(&again.arg("init").arg("--data").arg(installation.data()).output().expect("it starts"), 5);
    assert!(again.contains("windlass-coordinator administrator --data "), "{again}");
    let made = administrator(&installation, "second");
    said(&made, 0);
    let own = String::from_utf8(made.stdout).expect("text").trim().to_owned();
    installation.serve().expect("it starts");
    said(&as_holder(&installation, &own, &["token", "delete", "First administrator"]), 0);
    drop(folder);
}

#[test]
fn another_user_than_the_owner_leaves_the_data_alone() {
    let (_folder, mut installation) = installation();
    installation.kill();
    let journal = installation.data().join("journal");
    let own = fs::metadata(&journal).expect("a folder").uid();
    if chown(&journal, Some(65_534), None).is_err() {
        // Only root gives what is its own to others; then there is nothing to be careful about either.
        assert_ne!(own, 0);
        return;
    }
    let before = fs::read_dir(&journal).expect("a folder").count();
    let refused = said(&administrator(&installation, "anna"), 2);
    assert!(refused.contains("with the id 65534; run this as that user, not as "), "{refused}");
    assert_eq!(fs::read_dir(&journal).expect("a folder").count(), before);
}

#[test]
fn who_may_not_look_into_the_data_is_told_whose_it_is() {
    let (_folder, mut installation) = installation();
    installation.kill();
    let (data, journal) = (installation.data(), installation.data().join("journal"));
    for closed in [&data, &journal] {
        let own = fs::metadata(closed).expect("a folder").uid();
        if chown(closed, Some(65_534), None).is_err() {
            assert_ne!(own, 0);
            return;
        }
        for verb in [
            &["serve", "--quic", "127.0.0.1:0"][..],
            &["verify"],
            &["init"],
            &["administrator", "--name", "anna"],
        ] {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set", "-dac_override,-dac_read_search"]);
            command.arg(installation.program("windlass-coordinator").get_program());
            let refused = said(&command.args(verb).arg("--data").arg(&data).output().expect("it starts"), 2);
            let whose = format!("{} belongs to the user ", closed.display());
            assert!(refused.contains(&whose) && refused.contains("65534"), "{verb:?}: {refused}");
            assert!(refused.contains("; run this as that user, not as "), "{verb:?}: {refused}");
        }
        chown(closed, Some(own), None).expect("it was possible before");
    }
}

#[test]
fn an_enrolment_token_that_was_taken_back_is_worth_nothing_to_a_machine() {
    let (_folder, installation) = installation();
    let secret = token(&installation, &["--role", "web", "--name", "web-1"]);
    installation.windlass(&["enrolment", "delete", "web-1"]);
    let program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    let machine = Agent::new(&installation.folder, "web-1", &installation.quic, program);
    let refused = String::from_utf8_lossy(&machine.try_enrol_with(&secret).stderr).into_owned();
    assert!(refused.contains("the coordinator does not know this token"), "{refused}");
    assert_eq!(installation.json(&["enrolment", "list"])["items"], serde_json::json!([]));
    assert_eq!(installation.json(&["target", "list"])["items"], serde_json::json!([]));
    assert_eq!(events(&installation.data(), "enrolment-deleted").len(), 1);
}

const DOCUMENTS: &str = "
kind: project
name: Website
templates: [{name: Password, control: sensitive}]
---
kind: tenant
name: Alpha
values: {Website: {Password: {from-env: PASSWORD}}}
---
kind: tenant
name: Beta
values: {Website: {Password: {from-env: PASSWORD}}}
";

fn apply(installation: &Installation) {
    let path = installation.folder.join("documents.yaml");
    fs::write(&path, DOCUMENTS).expect("a file");
    let mut command = installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]);
    said(&command.env("PASSWORD", "a canary").output().expect("it starts"), 0);
}

/// The sealed password of a tenant, as the journal holds it for good.
fn sealed(data: &Path, tenant: &str) -> Sealed {
    let defined = events(data, "defined");
    let mut tenants = defined.iter().filter_map(|event| event["definition"].get("tenant"));
    let own = tenants.rfind(|definition| definition["name"] == tenant).expect("it was defined");
    find(own).expect("it has a sealed value")
}

fn find(value: &Value) -> Option<Sealed> {
    match value {
        Value::Object(map) if map.contains_key("ciphertext") => {
            Some(serde_json::from_value(value.clone()).expect("a sealed value"))
        }
        Value::Object(map) => map.values().find_map(find),
        Value::Array(items) => items.iter().find_map(find),
        _ => None,
    }
}

fn verify(installation: &Installation) {
    let mut verify: Command = installation.program("windlass-coordinator");
    said(&verify.arg("verify").arg("--data").arg(installation.data()).output().expect("it starts"), 0);
}

#[test]
fn what_a_deleted_tenant_had_sealed_is_unreadable_and_the_journal_whole() {
    let (_folder, mut installation) = installation();
    apply(&installation);
    let data = installation.data();
    let (alpha, beta) = (sealed(&data, "Alpha"), sealed(&data, "Beta"));
    let file = data.join("keys").join(alpha.key.to_string());
    let copy = fs::read(&file).expect("a key");
    installation.windlass(&["tenant", "delete", "Alpha"]);
    assert!(!file.exists(), "the key is gone when that is answered");
    assert_eq!(field(&events(&data, "key-destroyed")[0], "key"), alpha.key.to_string());
    verify(&installation);
    installation.windlass(&["audit", "verify"]);

    // Killed between the record and the disk, or resurrected by it: the next start destroys the key again.
    installation.kill();
    fs::write(&file, &copy).expect("a file");
    installation.serve().expect("it starts");
    assert!(!file.exists(), "a start destroys what the journal says is destroyed");
    verify(&installation);
    // The tenant may come again, and its new value has nothing to do with the old one.
    apply(&installation);
    assert_ne!(sealed(&data, "Alpha").key, alpha.key);
    installation.kill();

    let state = journal::replay(&data).expect("the journal is whole").state;
    let vault = Vault::new(Embedded::open(&data).expect("a vault"));
    vault.destroy_all(&state);
    let why = vault.reveal(&alpha).err().expect("its key is destroyed").to_string();
    assert!(why.contains("was destroyed with its tenant") && why.contains(&alpha.key.to_string()), "{why}");
    assert_eq!(vault.reveal(&beta).expect("its key is there").reveal(), "a canary");
    assert_eq!(vault.reveal(&sealed(&data, "Alpha")).expect("its key is there").reveal(), "a canary");
}

/// What a start says that is refused; it must not begin to serve.
fn refused_start(installation: &Installation) -> String {
    let mut serve = installation.program("windlass-coordinator");
    serve.arg("serve").arg("--config").arg(installation.folder.join("coordinator.toml"));
    serve.arg("--data").arg(installation.data()).args(["--quic", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let mut serving = serve.stderr(Stdio::piped()).spawn().expect("it starts");
    let begun = Instant::now();
    while serving.try_wait().expect("it is ours").is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            serving.kill().expect("it runs");
        }
        thread::sleep(Duration::from_millis(10));
    }
    said(&serving.wait_with_output().expect("it has ended"), 1)
}

#[test]
fn without_a_key_of_its_own_a_coordinator_does_not_start_and_makes_no_other() {
    let (_folder, mut installation) = installation();
    installation.kill();
    let data = installation.data();
    let space = field(&events(&data, "initialised")[0]["space"], "key").to_owned();
    let keys = ["assignment-signing", "output-sealing", "authority", &space].map(|key| format!("keys/{key}"));
    for name in [&keys[..], &["master.key".to_owned(), "authority.der".to_owned()]].concat() {
        let (file, aside) = (data.join(&name), data.join("aside"));
        fs::rename(&file, &aside).expect("it was made with the installation");
        let told = refused_start(&installation);
        assert!(told.contains(&format!("{} is missing; restore it from a backup", file.display())), "{told}");
        assert!(!file.exists(), "nothing takes the place of {name}");
        fs::rename(&aside, &file).expect("it is there");
    }
    // Nothing is protected by this one: without it, agents learn of a restart a little later.
    let resets = data.join("keys/connection-resets");
    fs::remove_file(&resets).expect("it was made with the installation");
    installation.serve().expect("it starts");
    assert!(resets.exists());
}

#[test]
fn a_tenants_missing_key_refuses_what_is_that_tenants_and_nothing_else() {
    let (_folder, mut installation) = installation();
    apply(&installation);
    installation.kill();
    let data = installation.data();
    let file = data.join("keys").join(sealed(&data, "Alpha").key.to_string());
    let aside = data.join("aside");
    fs::rename(&file, &aside).expect("a key");
    installation.serve().expect("a tenant's key is no reason not to start");
    let path = installation.folder.join("documents.yaml");
    let apply_with = |documents: &str, password: &str| {
        fs::write(&path, documents).expect("a file");
        let mut command = installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]);
        command.env("PASSWORD", password).output().expect("it starts")
    };
    let before = events(&data, "defined").len();
    let refused = said(&apply_with(DOCUMENTS, "another"), 1);
    assert!(refused.contains("tenant `Alpha`: its key is missing"), "{refused}");
    assert!(!file.exists(), "no other key takes its place");
    assert_eq!(events(&data, "defined").len(), before, "all or nothing");
    let others = DOCUMENTS.replacen("name: Alpha", "name: Gamma", 1);
    said(&apply_with(&others, "another"), 0);
    assert_eq!(events(&data, "defined").len(), before + 2, "a changed tenant and a new one");
    fs::rename(&aside, &file).expect("it is restored");
    said(&apply_with(DOCUMENTS, "yet another"), 0);
}

#[test]
fn an_old_backup_does_not_bring_a_destroyed_key_back() {
    let (_folder, mut installation) = installation();
    apply(&installation);
    installation.kill();
    let (data, backup) = (installation.data(), installation.folder.join("backup"));
    let alpha = sealed(&data, "Alpha");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("it starts");
        assert!(copied.success());
    };
    copy(&data, &backup);
    installation.serve().expect("it starts");
    installation.windlass(&["tenant", "delete", "Alpha"]);
    installation.kill();
    let witness = fs::read_to_string(data.join("destroyed-keys")).expect("it is noted");
    let noted: Vec<_> = witness.lines().collect();
    assert!(matches!(noted[..], [line] if line.starts_with(&format!("{} 1", alpha.key))), "{witness}");
    let log = fs::read_to_string(installation.folder.join("coordinator.log")).expect("a log");
    assert!(log.contains("a key is destroyed") && log.contains(&alpha.key.to_string()), "{log}");

    // Everything is as before, but for what was noted elsewhere.
    fs::remove_dir_all(&data).expect("it is the test's");
    copy(&backup, &data);
    fs::write(data.join("destroyed-keys"), &witness).expect("a file");
    installation.serve().expect("it starts");
    assert!(
        !data.join("keys").join(alpha.key.to_string()).exists(),
        "its journal does not say so, the list does"
    );
    let path = installation.folder.join("documents.yaml");
    let mut again = installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]);
    let refused = said(&again.env("PASSWORD", "another").output().expect("it starts"), 5);
    assert!(refused.contains("tenant `Alpha`: its key was destroyed"), "{refused}");
}
