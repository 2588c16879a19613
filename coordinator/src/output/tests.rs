//! What every store of output does, whatever holds it: lines once and in order, limits, and what is said about the rest.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{OutputLine, OutputStream};

use super::batch::line_bytes;
use super::{Embedded, InMemory, Limits, Logs, Missing, OutputError, Piece, Room, Why};

pub(super) const SMALL: Limits =
    Limits { assignment_bytes: 1 << 20, total_bytes: 64 << 10, segment_bytes: 8 << 10 };

/// Room for everything.
const ALL: Room = Room { pieces: usize::MAX, bytes: u64::MAX };

/// Whose output it is, where that is all the same.
pub(super) const TARGET: TargetId = TargetId::from_bytes([1; 16]);

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn assignment(number: u8) -> AssignmentId {
    AssignmentId::from_bytes([number; 16])
}

/// The lines of these numbers, each of some hundred bytes and unlike every other.
pub(super) fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<OutputLine> {
    let line = |number| OutputLine {
        time: Timestamp::from_milliseconds(1_700_000_000_000),
        stream: OutputStream::Out,
        text: format!("{number:0200}"),
    };
    numbers.map(line).collect()
}

pub(super) async fn append(
    store: &dyn Logs,
    assignment: AssignmentId,
    numbers: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    append_of(store, TARGET, assignment, numbers).await
}

async fn append_of(
    store: &dyn Logs,
    target: TargetId,
    assignment: AssignmentId,
    numbers: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    store.append(target, assignment, *numbers.start(), lines(numbers.clone())).await.ok()
}

/// Everything of an assignment, in runs: `Ok(first, last)` of lines as they were, `Err` of what is missing.
pub(super) type Runs = Vec<Result<(u64, u64), Missing>>;

pub(super) fn runs(store: &dyn Logs, assignment: AssignmentId, announced: Option<u64>) -> Runs {
    let mut runs = Runs::new();
    for piece in store.read(assignment, 1, ALL, announced).unwrap() {
        match (piece, runs.last_mut()) {
            (Piece::Missing(missing), _) => runs.push(Err(missing)),
            (Piece::Line(line), last) => {
                assert_eq!(vec![line.line.clone()], lines(line.number..=line.number));
                match last {
                    Some(Ok((_, last))) if *last + 1 == line.number => *last = line.number,
                    _ => runs.push(Ok((line.number, line.number))),
                }
            }
        }
    }
    runs
}

/// What another process would find after a crash at this moment; without the index, if it is lost as well.
pub(super) fn after_a_crash(data: &Path, with_index: bool) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["output", "output-index"] {
        if folder == "output-index" && !with_index {
            continue;
        }
        fs::create_dir(copy.path().join(folder)).unwrap();
        for entry in fs::read_dir(data.join(folder)).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), copy.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    copy
}

/// A store that can be opened again, as another process would after a crash.
trait Storage: Send + Sync {
    fn open(&self, limits: Limits) -> Box<dyn Logs>;

    /// What such processes would find; one where all that is derived is lost, if anything is.
    fn after_a_crash(&self) -> Vec<Box<dyn Storage>>;
}

impl Storage for InMemory {
    fn open(&self, limits: Limits) -> Box<dyn Logs> {
        Box::new(self.with_limits(limits))
    }

    fn after_a_crash(&self) -> Vec<Box<dyn Storage>> {
        vec![Box::new(self.clone())]
    }
}

impl Storage for tempfile::TempDir {
    fn open(&self, limits: Limits) -> Box<dyn Logs> {
        Box::new(Embedded::open(self.path(), limits).unwrap())
    }

    fn after_a_crash(&self) -> Vec<Box<dyn Storage>> {
        [true, false]
            .map(|with_index| Box::new(after_a_crash(self.path(), with_index)) as Box<dyn Storage>)
            .into()
    }
}

fn every_place() -> [Box<dyn Storage>; 2] {
    [Box::new(tempfile::tempdir().unwrap()), Box::new(InMemory::new(SMALL))]
}

const fn left_out(first: u64, last: u64) -> Result<(u64, u64), Missing> {
    Err(Missing { first, last, why: Why::LeftOut })
}

const fn removed(first: u64, last: u64) -> Result<(u64, u64), Missing> {
    Err(Missing { first, last, why: Why::Removed })
}

