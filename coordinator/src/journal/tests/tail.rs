//! A journal whose end is missing, though it was acknowledged.

use std::fs;

use super::*;
use crate::journal::{Finding, Verified, folder, verify};

/// A journal of four records, its file, and where each of its lines ends there.
fn four_records() -> (TempDir, PathBuf, Vec<usize>) {
    let place = tempfile::tempdir().unwrap();
    let mut story = Story::over(place.path());
    for name in ["one", "two", "three"] {
        story.create(name);
        story.sync();
    }
    let path = folder(place.path()).join("00000000000000000001.jsonl");
    let bytes = fs::read(&path).unwrap();
    let ends = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
    (place, path, ends)
}

#[test]
fn a_tail_that_was_acknowledged_and_is_missing_is_found_and_stops_the_start() {
    let (_place, _, ends) = four_records();
    assert_eq!(ends.len(), 4);
    for (left, records) in
        [(ends[2], 3), (ends[3] - 1, 3), (ends[2] + 40, 3), (ends[0], 1), (ends[0] - 1, 0), (0, 0)]
    {
        let (place, path, _) = four_records();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..left]).unwrap();
        let lost = Finding::Lost { records, acknowledged: 4 };
        assert_eq!(verify(place.path(), None), Err(lost), "{left} bytes");
        // Before anything is made that the start would make.
        let replayed = replay(place.path()).err().unwrap().to_string();
        let opened = Embedded::open(place.path()).err().unwrap().to_string();
        for why in [replayed, opened] {
            assert!(why.contains("its lines up to 4 were durable"), "{why}");
        }
        assert_eq!(fs::read(&path).unwrap().len(), left, "it is left as it is found");

        // Who accepts the loss says so.
        fs::remove_file(folder(place.path()).join("durable")).unwrap();
        assert_eq!(verify(place.path(), None).map(|verified| verified.records), Ok(records));
        assert!(Embedded::open(place.path()).is_ok());
    }
}

#[test]
fn what_was_not_acknowledged_may_be_there_or_not() {
    let (place, path, ends) = four_records();
    let whole = fs::read(&path).unwrap();
    fs::write(folder(place.path()).join("durable"), "00000000000000000003\n").unwrap();
    for (left, records) in [(ends[3], 4), (ends[3] - 1, 3), (ends[2], 3)] {
        fs::write(&path, &whole[..left]).unwrap();
        let found = verify(place.path(), None);
        assert!(matches!(found, Ok(Verified { records: found, .. }) if found == records), "{found:?}");
    }
}
