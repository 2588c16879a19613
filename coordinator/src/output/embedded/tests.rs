//! What is of the files alone: the room that they take, and parts of the store that fail, one by one.

mod full_disk;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::files::Files;
use super::*;
use crate::output::tests::{SMALL, TARGET, after_a_crash, append, assignment, lines, overfill, runs};
use crate::output::{Missing, Why};

fn opened(data: &Path, limits: Limits) -> Files {
    let index = SharedIndex(Arc::new(RwLock::new(None)));
    let mut files = Files::new(&data.join("output"), &data.join("output-index"), limits, index);
    files.open().unwrap();
    files
}

/// Writes batches of one line each past the index, as a process that dies before it comes to the index.
fn write(files: &mut Files, numbers: std::ops::RangeInclusive<u64>) {
    let writer = files.writer.as_mut().unwrap();
    for number in numbers {
        let batch = Batch {
            assignment: assignment(1),
            target: Some(TARGET),
            first: number,
            lines: lines(number..=number),
            full: false,
        };
        writer.append(&batch.to_line()).unwrap();
        writer.sync().unwrap();
    }
}

#[test]
fn an_index_whose_disk_failed_is_opened_anew_and_learns_what_it_missed() {
    let place = tempfile::tempdir().unwrap();
    let mut files = opened(place.path(), SMALL);
    write(&mut files, 1..=5);
    files.open().unwrap();
    assert_eq!(files.both().unwrap().1.entry(assignment(1)).unwrap().unwrap().next, 6);
    write(&mut files, 6..=7);
    let failed = windlass_store::StoreError::Io {
        folder: place.path().to_owned(),
        source: std::io::ErrorKind::StorageFull.into(),
    };
    files.close_failed(&Failure::Store(failed));
    assert!(matches!(files.both().err(), Some(Failure::Output(OutputError::NotWorking))));
    // sled lets its own lock go a moment after it was dropped.
    let started = Instant::now();
    while let Err(why) = files.open() {
        assert!(started.elapsed() < Duration::from_secs(60), "{why}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(files.both().unwrap().1.entry(assignment(1)).unwrap().unwrap().next, 8);
}

#[test]
fn files_that_failed_leave_the_index_to_readers() {
    let place = tempfile::tempdir().unwrap();
    let mut files = opened(place.path(), SMALL);
    files.close_failed(&Failure::Output(OutputError::NotWorking));
    assert!(files.index.get().is_ok() && files.writer.is_none());
}

#[test]
fn a_removal_that_a_crash_interrupted_is_finished_at_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let mut files = opened(place.path(), SMALL);
    write(&mut files, 1..=100);
    files.open().unwrap();
    let (writer, index) = files.both().unwrap();
    let second = writer.sizes().unwrap()[1].first;
    // The index has forgotten, durably, and the files are still there.
    for line in windlass_segments::read(place.path().join("output"), 1).unwrap() {
        let (number, line) = line.unwrap();
        if number < second {
            index.forget(&parse(number, &line).unwrap(), second).unwrap();
        }
    }
    index.keep_from(second).unwrap();
    index.commit().unwrap();
    assert_eq!(writer.first(), 1);
    files.open().unwrap();
    let (writer, index) = files.both().unwrap();
    assert_eq!(writer.first(), second);
    assert_eq!(index.places(assignment(1), 1).unwrap(), (second..=100).collect::<Vec<_>>());
}

#[test]
fn old_output_that_is_damaged_is_removed_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let mut files = opened(place.path(), Limits { total_bytes: 16 << 10, ..SMALL });
    write(&mut files, 1..=100);
    files.open().unwrap();
    let first = place.path().join("output/00000000000000000001.jsonl");
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replacen("assignment", "assignmemt", 1)).unwrap();
    retention::retain(&mut files).unwrap();
    assert!(!first.exists());
    let (writer, index) = files.both().unwrap();
    assert_eq!(index.kept().unwrap(), writer.first());
}

