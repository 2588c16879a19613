//! Old releases that cannot be removed: what is live stays a success, the step's log says what could not be done, and
//! the next deployment tries again (CASES A47).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use windlass_tests::namespace::inside;

use super::{deploy, installation, machine, release, step_folder, upload};

const TEST: &str = "clean_up::an_old_release_that_cannot_be_removed_is_a_warning_and_is_tried_again";
const DOCUMENTS: &str =
    "kind: project\nname: Site\nsteps: [{name: Install, roles: [web], package: {id: site}}]\n";
/// The beginning of the warning.
const WARNING: &str = "an old release is not removed:";

/// Runs a program of the system; whether it could.
fn run(program: &str, arguments: &[&Path]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Where the folder lies that was mounted, whatever it is below by now.
fn mounted(below: &Path) -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    let mut paths = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    paths.rfind(|path| path.starts_with(below)).expect("it is mounted")
}

fn names(folder: &Path) -> Vec<String> {
    windlass_workshop::names(folder)
}

#[test]
fn an_old_release_that_cannot_be_removed_is_a_warning_and_is_tried_again() {
    if !inside(TEST) {
        return;
    }
    let (_folder, installation) = installation(DOCUMENTS);
    let agent = machine(&installation, &[], "isolation = \"none\"\n");
    upload(
        &installation,
        "site",
        "1.0.0",
        &[("data/", b""), ("deep/site.txt", b"site"), ("site.txt", b"site")],
    );
    release(&installation, "1.0.0");
    let releases = step_folder(&agent, "_").join("releases");

    deploy(&installation, "1.0.0");
    let data = releases.join("1.0.0-1/data");
    assert!(run(
        "mount",
        &["-t", "tmpfs", "none"].map(Path::new).iter().copied().chain([&*data]).collect::<Vec<_>>()
    ));
    fs::write(data.join("kept"), "another's").expect("a file");
    deploy(&installation, "1.0.0");
    // Only real superusers can, and only on some file systems.
    let immutable = run("chattr", &[Path::new("+i"), &releases.join("1.0.0-2/deep/site.txt")]);

    let mut logs = String::new();
    for _ in 0..8 {
        logs = deploy(&installation, "1.0.0");
    }
    assert_eq!(logs.matches(WARNING).count(), 1 + usize::from(immutable), "{logs}");
    let kept = mounted(&releases).join("kept");
    assert_eq!(fs::read_to_string(&kept).expect("it is there"), "another's", "what is mounted is another's");
    let whole = names(&releases).iter().filter(|name| !name.starts_with('.')).count();
    assert!(whole < 8, "others go all the same: {:?}", names(&releases));

    assert!(run("umount", &[&mounted(&releases)]));
    if immutable {
        let rest = super::files_below(&releases.join(".removing-1.0.0-2"));
        assert_eq!(rest.len(), 1, "all of it went that could: {rest:?}");
        assert!(run("chattr", &[Path::new("-i"), &rest[0]]));
    }
    let logs = deploy(&installation, "1.0.0");
    assert!(!logs.contains(WARNING), "{logs}");
    let left: Vec<_> = names(&releases).into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}
