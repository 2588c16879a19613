//! Files that are replaced whole, by many at once.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs;
use std::path::Path;
use std::thread;

use windlass_segments::disk;

const WRITERS: u8 = 4;
const ROUNDS: usize = 50;

/// What a writer says: of a length of its own, so that a mixture of two shows.
fn said(writer: u8) -> Vec<u8> {
    vec![writer; 1000 * usize::from(writer)]
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn who_replaces_a_file_at_the_same_time_gets_in_nobodys_way() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    disk::replace(&path, &said(1), "test").unwrap();
    thread::scope(|scope| {
        for writer in 1..=WRITERS {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    disk::replace(path, &said(writer), "test").unwrap();
                    let found = fs::read(path).unwrap();
                    assert!((1..=WRITERS).any(|other| found == said(other)), "{} bytes", found.len());
                }
            });
        }
    });
    assert_eq!(names(place.path()), ["file"]);
}

#[test]
fn files_whose_names_begin_alike_have_nothing_in_common() {
    let place = tempfile::tempdir().unwrap();
    let paths = ["._", "._.step", "._.other", "x.one", "x.two"].map(|name| place.path().join(name));
    thread::scope(|scope| {
        for (writer, path) in (1..).zip(&paths) {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    disk::replace(path, &said(writer), "test").unwrap();
                    assert_eq!(fs::read(path).unwrap(), said(writer));
                }
            });
        }
    });
    assert_eq!(names(place.path()).len(), paths.len());
}

#[test]
fn what_a_crash_left_of_a_file_is_no_part_of_the_next_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(disk::partial(&path), said(9)).unwrap();
    disk::replace(&path, b"short", "test").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"short");
    assert_eq!(names(place.path()), ["file"]);
}
