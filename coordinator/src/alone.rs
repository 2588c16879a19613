//! Tests that need a process of their own: what they do to its time would disturb the others.

use std::process::Command;

/// Whether this is the process of this test alone. Where it is not, such a one is started and has to pass.
pub(crate) fn is_alone(test: &str) -> bool {
    const ALONE: &str = "WINDLASS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().expect("this program"));
    let output = alone.args(["--exact", test]).env(ALONE, "").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}
