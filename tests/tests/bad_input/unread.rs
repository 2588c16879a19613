//! Readers that have gone, as `| head` does: no fault, no panic, no word.

use std::io::pipe;
use std::process::Stdio;

use super::scene::Scene;

#[test]
fn a_reader_that_has_gone_is_no_fault() {
    let scene = Scene::new();
    for line in [
        "windlass --help",
        "windlass --version",
        "windlass export",
        "windlass tenant list",
        "windlass tenant view Customer-1 -o yaml",
        "windlass audit list -o json",
        "windlass release deploy --project Synergy --version 1.0.0 --environment Testing --plan",
        "windlass deployment view \"$DEPLOYMENT\"",
        "windlass completions bash",
        "windlass-agent check-config --config agent.toml",
        "windlass-coordinator check-config",
        "windlass-coordinator verify --data \"$DATA\"",
    ] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = scene.command(line).stdout(Stdio::from(writer)).output().expect("the shell starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "{line}");
    }
}

#[test]
fn a_sentence_that_nobody_can_read_changes_no_exit_code() {
    let scene = Scene::new();
    for (line, code) in [
        ("windlass tenant view Customer-3 2> /dev/full", 4),
        ("windlass tennant 2> /dev/full", 2),
        ("windlass-agent status --config missing.toml 2> /dev/full", 2),
        ("windlass-coordinator verify --data missing 2> /dev/full", 2),
    ] {
        let output = scene.shell(line);
        assert_eq!(output.status.code(), Some(code), "{line}");
    }
}
