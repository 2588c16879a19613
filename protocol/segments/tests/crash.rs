//! Killing a writer at every point that it passes: what it acknowledged is there afterwards.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use windlass_segments::{Options, Writer, read_kept};
use windlass_workshop::Killed;

const WRITER: Killed = Killed { test: "a_writer_killed_at_any_point_loses_nothing_acknowledged" };
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
    if let Some(place) = Killed::place() {
        return write_until_killed(&place);
    }
    let expected = [
        "crash-after-create",
        "crash-after-open",
        "crash-after-remove",
        "crash-after-rotate",
        "crash-after-sync",
        "crash-after-write",
        "crash-before-create",
        "crash-before-remove",
        "crash-before-rotate",
        "crash-before-write",
    ];
    WRITER.at_every_point(|_| true, &expected, check);
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
        assert_eq!(WRITER.run(place.path(), Some(point)).signal(), Some(9), "{point}");
        check(place.path(), if cut_later { "torn" } else { point });
    }
}

#[test]
fn a_file_arms_a_point_at_one_passing_and_only_once() {
    let place = tempfile::tempdir().unwrap();
    let arms = place.path().join("arms");
    fs::create_dir(&arms).unwrap();
    fs::write(arms.join("crash-after-sync"), "2").unwrap();
    let run = || WRITER.command(place.path()).env("WINDLASS_FAIL_FOLDER", &arms).status().unwrap();
    assert_eq!(run().signal(), Some(9));
    let passed = Killed::passed(place.path());
    assert_eq!(passed.iter().filter(|point| *point == "crash-after-sync").count(), 2);
    let left: Vec<_> = fs::read_dir(&arms).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["crash-after-sync.killed"]);
    assert!(run().success(), "one file is one kill");
}
