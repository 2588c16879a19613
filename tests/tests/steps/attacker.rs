//! A tenant's process, left over from an earlier step, that swaps files, folders, links and FIFOs in its releases as
//! fast as it can while the agent deploys there as root: no byte of root's changes hands either way, and nobody else's
//! turn hangs (THREATS E3).

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use windlass_tests::agents::is_root;
use windlass_tests::installation::{Installation, Process};
use windlass_tests::namespace::leave_out;

use super::{end, files_below, installation, machine, release, start, step_folder, upload};

/// Set for the attacking process: what it swaps things for.
const ATTACK: &str = "WINDLASS_TEST_ATTACK";
/// Where the attacking process swaps.
const RELEASES: &str = "WINDLASS_TEST_RELEASES";
/// Links lead here.
const BAIT: &str = "WINDLASS_TEST_BAIT";

const TEST: &str = "attacker::what_a_tenant_swaps_under_the_agents_hands_gives_it_nothing_of_roots";
/// Files in which values are substituted.
const FILES: usize = 400;
/// Deployments beside each kind of attack.
const ROUNDS: usize = 4;
/// What nobody but root may see, with something in it that substituting would change.
const SECRET: &str = "the-words-of-root-alone #{Greeting}\n";

const DOCUMENTS: &str = r##"
kind: project
name: Site
tenancy: tenanted
variables: {Greeting: [{value: welcome}]}
steps: [{name: Install, roles: [web], package: {id: site, substitute: ["conf/*"]}}]
---
kind: tenant
name: Mallory
projects: {Site: [Production]}
---
kind: tenant
name: Honest
projects: {Site: [Production]}
"##;

fn conf(number: usize) -> String {
    format!("conf/{number}.txt")
}

/// The package: files to substitute, and hooks with time between them.
fn upload_site(installation: &Installation) {
    let names: Vec<_> = (0..FILES).map(conf).collect();
    let mut files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (&**name, &b"#{Greeting}, all\n"[..])).collect();
    files.extend([
        ("PreDeploy.sh", &b"echo genuine PreDeploy; sleep 0.4\n"[..]),
        ("Deploy.sh", b"echo genuine Deploy; sleep 0.2\n"),
        ("PostDeploy.sh", b"echo genuine PostDeploy\n"),
    ]);
    upload(installation, "site", "1.0.0", &files);
    release(installation, "1.0.0");
}

/// Files of root's, under the names that lie in the package.
fn lay_bait(folder: &Path) -> PathBuf {
    let bait = folder.join("bait");
    fs::create_dir_all(bait.join("conf")).expect("a folder");
    for name in (0..FILES).map(conf).chain(["Deploy.sh".to_owned(), "PostDeploy.sh".to_owned()]) {
        fs::write(bait.join(&name), SECRET).expect("a file");
        fs::set_permissions(bait.join(&name), fs::Permissions::from_mode(0o600)).expect("it is root's");
    }
    fs::set_permissions(&bait, fs::Permissions::from_mode(0o700)).expect("it is root's");
    bait
}

/// Nothing of root's was changed, given away or seen.
fn nothing_was_won(bait: &Path, mallory: &Path) {
    let untouched = files_below(bait);
    assert_eq!(untouched.len(), FILES + 2, "root's files are all there");
    for file in untouched {
        let text = fs::read_to_string(&file).expect("root reads it");
        assert_eq!(text, SECRET, "{} was written to", file.display());
        let found = fs::metadata(&file).expect("it is there");
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o600), "{} was given away", file.display());
    }
    for file in files_below(mallory) {
        let Ok(bytes) = fs::read(&file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("the-words-of-root-alone"), "{} has what is root's", file.display());
    }
}

/// An attacking process of a tenant's account.
fn attack_with(kind: &str, program: &Path, releases: &Path, bait: &Path) -> Process {
    let first =
        fs::read_dir(releases).expect("a folder").next().expect("there is a release").expect("a folder");
    let account = first.metadata().expect("a release");
    assert_ne!(account.uid(), 0, "a release belongs to its tenant");
    let mut command = Command::new(program);
    command.args(["--exact", TEST]).env(ATTACK, kind).env(RELEASES, releases).env(BAIT, bait);
    command.uid(account.uid()).gid(account.gid()).current_dir("/");
    Process::start(&mut command, &bait.with_file_name("attacker.log")).expect("it starts")
}

