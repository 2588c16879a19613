//! The one thread that writes output: batches that wait together are made durable together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use windlass_protocol::ids::AssignmentId;
use windlass_segments::{Options, Writer, fail};

use super::index::Index;
use super::{Append, Batch, OutputError};

/// Small segments, because a reader skips from the start of one.
const SEGMENT_BYTES: u64 = 1 << 20;
/// Appends that are made durable together.
const GROUP: usize = 256;

/// Batches after which the index is committed, so that a start after a crash reads no more of the files than these.
const COMMIT: u64 = 4096;

type Answers = Vec<(oneshot::Sender<Result<u64, OutputError>>, u64)>;

/// What of a group is in the files' buffer and not in the index yet. The index never runs ahead of what is durable:
/// it would claim lines that a crash has taken, and take other lines for them afterwards.
#[derive(Default)]
struct Group {
    /// Assignment, first line, count of lines, number of the batch in the files.
    places: Vec<(AssignmentId, u64, u64, u64)>,
    /// The line that is expected next of the assignments in here.
    next: BTreeMap<AssignmentId, u64>,
}

pub(super) fn start(
    folder: &Path,
    index: Arc<Index>,
    appends: mpsc::Receiver<Append>,
) -> Result<(), OutputError> {
    let options = Options { segment_bytes: SEGMENT_BYTES, name: "output", ..Options::default() };
    let (files, _) = Writer::open(folder, options)?;
    catch_up(folder, &files, &index)?;
    let run = move || {
        if let Err(why) = run(files, &index, appends) {
            tracing::error!(%why, "the store of output has stopped; agents keep their output until it works again");
        }
    };
    let spawned = thread::Builder::new().name("output".to_owned()).spawn(run);
    spawned.map(drop).map_err(|_| OutputError::Stopped)
}

/// Adds to the index what the files have and it does not: it is committed more rarely.
fn catch_up(folder: &Path, files: &Writer, index: &Index) -> Result<(), OutputError> {
    let mut indexed = index.indexed()?;
    if indexed > files.durable() {
        tracing::warn!("the index of output knows more than the files hold; it is made anew");
        index.clear()?;
        indexed = 0;
    }
    if indexed == files.durable() {
        return Ok(());
    }
    for line in windlass_segments::read(folder, indexed + 1)? {
        let (place, line) = line?;
        let batch: Batch = serde_json::from_slice(&line).map_err(|_| OutputError::Damaged(place))?;
        index.add(batch.assignment, batch.first, batch.lines.len() as u64, place)?;
    }
    index.commit()
}

fn run(mut files: Writer, index: &Index, mut appends: mpsc::Receiver<Append>) -> Result<(), OutputError> {
    let mut uncommitted = 0;
    while let Some(append) = appends.blocking_recv() {
        let mut group = vec![append];
        while group.len() < GROUP
            && let Ok(append) = appends.try_recv()
        {
            group.push(append);
        }
        let mut answers: Answers = Vec::with_capacity(group.len());
        let mut taken = Group::default();
        for append in group {
            match take(&mut files, index, &mut taken, append.batch) {
                Ok(next) => answers.push((append.answer, next)),
                Err(why) => drop(append.answer.send(Err(why))),
            }
        }
        files.sync()?;
        uncommitted += taken.places.len() as u64;
        for (assignment, first, count, place) in taken.places {
            index.add(assignment, first, count, place)?;
        }
        fail::point("output-before-answers");
        for (answer, next) in answers {
            let _ = answer.send(Ok(next));
        }
        fail::point("output-after-answers");
        if uncommitted >= fail::number("OUTPUT_COMMIT", COMMIT) {
            index.commit()?;
            uncommitted = 0;
        }
    }
    index.commit()
}

/// Puts what is new of a batch into the files and the group; answers with the number expected next.
fn take(files: &mut Writer, index: &Index, group: &mut Group, mut batch: Batch) -> Result<u64, OutputError> {
    let next = match group.next.get(&batch.assignment) {
        Some(next) => *next,
        None => index.next(batch.assignment)?,
    };
    if batch.first > next {
        return Err(OutputError::Gap);
    }
    let known = usize::try_from(next - batch.first).unwrap_or(usize::MAX).min(batch.lines.len());
    batch.lines.drain(..known);
    if batch.lines.is_empty() {
        return Ok(next);
    }
    batch.first = next;
    let line = serde_json::to_vec(&batch).expect("a batch has nothing that JSON cannot hold");
    let place = files.append(&line)?;
    let count = batch.lines.len() as u64;
    group.places.push((batch.assignment, next, count, place));
    group.next.insert(batch.assignment, next + count);
    Ok(next + count)
}
