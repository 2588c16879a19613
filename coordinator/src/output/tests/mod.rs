//! The store of output: its limits, and disks that do not work.

mod failing;
mod full_disk;
mod limits;

use std::fs;
use std::path::Path;

use windlass_protocol::Timestamp;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{OutputLine, OutputStream};

use super::{Limits, Missing, OutputStore, Piece};

const SMALL: Limits = Limits { assignment_bytes: 1 << 20, total_bytes: 64 << 10, segment_bytes: 8 << 10 };

fn assignment(number: u8) -> AssignmentId {
    AssignmentId::from_bytes([number; 16])
}

/// The lines of these numbers, each of some hundred bytes and unlike every other.
fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<OutputLine> {
    let line = |number| OutputLine {
        time: Timestamp::from_milliseconds(1_700_000_000_000),
        stream: OutputStream::Out,
        text: format!("{number:0200}"),
    };
    numbers.map(line).collect()
}

async fn append(
    store: &OutputStore,
    assignment: AssignmentId,
    numbers: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    store.append(assignment, *numbers.start(), lines(numbers.clone())).await.ok()
}

/// Everything of an assignment, in runs: `Ok(first, last)` of lines as they were, `Err` of what is missing.
type Runs = Vec<Result<(u64, u64), Missing>>;

fn runs(store: &OutputStore, assignment: AssignmentId, announced: Option<u64>) -> Runs {
    let mut runs = Runs::new();
    for piece in store.read(assignment, 1, usize::MAX, announced).unwrap() {
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
fn after_a_crash(data: &Path, with_index: bool) -> tempfile::TempDir {
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
