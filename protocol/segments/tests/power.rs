//! Losing the power at every point of a writer's work: what it acknowledged is there afterwards, nothing is there that
//! was not written, and it starts.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use windlass_segments::disk::{self, File};
use windlass_segments::power::{Loss, Recording};
use windlass_segments::{Options, Writer, durable, read_kept};

const OPTIONS: Options = Options { segment_bytes: 4000, line_bytes: 3000, name: "power" };

/// From less than a sector to several.
fn line(number: u64) -> String {
    format!("line {number} {}", "x".repeat((number * 611 % 1700) as usize))
}

fn write(recording: &Recording, folder: &Path) {
    for round in 0..10 {
        // Each round is a process of its own, or goes on in the last one's.
        let (mut writer, _) = Writer::open(folder, OPTIONS).unwrap();
        for batch in 0..round % 3 + 1 {
            for _ in 0..=(round + batch) % 4 {
                writer.append(line(writer.next()).as_bytes()).unwrap();
            }
            writer.sync().unwrap();
            recording.acknowledge(writer.durable());
        }
        if round == 7 {
            assert!(writer.truncate_before(writer.durable()).unwrap() >= 3, "several segments go at once");
        }
    }
}

/// Opens what is left, looks at it, and goes on.
fn check(loss: &Loss<'_>) {
    let folder = loss.folder.join("lines");
    let unseen = read_kept_or_nothing(&folder);
    let (mut writer, _) = Writer::open(&folder, OPTIONS).unwrap_or_else(|why| panic!("{}: {why}", loss.name));
    assert!(writer.durable() >= loss.acknowledged, "{}: {} of {writer:?}", loss.name, loss.acknowledged);
    let next = writer.next();
    assert!(unseen.iter().all(|(number, _)| *number < next), "{}: a reader saw what was cut off", loss.name);
    writer.append(line(next).as_bytes()).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let (writer, recovery) = Writer::open(&folder, OPTIONS).unwrap();
    assert_eq!((recovery.next, recovery.cut_bytes), (next + 1, 0), "{}", loss.name);
    let lines = read_kept_or_nothing(&folder);
    assert_eq!(
        lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        Vec::from_iter(writer.first()..=next)
    );
    for (number, text) in lines {
        assert_eq!(text, line(number).as_bytes(), "{}: line {number}", loss.name);
    }
}

/// As a reader that comes before any writer.
fn read_kept_or_nothing(folder: &Path) -> Vec<(u64, Vec<u8>)> {
    if !folder.exists() {
        return Vec::new();
    }
    read_kept(folder).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_writer_that_loses_its_power_loses_nothing_acknowledged_and_starts() {
    let place = tempfile::tempdir().unwrap();
    let recording = Recording::start(place.path());
    write(&recording, &place.path().join("lines"));
    let recorded = recording.finish();
    assert!(recorded.len() > 100, "{recorded:?}");
    let disks = recorded.cut(check);
    assert!(disks > 500, "{disks} disks are not many");
}

/// The power goes again while the disk is put right.
#[test]
fn a_recovery_that_loses_its_power_can_be_run_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let recording = Recording::start(place.path());
    let (mut writer, _) = Writer::open(&folder, OPTIONS).unwrap();
    for _ in 0..2 {
        for _ in 0..3 {
            let next = line(writer.next());
            writer.append(next.as_bytes()).unwrap();
        }
        writer.sync().unwrap();
        recording.acknowledge(writer.durable());
    }
    drop(writer);
    let mut recoveries = 0;
    let recorded = recording.finish();
    recorded.cut(|loss| {
        // Recovering from each would take long; every few are as different.
        recoveries += 1;
        if recoveries % 7 != 0 {
            return;
        }
        let recording = Recording::start(loss.folder);
        recording.acknowledge(loss.acknowledged);
        let (writer, _) = Writer::open(loss.folder.join("lines"), OPTIONS).unwrap();
        // Lines that a reader was shown after an opening count as durable from then on.
        recording.acknowledge(writer.durable());
        drop(writer);
        recording.finish().cut_usual(check);
    });
}

/// What somebody left who died before a sync, or took away, counts as it lies there: an opening shows it to readers, so
/// from then on it is durable.
#[test]
fn what_an_opening_finds_is_durable_when_it_returns() {
    let segment = |folder: &Path, first: u64| folder.join(format!("{first:020}.jsonl"));
    let open = |options: &mut OpenOptions, path: &Path| File::open(options.append(true), path).unwrap();
    for (what, found) in [("a line", 4), ("a segment", 3), ("no mark", 3)] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lines");
        let recording = Recording::start(place.path());
        let (mut writer, _) = Writer::open(&folder, OPTIONS).unwrap();
        for number in 1..=3 {
            writer.append(line(number).as_bytes()).unwrap();
        }
        writer.sync().unwrap();
        drop(writer);
        match what {
            "a line" => {
                let mut file = open(&mut OpenOptions::new(), &segment(&folder, 1));
                file.write_all(format!("{}\n", line(4)).as_bytes()).unwrap();
            }
            "a segment" => drop(open(OpenOptions::new().create_new(true), &segment(&folder, 4))),
            _ => disk::remove(&folder.join("durable")).unwrap(),
        }
        let (mut writer, _) = Writer::open(&folder, OPTIONS).unwrap();
        assert_eq!(writer.durable(), found, "{what}");
        recording.acknowledge(found);
        writer.append(line(writer.next()).as_bytes()).unwrap();
        writer.sync().unwrap();
        recording.acknowledge(writer.durable());
        recording.finish().cut_usual(|loss| {
            // A mark that is made anew must not say less than its absence, by which every line counts.
            if what == "no mark" && loss.acknowledged >= found {
                let mark = durable(loss.folder.join("lines")).unwrap();
                assert!(mark.is_none_or(|mark| mark >= found), "{}: {mark:?}", loss.name);
            }
            check(loss);
        });
    }
}
