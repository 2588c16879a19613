//! Snapshots that hold, and every way in which one does not: then the start takes longer, and that is all.

use std::fs;
use std::path::PathBuf;
use std::thread;

use super::super::snapshot::{VERSION, list};
use super::*;

/// Snapshots at records 3 and 6, each confirmed, and something after.
fn story() -> Story {
    let mut story = Story::new();
    story.create("one");
    story.create("two");
    story.snapshot();
    story.delete("one");
    story.create("three");
    story.snapshot();
    story.delete("two");
    story.sync();
    story
}

fn files(story: &Story) -> Vec<PathBuf> {
    let entries = fs::read_dir(story.data.join("snapshots")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_newest_snapshot_is_started_from() {
    let story = story();
    assert_eq!(story.start(), 6);
}

#[test]
fn a_snapshot_that_is_damaged_is_left_aside_for_an_older_one() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 5] = [
        ("a byte of a name changed", |text| {
            let at = text.windows(5).position(|part| part == b"three").unwrap();
            text[at] = b'T';
        }),
        ("cut short", |text| text.truncate(text.len() / 2)),
        ("empty", Vec::clear),
        ("something behind it", |text| text.extend(b"{}")),
        ("something that is no text", |text| text.fill(0xff)),
    ];
    for (what, damage) in cases {
        let story = story();
        let [old, new] = files(&story).try_into().unwrap();
        let mut text = fs::read(&new).unwrap();
        damage(&mut text);
        fs::write(&new, &text).unwrap();
        assert_eq!(story.start(), 3, "{what}");
        fs::write(&old, &text).unwrap();
        assert_eq!(story.start(), 0, "{what}, both");
    }
}

#[test]
fn snapshots_that_cannot_be_listed_are_not_needed() {
    let story = story();
    let folder = story.data.join("snapshots");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert_eq!(story.start(), 0);
}

#[test]
fn a_confirmed_snapshot_whose_tail_does_not_fit_is_left_aside() {
    let mut story = story();
    // As of a version that lost something: the tail deletes what this snapshot does not hold.
    story.create("four");
    let mut state = story.state.clone();
    state.tokens = state.tokens.into_iter().filter(|(_, token)| token.name.as_str() != "four").collect();
    story.snapshot_of(state);
    story.delete("four");
    story.sync();
    assert_eq!(story.start(), 6);
}

#[test]
fn a_snapshot_of_another_version_is_left_aside() {
    for version in [VERSION - 1, VERSION + 1] {
        let mut story = story();
        let snapshot = Snapshot { version, ..Snapshot::of(story.head.hash, story.state.clone()) };
        let digest = snapshot.write(&story.data).unwrap();
        story.carry_out(&Command::RecordSnapshot { record: snapshot.state.number, digest });
        story.sync();
        assert_eq!(story.start(), 6, "the one before it");
    }
}

#[test]
fn a_line_of_a_later_format_is_called_that_and_not_damaged() {
    use crate::journal::GENESIS;
    use crate::journal::line::{BadLine, Line};
    let story = story();
    let mut lines = crate::journal::lines(&story.data, 1).unwrap();
    let (_, line) = lines.next_line().unwrap().unwrap();
    let later = String::from_utf8(line.to_vec()).unwrap().replace(r#""format":1,"#, r#""format":2,"#);
    assert!(Line::read(line, GENESIS).is_ok());
    for read in [Line::read(later.as_bytes(), GENESIS), Line::stored(later.as_bytes())] {
        assert_eq!(read.err(), Some(BadLine::Newer(2)));
    }
}

#[test]
fn a_snapshot_of_another_history_is_left_aside() {
    let mut story = story();
    let snapshot = Snapshot::of(Digest::of("another"), story.state.clone());
    let digest = snapshot.write(&story.data).unwrap();
    story.carry_out(&Command::RecordSnapshot { record: snapshot.state.number, digest });
    story.sync();
    assert_eq!(story.start(), 6);
    // One that is ahead of the journal, as after somebody put an old journal back.
    let state = State { number: 1000, ..story.state.clone() };
    Snapshot::of(story.head.hash, state).write(&story.data).unwrap();
    assert_eq!(story.start(), 0, "and only two are kept");
}

#[test]
fn snapshots_that_are_written_at_once_do_not_meet() {
    let mut story = Story::new();
    for number in 0..200 {
        story.create(&format!("token-{number}"));
    }
    story.sync();
    let (data, head) = (&story.data, story.head.hash);
    thread::scope(|scope| {
        for writer in 0..4 {
            let state = &story.state;
            scope.spawn(move || {
                for round in 0..5 {
                    let state = State { number: 1000 + round * 4 + writer, ..state.clone() };
                    // One that a newer one made useless may find itself gone, and nothing worse.
                    let _ = Snapshot::of(head, state).write(data);
                }
            });
        }
    });
    let found = list(&data.join("snapshots")).unwrap();
    assert_eq!(found.last().unwrap().sequence, 1019, "the newest is always there");
    for found in found {
        assert!(found.read().is_ok());
    }
}

#[test]
fn what_a_crash_left_of_a_snapshot_goes_with_the_next() {
    let mut story = story();
    let left = story.data.join("snapshots/00000000000000000004.partial");
    fs::write(&left, "half").unwrap();
    let newer = story.data.join("snapshots/00000000000000009999.partial");
    fs::write(&newer, "somebody writes it").unwrap();
    story.snapshot();
    assert!(!left.exists() && newer.exists());
    assert_eq!(files(&story).len(), 3);
}
