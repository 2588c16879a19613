//! What was durable and is damaged is refused; what was not, and is, is cut off.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_segments::{Options, SegmentError, Writer, read};

const SMALL: Options = Options { segment_bytes: 20, line_bytes: 50, name: "test" };

/// A folder with five lines of seven bytes, three and two a segment.
fn five_lines() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let (mut writer, _) = Writer::open(&folder, SMALL).unwrap();
    for number in 1..=5 {
        writer.append(format!("line{number:02}").as_bytes()).unwrap();
        writer.sync().unwrap();
    }
    (place, folder)
}

fn last(folder: &Path) -> PathBuf {
    folder.join("00000000000000000004.jsonl")
}

fn set_mark(folder: &Path, text: &str) {
    fs::write(folder.join("durable"), text).unwrap();
}

fn count(folder: &Path) -> Result<usize, String> {
    let plain = |why: SegmentError| why.to_string().replace(folder.to_str().unwrap(), "F");
    read(folder, 1).unwrap().collect::<Result<Vec<_>, _>>().map(|lines| lines.len()).map_err(plain)
}

fn open(folder: &Path) -> Result<u64, String> {
    let plain = |why: SegmentError| why.to_string().replace(folder.to_str().unwrap(), "F");
    Writer::open(folder, SMALL).map(|(_, recovery)| recovery.cut_bytes).map_err(plain)
}

#[test]
fn the_mark_says_which_lines_are_durable_for_whoever_looks() {
    let (_place, folder) = five_lines();
    assert_eq!(fs::read_to_string(folder.join("durable")).unwrap(), "00000000000000000005\n");
}

#[test]
fn zeros_are_cut_off_only_where_nothing_was_durable() {
    let damaged = "line 4, at byte 0 of F/00000000000000000004.jsonl, is damaged".to_owned();
    // The mark, and what a reader and then a writer make of zeros in the fourth line.
    let cases = [
        ("00000000000000000005\n", Err(damaged.clone()), Err(damaged.clone())),
        ("00000000000000000004\n", Err(damaged.clone()), Err(damaged.clone())),
        ("00000000000000000003\n", Ok(3), Ok(14)),
        ("00000000000000000000\n", Ok(3), Ok(14)),
        // The kernel had not come to write it.
        ("", Ok(3), Ok(14)),
        ("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Ok(3), Ok(14)),
        // Nobody knows.
        ("3\n", Err(damaged.clone()), Err(damaged.clone())),
        ("0000000000000000000x\n", Err(damaged.clone()), Err(damaged.clone())),
    ];
    for (mark, seen, opened) in cases {
        let (_place, folder) = five_lines();
        fs::write(last(&folder), "li\0\0\0\0\nline05\n").unwrap();
        set_mark(&folder, mark);
        assert_eq!(count(&folder), seen, "{mark:?}");
        // A refusal changes nothing, so that it is repeated.
        for _ in 0..2 {
            assert_eq!(open(&folder), opened, "{mark:?}");
            if opened.is_ok() {
                break;
            }
        }
        assert_eq!(opened.is_ok(), fs::read(last(&folder)).unwrap().is_empty(), "{mark:?}");
    }
}

#[test]
fn zeros_in_a_segment_that_is_finished_are_damage_whatever_the_mark_says() {
    let (_place, folder) = five_lines();
    fs::write(folder.join("00000000000000000001.jsonl"), "line01\nli\0\0\0\0\nline03\n").unwrap();
    set_mark(&folder, "00000000000000000000\n");
    let said = "F/00000000000000000001.jsonl ends inside a line, at byte 7, but is not the last segment";
    assert_eq!(count(&folder), Err(said.to_owned()));
}

#[test]
fn a_mark_that_is_missing_makes_a_writer_strict_and_comes_back() {
    let (_place, folder) = five_lines();
    fs::write(last(&folder), "li\0\0\0\0\nline05\n").unwrap();
    fs::remove_file(folder.join("durable")).unwrap();
    for _ in 0..2 {
        assert!(open(&folder).unwrap_err().ends_with("is damaged"));
    }
    fs::write(last(&folder), "line04\nline").unwrap();
    assert_eq!(open(&folder), Ok(4));
    assert_eq!(fs::read_to_string(folder.join("durable")).unwrap(), "00000000000000000004\n");
}

#[test]
fn a_tail_that_was_durable_and_is_gone_is_missed_until_that_is_accepted() {
    for (left, found) in [("line04\n", 4), ("line04\nline0", 4), ("", 3)] {
        let (_place, folder) = five_lines();
        fs::write(last(&folder), left).unwrap();
        let said = format!(
            "F ends with line {found}, but its lines up to 5 were durable: lines were lost after they were \
             acknowledged; restore them from a backup, or remove the file `durable` there to go on without them"
        );
        assert_eq!(open(&folder), Err(said), "{left:?}");
        assert_eq!(fs::read_to_string(last(&folder)).unwrap(), left, "what is left is not touched");
        fs::remove_file(folder.join("durable")).unwrap();
        assert!(open(&folder).is_ok(), "{left:?}");
        assert_eq!(count(&folder), Ok(found));
    }
}
