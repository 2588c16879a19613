//! The one thread that writes output: batches that wait together are made durable together.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};
use windlass_segments::{Options, Writer};

use super::index::Index;
use super::{Append, Batch, OutputError};

/// Small segments, because a reader skips from the start of one.
const SEGMENT_BYTES: u64 = 1 << 20;
/// Appends that are made durable together.
const GROUP: usize = 256;

type Answers = Vec<(oneshot::Sender<Result<u64, OutputError>>, u64)>;

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
    let indexed = index.indexed()?;
    if indexed >= files.durable() {
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
    while let Some(append) = appends.blocking_recv() {
        let mut group = vec![append];
        while group.len() < GROUP
            && let Ok(append) = appends.try_recv()
        {
            group.push(append);
        }
        let mut answers: Answers = Vec::with_capacity(group.len());
        for append in group {
            match take(&mut files, index, append.batch) {
                Ok(next) => answers.push((append.answer, next)),
                Err(why) => drop(append.answer.send(Err(why))),
            }
        }
        files.sync()?;
        for (answer, next) in answers {
            let _ = answer.send(Ok(next));
        }
    }
    index.commit()
}

/// Puts what is new of a batch into the files and the index; answers with the number expected next.
fn take(files: &mut Writer, index: &Index, mut batch: Batch) -> Result<u64, OutputError> {
    let next = index.next(batch.assignment)?;
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
    index.add(batch.assignment, next, count, place)?;
    Ok(next + count)
}