#[tokio::test]
async fn lines_are_taken_once_and_in_order_and_a_gap_is_answered_with_what_is_expected() {
    for place in every_place() {
        let store = &*place.open(SMALL);
        let one = assignment(1);
        assert_eq!(append(store, one, 1..=3).await, Some(4));
        assert_eq!(append(store, one, 6..=8).await, Some(4), "4 and 5 have to come first");
        assert_eq!(append(store, one, 2..=5).await, Some(6), "what is there is not taken again");
        assert_eq!(append(store, one, 1..=2).await, Some(6));
        assert_eq!(append(store, assignment(2), 5..=6).await, Some(1), "nothing was ever removed");
        assert_eq!(runs(store, one, None), [Ok((1, 5))]);
        assert_eq!(runs(store, assignment(2), Some(9)), []);
        let wrong = store.append(TARGET, one, u64::MAX, lines(1..=1)).await;
        assert!(matches!(wrong, Err(OutputError::Numbers)), "{wrong:?}");
        for (from, most, first, last) in [(1, 2, 1, 2), (2, 2, 2, 3), (0, 9, 1, 5), (5, 9, 5, 5)] {
            let pieces = store.read(one, from, Room { pieces: most, ..ALL }, None).unwrap();
            let numbers: Vec<_> = pieces.iter().map(Piece::last).collect();
            assert_eq!(numbers, (first..=last).collect::<Vec<_>>(), "{most} from {from}");
        }
        assert_eq!(store.read(one, 6, ALL, None).unwrap(), []);
    }
}

#[tokio::test]
async fn what_one_assignment_has_too_much_is_acknowledged_and_counted_and_not_kept() {
    for place in every_place() {
        let limits = Limits { assignment_bytes: 5 * line_bytes(&lines(1..=1)[0]), ..SMALL };
        let store = &*place.open(limits);
        let one = assignment(1);
        assert_eq!(append(store, one, 1..=3).await, Some(4));
        assert_eq!(append(store, one, 4..=9).await, Some(10), "only two of these fit");
        assert_eq!(append(store, one, 10..=20).await, Some(21));
        assert_eq!(append(store, one, 8..=12).await, Some(21), "said again, it is counted once");
        assert_eq!(append(store, assignment(2), 1..=2).await, Some(3), "the limit is each one's own");
        assert_eq!(runs(store, one, None), [Ok((1, 5)), left_out(6, 20)]);
        assert_eq!(runs(store, one, Some(20)), [Ok((1, 5)), left_out(6, 20)]);
        for place in place.after_a_crash() {
            let store = &*place.open(limits);
            assert_eq!(runs(store, one, Some(20)), [Ok((1, 5)), left_out(6, 20)]);
            assert_eq!(append(store, one, 21..=22).await, Some(23), "the agent goes on where it was");
            assert_eq!(runs(store, one, Some(22)), [Ok((1, 5)), left_out(6, 22)]);
        }
    }
}

/// Fills a store with more than it keeps: all of `assignment(1)` goes, and the first of `assignment(2)`.
pub(super) async fn overfill(store: &dyn Logs) {
    for first in [1, 11, 21] {
        assert_eq!(append(store, assignment(1), first..=first + 9).await, Some(first + 10));
    }
    for first in (1..1000).step_by(10) {
        assert_eq!(append(store, assignment(2), first..=first + 9).await, Some(first + 10));
    }
    // The answer comes before the tidying, and the next answer after it.
    assert_eq!(append(store, assignment(2), 1000..=1000).await, Some(1001));
}

/// Checks that the first lines are said to be removed and the others are there; answers with the first that is.
fn kept_of(store: &dyn Logs, assignment: AssignmentId, last: u64) -> u64 {
    let runs = runs(store, assignment, None);
    let [Err(Missing { first: 1, last: gone, why: Why::Removed }), Ok((first, end))] = runs[..] else {
        panic!("{runs:?}")
    };
    assert_eq!((gone + 1, end), (first, last));
    first
}

#[tokio::test]
async fn the_oldest_output_goes_when_all_of_it_is_too_much_and_is_said_to_be_removed() {
    for place in every_place() {
        let store = &*place.open(SMALL);
        overfill(store).await;
        assert_eq!(runs(store, assignment(1), Some(30)), [removed(1, 30)]);
        assert_eq!(runs(store, assignment(1), None), [], "how many there were is not known any more");
        assert!(kept_of(store, assignment(2), 1000) > 500);
        assert_eq!(runs(store, assignment(3), Some(0)), [], "nothing was printed");
    }
}

