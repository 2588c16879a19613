//! Readers that run while a writer writes.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windlass_segments::{Lines, Options, SegmentError, Writer, read};

const LINES: u64 = 6_000;

fn line(number: u64) -> Vec<u8> {
    format!("{number} {}", "y".repeat((number * 7919 % 500) as usize)).into_bytes()
}

/// Reads to line `LINES`, and checks each; returns how often the end was met on the way.
fn follow(mut lines: Lines, report: &AtomicU64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut waits = 0;
    while lines.position() <= LINES {
        let position = lines.position();
        match lines.next_line().unwrap() {
            Some((number, text)) => {
                assert_eq!((number, text), (position, line(number).as_slice()));
                report.store(number, Ordering::Relaxed);
            }
            None => {
                assert!(Instant::now() < deadline, "stuck at line {position}");
                waits += 1;
                thread::yield_now();
            }
        }
    }
    waits
}

#[test]
fn a_reader_follows_a_writer_that_rotates_and_removes() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let options = Options { segment_bytes: 20_000, ..Options::default() };
    let (mut writer, _) = Writer::open(&folder, options).unwrap();
    let reached = AtomicU64::new(0);
    let waits = thread::scope(|scope| {
        let reader = scope.spawn(|| follow(read(&folder, 1).unwrap(), &reached));
        while writer.durable() < LINES {
            let batch = (writer.next() % 23).min(LINES + 1 - writer.next()).max(1);
            for _ in 0..batch {
                writer.append(&line(writer.next())).unwrap();
            }
            writer.sync().unwrap();
            writer.truncate_before(reached.load(Ordering::Relaxed)).unwrap();
        }
        reader.join().unwrap()
    });
    assert!(waits > 0, "the reader never caught up, so nothing was tested");
    assert!(writer.first() > 1, "nothing was removed, so nothing was tested");
}

#[test]
fn a_write_is_seen_when_its_line_is_whole_and_a_torn_one_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let (mut writer, _) = Writer::open(&folder, Options::default()).unwrap();
    writer.append(b"one").unwrap();
    writer.sync().unwrap();
    let mut lines = read(&folder, 1).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), (1, b"one".to_vec()));

    let path = folder.join(format!("{:020}.jsonl", 1));
    let mut segment = OpenOptions::new().append(true).open(&path).unwrap();
    segment.write_all(b"to").unwrap();
    assert!(lines.next().is_none());
    segment.write_all(b"rn").unwrap();
    assert!(lines.next().is_none());
    drop(writer);
    let (mut writer, recovery) = Writer::open(&folder, Options::default()).unwrap();
    assert_eq!(recovery.cut_bytes, 4);
    assert!(lines.next().is_none());
    writer.append(b"another line").unwrap();
    writer.sync().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), (2, b"another line".to_vec()));
    assert!(lines.next().is_none());
}

#[test]
fn lines_that_vanish_after_they_were_read_are_noticed() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let (mut writer, _) = Writer::open(&folder, Options::default()).unwrap();
    writer.append(b"one").unwrap();
    writer.append(b"two").unwrap();
    writer.sync().unwrap();
    let mut lines = read(&folder, 1).unwrap();
    assert_eq!(lines.by_ref().count(), 2);
    let path = folder.join(format!("{:020}.jsonl", 1));
    fs::write(&path, b"one\n").unwrap();
    for _ in 0..2 {
        let error = lines.next().unwrap().unwrap_err();
        assert!(matches!(&error, SegmentError::Shrunk { path: named } if *named == path), "{error:?}");
    }
}