#[test]
fn what_a_tenant_swaps_under_the_agents_hands_gives_it_nothing_of_roots() {
    if let Ok(kind) = std::env::var(ATTACK) {
        let folder = |name| PathBuf::from(std::env::var_os(name).expect("it was set with the kind"));
        swap_for_ever(&kind, &folder(RELEASES), &folder(BAIT));
    }
    if !is_root() {
        return leave_out(TEST, "it takes root to keep tenants apart");
    }
    let (folder, installation) = installation(DOCUMENTS);
    upload_site(&installation);
    let agent = machine(&installation, &["--tenant", "Mallory", "--tenant", "Honest"], "");
    let bait = lay_bait(folder.path());
    let program = folder.path().join("attacker");
    fs::copy(std::env::current_exe().expect("this test is a program"), &program).expect("a copy");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is the test's");

    let first = start(&installation, "1.0.0", Some("Mallory"));
    assert_eq!(end(&installation, &first).0, "succeeded");
    let step = step_folder(&agent, "mallory");
    for kind in ["links", "fifos", "folders"] {
        let _attacker = attack_with(kind, &program, &step.join("releases"), &bait);
        for round in 0..ROUNDS {
            let [attacked, other] =
                ["Mallory", "Honest"].map(|tenant| start(&installation, "1.0.0", Some(tenant)));
            for id in [&other, &attacked] {
                let (state, reason) = end(&installation, id);
                nothing_was_won(&bait, &agent.install());
                assert_eq!(state, "succeeded", "{kind}, round {round}: {reason}");
                let logs = installation.windlass(&["deployment", "logs", id]);
                for stage in ["PreDeploy", "Deploy", "PostDeploy"] {
                    let genuine = logs.matches(&format!("genuine {stage}\n")).count();
                    assert_eq!(genuine, 1, "{kind}, round {round}: {stage} in {logs}");
                }
                assert!(!logs.contains("words-of-root"), "{kind}, round {round}: {logs}");
            }
        }
    }
    let honest = step_folder(&agent, "honest").join("current");
    for number in 0..FILES {
        let text = fs::read_to_string(honest.join(conf(number))).expect("a file");
        assert_eq!(text, "welcome, all\n", "values are where they belong");
    }
}

/// What the attacking process does: whatever of its tenant's it can reach, it swaps.
fn swap_for_ever(kind: &str, releases: &Path, bait: &Path) -> ! {
    loop {
        let entries = fs::read_dir(releases).into_iter().flatten().flatten();
        // Also what has no name yet, and what is being removed.
        for tree in entries.map(|entry| entry.path()) {
            if kind == "folders" {
                swap(&tree.join("conf"), || symlink(bait.join("conf"), tree.join("conf")).is_ok());
            } else {
                for name in (0..FILES).map(conf) {
                    swap_file(kind, &tree.join(&name), &bait.join(&name));
                }
            }
            for name in ["Deploy.sh", "PostDeploy.sh"] {
                swap_file(kind, &tree.join(name), &bait.join(name));
            }
        }
    }
}

fn swap_file(kind: &str, file: &Path, bait: &Path) {
    // What root writes afterwards would be in the tenant's hands.
    let _ = fs::hard_link(file, file.with_extension("mine"));
    swap(file, || match kind {
        "fifos" => nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).is_ok(),
        _ => symlink(bait, file).is_ok(),
    });
}

/// Moves away what is a genuine file or folder, and puts something else in its place.
fn swap(path: &Path, put: impl Fn() -> bool) {
    let genuine = fs::symlink_metadata(path).is_ok_and(|found| found.is_file() || found.is_dir());
    if genuine && fs::rename(path, path.with_extension("old")).is_ok() {
        let _ = put();
    }
}