/// Bytes of all files of output.
fn size(data: &Path) -> u64 {
    let files = fs::read_dir(data.join("output")).unwrap();
    files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn what_is_left_out_takes_no_room() {
    let place = tempfile::tempdir().unwrap();
    let store = Embedded::open(place.path(), Limits { assignment_bytes: 1, ..SMALL }).unwrap();
    assert_eq!(append(&store, assignment(1), 1..=10).await, Some(11));
    let before = size(place.path());
    for first in 1..100 {
        let numbers = first * 10 + 1..=first * 10 + 10;
        assert_eq!(append(&store, assignment(1), numbers).await, Some(first * 10 + 11));
    }
    assert_eq!(size(place.path()), before);
    let missing = Missing { first: 1, last: 1000, why: Why::LeftOut };
    assert_eq!(runs(&store, assignment(1), None), [Err(missing)]);
}

#[tokio::test]
async fn files_take_the_room_that_they_may_and_no_more() {
    let place = tempfile::tempdir().unwrap();
    overfill(&Embedded::open(place.path(), SMALL).unwrap()).await;
    let slack = 2 * SMALL.segment_bytes;
    let (size, may) = (size(place.path()), SMALL.total_bytes);
    assert!((may - slack..=may + slack).contains(&size), "{size}");
}

/// What somebody or a disk did to the index.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Other bytes at a place of a file, in 4096ths of it.
    Bytes(&'static str, usize, usize),
    /// A file of it has nothing in it.
    Empty(&'static str),
    /// A file of it is missing.
    Missing(&'static str),
    NoFolder,
}

impl Damage {
    fn apply(self, index: &Path) {
        match self {
            Self::Bytes(name, at, count) => {
                let path = index.join(name);
                let mut bytes = fs::read(&path).unwrap();
                let start = bytes.len() * at / 4096;
                let end = (start + count).min(bytes.len());
                bytes[start..end].fill(0xa5);
                fs::write(&path, bytes).unwrap();
            }
            Self::Empty(name) => fs::write(index.join(name), "").unwrap(),
            Self::Missing(name) => fs::remove_file(index.join(name)).unwrap(),
            Self::NoFolder => {
                fs::remove_dir_all(index).unwrap();
                fs::write(index, "in the way").unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_index_that_is_damaged_is_made_anew_from_the_files() {
    let place = tempfile::tempdir().unwrap();
    let mut files = opened(place.path(), SMALL);
    write(&mut files, 1..=100);
    // What it had missed is committed then.
    files.open().unwrap();
    let damages = [
        Damage::Bytes("conf", 0, 4),
        Damage::Bytes("db", 0, 64),
        Damage::Bytes("db", 0, 1 << 20),
        Damage::Bytes("db", 1, 4096),
        Damage::Empty("conf"),
        Damage::Empty("db"),
        Damage::Missing("conf"),
        Damage::Missing("db"),
        Damage::NoFolder,
    ];
    // Wherever in what sled has written so far, which is at the beginning.
    let blocks = (0..256).step_by(4).map(|at| Damage::Bytes("db", at, 512));
    let mut wrong = Vec::new();
    for damage in damages.into_iter().chain(blocks) {
        let copy = after_a_crash(place.path(), true);
        damage.apply(&copy.path().join("output-index"));
        let outcome = std::panic::catch_unwind(|| {
            let store = Embedded::open(copy.path(), SMALL).map_err(|why| why.to_string())?;
            Ok::<_, String>(runs(&store, assignment(1), None))
        });
        match outcome {
            Ok(Ok(found)) if found == [Ok((1, 100))] => {}
            other => wrong.push(format!("{damage:?}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_the_system_said_is_told_where_the_files_cannot_be_opened() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("output"), "in the way").unwrap();
    let why = Embedded::open(place.path(), SMALL).err().unwrap().to_string();
    assert!(why.contains("(os error "), "{why}");
}

#[tokio::test]
async fn that_the_thread_which_writes_has_panicked_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let (queue, appends) = mpsc::channel(QUEUE);
    let index = SharedIndex(Arc::new(RwLock::new(None)));
    let store = Embedded { folder: place.path().to_owned(), index, queue };
    let thread = std::thread::spawn(move || {
        let mut appends: mpsc::Receiver<Append> = appends;
        let append = appends.blocking_recv();
        panic!("as a mistake in it would, {} appends later", usize::from(append.is_some()));
    });
    let early = tokio::time::timeout(Duration::from_millis(50), store.ended()).await;
    assert!(early.is_err(), "it waits for one");
    assert_eq!(append(&store, assignment(1), 1..=1).await, None);
    let ended = tokio::time::timeout(Duration::from_secs(60), store.ended()).await;
    assert!(matches!(ended, Ok(OutputError::Ended)), "{ended:?}");
    assert!(thread.join().is_err());
}
