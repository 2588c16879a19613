//! Making an installation, interrupted anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn init(place: &Path, point: Option<&str>) -> Output {
    let programs = windlass_tests::killable_programs().expect("the programs build");
    let mut command = Command::new(programs.join("windlass-coordinator"));
    command.arg("init").arg("--data").arg(place.join("data")).env("WINDLASS_FAIL_LOG", place.join("points"));
    if let Some(point) = point {
        command.env("WINDLASS_FAIL_POINT", point);
    }
    command.output().expect("windlass-coordinator starts")
}

fn administrator(place: &Path) -> Output {
    let programs = windlass_tests::killable_programs().expect("the programs build");
    let mut command = Command::new(programs.join("windlass-coordinator"));
    command.arg("administrator").arg("--data").arg(place.join("data")).args(["--name", "second"]);
    command.output().expect("windlass-coordinator starts")
}

#[test]
fn an_installation_that_was_interrupted_is_simply_made_again() {
    let place = tempfile::tempdir().expect("a folder");
    assert!(init(place.path(), None).status.success());
    let log = fs::read_to_string(place.path().join("points")).expect("a log");
    let mut passed: BTreeMap<&str, u32> = BTreeMap::new();
    for name in log.lines() {
        let count = passed.entry(name).or_default();
        *count += 1;
        let point = format!("{name}:{count}");
        let place = tempfile::tempdir().expect("a folder");
        let killed = init(place.path(), Some(&point));
        assert_eq!(killed.status.signal(), Some(9), "{point}");
        assert!(killed.stdout.is_empty(), "{point}: a token that nothing knows was told");
        let again = init(place.path(), None);
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        // Once the first record is written it is an installation, whose token was not told.
        let made = matches!(name, "journal-after-write" | "journal-after-sync");
        assert_eq!(again.status.success(), !made, "{point}: {said}");
        assert!(!made || said.contains("holds an installation already"), "{point}: {said}");
        // Nobody saw the first token; who has the machine makes another one.
        if made {
            let other = administrator(place.path());
            assert!(other.status.success() && other.stdout.starts_with(b"wlt_"), "{point}: {other:?}");
        }
    }
    let keys = passed.get("key-before-rename").copied();
    assert!(keys >= Some(3), "the master key, the CA's key and its certificate: {passed:?}");
}
