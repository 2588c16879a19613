//! Uploads without room: told apart, and nothing of them in the store.
//!
//! Each test runs itself again as a child process, whose limits end with it.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use windlass_packages::{Limits, PackageStore, StoreError, UploadError};

use crate::workshop::{names, noise, tar, tree};

const PLACE: &str = "WINDLASS_PACKAGES_CHILD";

fn child() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

/// What fits, what does not, and what fits again; made before there is a limit.
fn archives() -> [File; 3] {
    [
        tar(&tree(&[("a", &noise(1, 50_000))])),
        tar(&tree(&[("b", b"fits"), ("c", &noise(2, 600_000))])),
        tar(&tree(&[("b", b"fits")])),
    ]
}

fn check(folder: &Path, archives: [File; 3]) {
    let store = PackageStore::open(folder).unwrap();
    let [first, large, last] = archives;
    let upload = |archive| store.store_upload(archive, "app.tar", &Limits::default());
    upload(first).unwrap();
    let error = upload(large).unwrap_err();
    assert!(matches!(&error, UploadError::Store(StoreError::Full { .. })), "{error:?}");
    assert_eq!(names(&folder.join("blobs")).len(), 1);
    assert_eq!(names(&folder.join("manifests")).len(), 1);
    assert_eq!(names(&folder.join("staging")), [""; 0]);
    upload(last).unwrap();
    println!("\nchecked");
}

fn run(mut command: Command, test: &str, place: &Path) {
    command.args(["--exact", test, "--nocapture"]).env(PLACE, place);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("\nchecked"), "{text}{errors}");
}

#[test]
fn a_limit_on_file_sizes_is_a_full_store() {
    if let Some(place) = child() {
        let archives = archives();
        // Blocked, the signal that goes with the limit leaves the error for the call to return.
        SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 300_000, 300_000).unwrap();
        return check(&place.join("packages"), archives);
    }
    let place = tempfile::tempdir().unwrap();
    let test = "full::a_limit_on_file_sizes_is_a_full_store";
    run(Command::new(env::current_exe().unwrap()), test, place.path());
}

/// On a real file system of 512 KiB, in a mount namespace of the child's own. Where a process may not have one
/// (neither as root nor with a user namespace), there is nothing to run this on, and the limit above has to do.
#[test]
fn a_full_file_system_is_a_full_store() {
    if let Some(place) = child() {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "none"]).arg(&place).status();
        assert!(mount.unwrap().success());
        return check(&place.join("packages"), archives());
    }
    let unshare = ["--user", "--map-root-user", "--mount"];
    if !Command::new("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system gives no mount namespaces");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(unshare).arg(env::current_exe().unwrap());
    run(command, "full::a_full_file_system_is_a_full_store", place.path());
}
