//! Killing a writer at every point that it passes: what it acknowledged is there afterwards.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use windlass_segments::{Options, Writer, read_kept};

const PLACE: &str = "WINDLASS_SEGMENTS_CHILD";
const OPTIONS: Options = Options { segment_bytes: 40, line_bytes: 100, name: "crash" };

fn line(number: u64) -> String {
    format!("line {number} {}", "x".repeat(number as usize % 17))
}

/// What the killed process does: appends, syncs, and notes what it may tell the world, outside of the folder.
fn write_until_killed(place: &Path) {
    let mut acknowledged =
        OpenOptions::new().append(true).create(true).open(place.join("acknowledged")).unwrap();
    let (mut writer, _) = Writer::open(place.join("lines"), OPTIONS).unwrap();
    for round in 0..12 {
        for _ in 0..round % 4 {
            writer.append(line(writer.next()).as_bytes()).unwrap();
        }
        writer.sync().unwrap();
        writeln!(acknowledged, "{}", writer.durable()).unwrap();
        if round == 8 {
            writer.truncate_before(12).unwrap();
        }
    }
}

fn run_child(place: &Path, point: Option<&str>) -> ExitStatus {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_writer_killed_at_any_point_loses_nothing_acknowledged", "--nocapture"]);
    command.env(PLACE, place).env("WINDLASS_FAIL_LOG", place.join("points"));
    if let Some(point) = point {
        command.env("WINDLASS_FAIL_POINT", point);
    }
    command.status().unwrap()
}

fn check(place: &Path, point: &str) {
    let acknowledged = fs::read_to_string(place.join("acknowledged")).unwrap_or_default();
    let acknowledged: u64 = acknowledged.lines().last().map_or(0, |number| number.parse().unwrap());
    let (mut writer, recovery) = Writer::open(place.join("lines"), OPTIONS).unwrap();
    assert!(writer.durable() >= acknowledged, "{point}: {acknowledged} lines were acknowledged, {writer:?}");
    assert_eq!(recovery.cut_bytes > 0, point == "torn", "{point}: a kill alone tears no write");
    let next = writer.next();
    writer.append(line(next).as_bytes()).unwrap();
    writer.sync().unwrap();
    let lines = read_kept(place.join("lines")).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(lines.last().map(|(number, _)| *number), Some(next), "{point}");
    for (number, text) in lines {
        assert_eq!(text, line(number).as_bytes(), "{point}");
    }
}

#[test]
fn a_writer_killed_at_any_point_loses_nothing_acknowledged() {
    if let Some(place) = env::var_os(PLACE) {
        return write_until_killed(Path::new(&place));
    }
    let place = tempfile::tempdir().unwrap();
    assert!(run_child(place.path(), None).success());
    check(place.path(), "none");
    let log = fs::read_to_string(place.path().join("points")).unwrap();
    let points = log.lines().collect::<Vec<_>>();
    let names = points.iter().copied().collect::<BTreeSet<_>>();
    let expected = [
        "after-create",
        "after-open",
        "after-remove",
        "after-rotate",
        "after-sync",
        "after-write",
        "before-create",
        "before-remove",
        "before-rotate",
        "before-write",
    ];
    assert!(
        names.iter().copied().eq(expected.iter().map(|step| format!("crash-{step}")).collect::<Vec<_>>())
    );
    for name in names {
        for count in 1..=points.iter().filter(|point| **point == name).count() {
            let place = tempfile::tempdir().unwrap();
            let point = format!("{name}:{count}");
            assert_eq!(run_child(place.path(), Some(&point)).signal(), Some(9), "{point}");
            let log = fs::read_to_string(place.path().join("points")).unwrap();
            assert_eq!(log.lines().last(), Some(format!("killed {name}").as_str()));
            check(place.path(), &point);
        }
    }
}

#[test]
fn a_recovery_killed_around_its_cut_can_be_run_again() {
    for (point, cut_later) in [("crash-before-cut", true), ("crash-after-cut", false)] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lines");
        let (mut writer, _) = Writer::open(&folder, OPTIONS).unwrap();
        writer.append(line(1).as_bytes()).unwrap();
        writer.sync().unwrap();
        drop(writer);
        let mut segment =
            OpenOptions::new().append(true).open(folder.join(format!("{:020}.jsonl", 1))).unwrap();
        segment.write_all(b"torn").unwrap();
        assert_eq!(run_child(place.path(), Some(point)).signal(), Some(9), "{point}");
        check(place.path(), if cut_later { "torn" } else { point });
    }
}

#[test]
fn a_file_arms_a_point_at_one_passing_and_only_once() {
    let place = tempfile::tempdir().unwrap();
    let arms = place.path().join("arms");
    fs::create_dir(&arms).unwrap();
    fs::write(arms.join("crash-after-sync"), "2").unwrap();
    let run = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "a_writer_killed_at_any_point_loses_nothing_acknowledged", "--nocapture"]);
        command.env(PLACE, place.path()).env("WINDLASS_FAIL_FOLDER", &arms);
        command.env("WINDLASS_FAIL_LOG", place.path().join("points")).status().unwrap()
    };
    assert_eq!(run().signal(), Some(9));
    let log = fs::read_to_string(place.path().join("points")).unwrap();
    assert_eq!(log.lines().filter(|point| *point == "crash-after-sync").count(), 2);
    let left: Vec<_> = fs::read_dir(&arms).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["crash-after-sync.killed"]);
    assert!(run().success(), "one file is one kill");
}