#[tokio::test]
async fn what_one_machine_prints_removes_nothing_of_who_has_less_than_half_of_an_even_share() {
    let [quiet, loud, other] = [1, 2, 3].map(|number| TargetId::from_bytes([number; 16]));
    for place in every_place() {
        let store = &*place.open(SMALL);
        // A sixth of all is half of the share of three.
        assert_eq!(append_of(store, quiet, assignment(1), 1..=10).await, Some(11));
        for first in (1..100).step_by(10) {
            assert_eq!(append_of(store, other, assignment(3), first..=first + 9).await, Some(first + 10));
        }
        for first in (1..2000).step_by(10) {
            assert_eq!(append_of(store, loud, assignment(2), first..=first + 9).await, Some(first + 10));
            if first == 1001 {
                assert_eq!(append_of(store, quiet, assignment(1), 11..=20).await, Some(21));
            }
        }
        for again in place.after_a_crash() {
            let again = &*again.open(SMALL);
            assert_eq!(runs(again, assignment(1), Some(20)), [Ok((1, 20))]);
        }
        assert_eq!(runs(store, assignment(1), Some(20)), [Ok((1, 20))], "it stays as it was");
        assert!(kept_of(store, assignment(2), 2000) > 1700, "the loud one's oldest made room");
        let kept = 100 - kept_of(store, assignment(3), 100);
        assert!((30..60).contains(&kept), "{kept} lines stay of who had more");
        assert_eq!(
            append_of(store, quiet, assignment(1), 21..=21).await,
            Some(22),
            "it goes on where it was"
        );
    }
}

#[tokio::test]
async fn an_agent_goes_on_where_it_was_though_all_that_it_sent_is_removed() {
    for place in every_place() {
        let store = &*place.open(SMALL);
        overfill(store).await;
        for place in place.after_a_crash() {
            let again = &*place.open(SMALL);
            kept_of(again, assignment(2), 1000);
            assert_eq!(append(again, assignment(2), 1001..=1001).await, Some(1002));
            assert_eq!(append(again, assignment(1), 31..=32).await, Some(33));
            assert_eq!(runs(again, assignment(1), Some(32)), [removed(1, 30), Ok((31, 32))]);
        }
        assert_eq!(append(store, assignment(1), 31..=32).await, Some(33));
        assert_eq!(append(store, assignment(1), 34..=35).await, Some(33), "now it is known again");
    }
}

#[tokio::test]
async fn a_smaller_limit_holds_from_the_next_output_on() {
    for place in every_place() {
        let store = &*place.open(SMALL);
        overfill(store).await;
        let before = kept_of(store, assignment(2), 1000);
        let again = place.after_a_crash().swap_remove(0);
        let store = &*again.open(Limits { total_bytes: SMALL.total_bytes / 4, ..SMALL });
        assert_eq!(append(store, assignment(2), 1001..=1001).await, Some(1002));
        assert_eq!(append(store, assignment(2), 1002..=1002).await, Some(1003));
        assert!(kept_of(store, assignment(2), 1002) > before);
    }
}

#[tokio::test]
async fn many_that_append_at_once_lose_nothing_and_take_nothing_twice() {
    for place in every_place() {
        let store = &*place.open(Limits { total_bytes: 1 << 30, ..SMALL });
        let append_all = |number: u8| async move {
            let mut next = 1;
            while next <= 100 {
                // Each is sent twice, as by an agent that did not hear the answer.
                let twice = [(); 2].map(|()| append(store, assignment(number), next..=next + 9));
                for answer in futures_util::future::join_all(twice).await {
                    assert_eq!(answer, Some(next + 10));
                }
                next += 10;
            }
        };
        futures_util::future::join_all((1..9).map(append_all)).await;
        for number in 1..9 {
            assert_eq!(runs(store, assignment(number), Some(100)), [Ok((1, 100))]);
        }
    }
}

/// What a store that has no room left does, and what it does when there is some again: twice, because one that recovers
/// once may have kept something that it should not. `fill` leaves room for some lines, and then for none. Answers with the
/// number of the last line.
pub(super) async fn without_room(
    store: &dyn Logs,
    mut fill: impl FnMut(bool),
    mut free: impl FnMut(u64),
) -> u64 {
    let one = assignment(1);
    let mut next = 1;
    for round in 0..2 {
        fill(false);
        let began = next;
        while let Some(acknowledged) = append(store, one, next..=next + 9).await {
            assert_eq!(acknowledged, next + 10);
            next = acknowledged;
            assert!(next < 1_000_000, "the disk never became full");
        }
        assert!(next > began, "there was room for some");
        fill(true);
        for _ in 0..50 {
            let refused = store.append(TARGET, one, next, lines(next..=next + 9)).await;
            assert!(matches!(refused, Err(OutputError::NotWorking)), "{refused:?}");
        }
        assert_eq!(runs(store, one, None), [Ok((1, next - 1))], "what is there can be read meanwhile");
        free(round);
        let started = Instant::now();
        next = loop {
            if let Some(acknowledged) = append(store, one, next..=next + 9).await {
                break acknowledged;
            }
            assert!(started.elapsed() < PATIENCE, "the store does not work again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(runs(store, one, None), [Ok((1, next - 1))]);
    }
    next - 1
}

#[tokio::test]
async fn a_store_without_room_acknowledges_nothing_and_goes_on_when_there_is_some() {
    let store = InMemory::new(SMALL);
    without_room(&store, |wholly| store.set_room(Some(if wholly { 0 } else { 5 })), |_| store.set_room(None))
        .await;
}
