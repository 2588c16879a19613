//! What is kept of one assignment and of all, and what is said about the rest.

use super::super::{Why, batch::line_bytes};
use super::*;

const fn left_out(first: u64, last: u64) -> Result<(u64, u64), Missing> {
    Err(Missing { first, last, why: Why::LeftOut })
}

const fn removed(first: u64, last: u64) -> Result<(u64, u64), Missing> {
    Err(Missing { first, last, why: Why::Removed })
}

#[tokio::test]
async fn lines_are_taken_once_and_in_order_and_a_gap_is_answered_with_what_is_expected() {
    let place = tempfile::tempdir().unwrap();
    let store = OutputStore::open(place.path(), SMALL).unwrap();
    let one = assignment(1);
    assert_eq!(append(&store, one, 1..=3).await, Some(4));
    assert_eq!(append(&store, one, 6..=8).await, Some(4), "4 and 5 have to come first");
    assert_eq!(append(&store, one, 2..=5).await, Some(6), "what is there is not taken again");
    assert_eq!(append(&store, one, 1..=2).await, Some(6));
    assert_eq!(append(&store, assignment(2), 5..=6).await, Some(1), "nothing was ever removed");
    assert_eq!(runs(&store, one, None), [Ok((1, 5))]);
    assert_eq!(runs(&store, assignment(2), Some(9)), []);
    assert!(store.append(one, u64::MAX, lines(1..=1)).await.is_err());
}

#[tokio::test]
async fn what_one_assignment_has_too_much_is_acknowledged_and_counted_and_not_kept() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { assignment_bytes: 5 * line_bytes(&lines(1..=1)[0]), ..SMALL };
    let store = OutputStore::open(place.path(), limits).unwrap();
    let one = assignment(1);
    assert_eq!(append(&store, one, 1..=3).await, Some(4));
    assert_eq!(append(&store, one, 4..=9).await, Some(10), "only two of these fit");
    assert_eq!(append(&store, one, 10..=20).await, Some(21));
    assert_eq!(append(&store, one, 8..=12).await, Some(21), "said again, it is counted once");
    assert_eq!(append(&store, assignment(2), 1..=2).await, Some(3), "the limit is each one's own");
    assert_eq!(runs(&store, one, None), [Ok((1, 5)), left_out(6, 20)]);
    assert_eq!(runs(&store, one, Some(20)), [Ok((1, 5)), left_out(6, 20)]);
    for with_index in [true, false] {
        let disk = after_a_crash(place.path(), with_index);
        let store = OutputStore::open(disk.path(), limits).unwrap();
        assert_eq!(runs(&store, one, Some(20)), [Ok((1, 5)), left_out(6, 20)]);
        assert_eq!(append(&store, one, 21..=22).await, Some(23), "the agent goes on where it was");
        assert_eq!(runs(&store, one, Some(22)), [Ok((1, 5)), left_out(6, 22)]);
    }
}

#[tokio::test]
async fn what_is_left_out_takes_no_room() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { assignment_bytes: 1, ..SMALL };
    let store = OutputStore::open(place.path(), limits).unwrap();
    let size = || -> u64 {
        let files = fs::read_dir(place.path().join("output")).unwrap();
        files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    assert_eq!(append(&store, assignment(1), 1..=10).await, Some(11));
    let before = size();
    for first in 1..100 {
        let numbers = first * 10 + 1..=first * 10 + 10;
        assert_eq!(append(&store, assignment(1), numbers).await, Some(first * 10 + 11));
    }
    assert_eq!(size(), before);
    assert_eq!(runs(&store, assignment(1), None), [left_out(1, 1000)]);
}

/// A store into which more came than it keeps: all of `assignment(1)` went, and the first of `assignment(2)`.
async fn overfull(data: &Path) -> OutputStore {
    let store = OutputStore::open(data, SMALL).unwrap();
    for first in [1, 11, 21] {
        assert_eq!(append(&store, assignment(1), first..=first + 9).await, Some(first + 10));
    }
    for first in (1..1000).step_by(10) {
        assert_eq!(append(&store, assignment(2), first..=first + 9).await, Some(first + 10));
    }
    // The answer comes before the tidying, and the next answer after it.
    assert_eq!(append(&store, assignment(2), 1000..=1000).await, Some(1001));
    store
}

/// Checks that the first lines are said to be removed and the others are there; answers with the first that is.
fn kept_of(store: &OutputStore, assignment: AssignmentId, last: u64) -> u64 {
    let runs = runs(store, assignment, None);
    let [Err(Missing { first: 1, last: gone, why: Why::Removed }), Ok((first, end))] = runs[..] else {
        panic!("{runs:?}")
    };
    assert_eq!((gone + 1, end), (first, last));
    first
}

#[tokio::test]
async fn the_oldest_output_goes_when_all_of_it_is_too_much_and_is_said_to_be_removed() {
    let place = tempfile::tempdir().unwrap();
    let store = overfull(place.path()).await;
    let files = fs::read_dir(place.path().join("output")).unwrap();
    let size: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let slack = 2 * SMALL.segment_bytes;
    assert!((SMALL.total_bytes - slack..=SMALL.total_bytes + slack).contains(&size), "{size}");
    assert_eq!(runs(&store, assignment(1), Some(30)), [removed(1, 30)]);
    assert_eq!(runs(&store, assignment(1), None), [], "how many there were is not known any more");
    assert!(kept_of(&store, assignment(2), 1000) > 500);
    assert_eq!(runs(&store, assignment(3), Some(0)), [], "nothing was printed");
}

#[tokio::test]
async fn an_agent_goes_on_where_it_was_though_all_that_it_sent_is_removed() {
    let place = tempfile::tempdir().unwrap();
    let store = overfull(place.path()).await;
    for with_index in [true, false] {
        let disk = after_a_crash(place.path(), with_index);
        let again = OutputStore::open(disk.path(), SMALL).unwrap();
        kept_of(&again, assignment(2), 1000);
        assert_eq!(append(&again, assignment(2), 1001..=1001).await, Some(1002));
        assert_eq!(append(&again, assignment(1), 31..=32).await, Some(33));
        assert_eq!(runs(&again, assignment(1), Some(32)), [removed(1, 30), Ok((31, 32))]);
    }
    assert_eq!(append(&store, assignment(1), 31..=32).await, Some(33));
    assert_eq!(append(&store, assignment(1), 34..=35).await, Some(33), "now it is known again");
}

#[tokio::test]
async fn a_smaller_limit_holds_from_the_next_output_on() {
    let place = tempfile::tempdir().unwrap();
    let store = overfull(place.path()).await;
    let before = kept_of(&store, assignment(2), 1000);
    let disk = after_a_crash(place.path(), true);
    let limits = Limits { total_bytes: SMALL.total_bytes / 4, ..SMALL };
    let store = OutputStore::open(disk.path(), limits).unwrap();
    assert_eq!(append(&store, assignment(2), 1001..=1001).await, Some(1002));
    assert_eq!(append(&store, assignment(2), 1002..=1002).await, Some(1003));
    assert!(kept_of(&store, assignment(2), 1002) > before);
}
