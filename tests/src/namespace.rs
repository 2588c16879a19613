//! Mount namespaces of a test's own: what is mounted in one goes with it, whatever happens.

use std::io::Write as _;
use std::process::Command;

use crate::agents::is_root;

/// Set in the namespace.
const INSIDE: &str = "WINDLASS_TEST_NAMESPACE";

/// Runs a test again, by its whole name, in a namespace of its own. Answers whether this is the process in it; where
/// the system allows no namespaces the test is left out, and that is said.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let user: &[&str] = if is_root() { &[] } else { &["--map-root-user"] };
    let possible =
        Command::new("unshare").args(user).args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        leave_out(test, "nothing can be mounted here");
        return false;
    }
    let again = Command::new("unshare")
        .args(user)
        .arg("--mount")
        .arg(std::env::current_exe().expect("this test is a program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&again.stdout) + String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Says that a test was left out, past the test harness, which would keep it to itself.
pub fn leave_out(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {test}: {why}");
}
