//! The one thread that writes output: batches that wait together are made durable together. What the disk does not
//! take is not acknowledged, and agents send it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::oneshot;
use windlass_protocol::ids::AssignmentId;
use windlass_segments::{Writer, fail};

use super::files::Files;
use super::index::{Index, Placed};
use super::{Append, Failure, SharedIndex, retention};
use crate::output::batch::Batch;
use crate::output::entry::{Entry, Taken};
use crate::output::{Limits, OutputError};

/// Appends that are made durable together.
const GROUP: usize = 256;
/// Changes after which the index is committed, so that a start after a crash reads no more of the files than these.
const COMMIT: u64 = 4096;
/// A store that failed is opened again after so long, and after so long again.
const RETRY: Duration = Duration::from_secs(1);
/// How often who asks meanwhile is told that it does not work.
const ANSWERS: Duration = Duration::from_millis(50);

/// Opens the store and starts its thread; answers with the index for readers. On a full disk it begins as one that has
/// failed, and works when there is room.
pub(super) fn start(
    folder: &Path,
    index_folder: &Path,
    limits: Limits,
    appends: mpsc::Receiver<Append>,
) -> Result<SharedIndex, Failure> {
    let index = SharedIndex(Arc::new(RwLock::new(None)));
    let mut files = Files::new(folder, index_folder, limits, index.clone());
    let opened = files.open();
    let mut scribe = Scribe { files, uncommitted: 0, grown: None, failing: false };
    match opened {
        Err(why) if why.is_full() => scribe.fail(&why),
        opened => opened?,
    }
    let run = move || scribe.run(appends);
    let spawned = thread::Builder::new().name("output".to_owned()).spawn(run);
    spawned.map_err(|_| OutputError::NotWorking)?;
    Ok(index)
}

struct Scribe {
    files: Files,
    /// Changes of the index since it was committed.
    uncommitted: u64,
    /// Bytes written since retention was last looked at; none before it was for the first time.
    grown: Option<u64>,
    /// The last thing that was to be stored was not; this was said, once.
    failing: bool,
}

/// What of a group is in the files' buffer and not in the index yet. The index never runs ahead of what is durable:
/// it would claim lines that a crash has taken, and take other lines for them afterwards.
#[derive(Default)]
struct Group {
    /// Where its batches lie.
    places: Vec<Placed>,
    /// What is then known of the assignments in here.
    entries: BTreeMap<AssignmentId, Entry>,
}

impl Scribe {
    fn run(mut self, mut appends: mpsc::Receiver<Append>) {
        if self.failing && !self.recover(&mut appends) {
            return;
        }
        while let Some(append) = appends.blocking_recv() {
            let mut group = vec![append];
            while group.len() < GROUP
                && let Ok(append) = appends.try_recv()
            {
                group.push(append);
            }
            if let Err(why) = self.store(group) {
                self.fail(&why);
                if !self.recover(&mut appends) {
                    return;
                }
            }
        }
        let committed = self.files.index.get().and_then(|index| index.commit());
        if let Err(why) = committed {
            tracing::warn!(%why, "the index of output cannot be committed; the next start takes longer");
        }
    }

    /// Makes a group durable and answers it. What is not answered when this fails was not acknowledged.
    fn store(&mut self, appends: Vec<Append>) -> Result<(), Failure> {
        let limits = self.files.limits;
        let (writer, index) = self.files.both()?;
        let mut answers: Vec<(oneshot::Sender<_>, Result<u64, Failure>)> = Vec::with_capacity(appends.len());
        let mut group = Group::default();
        for append in appends {
            let next = take(writer, &index, &mut group, limits, append.batch);
            match next {
                // Then the disk of the index does not work, which is nothing of this one append.
                Err(why @ Failure::Store(_)) => return Err(why),
                next => answers.push((append.answer, next)),
            }
        }
        let bytes = writer.buffered_bytes() as u64;
        writer.sync()?;
        self.uncommitted += group.entries.len() as u64;
        index.add(&group.places, group.entries)?;
        fail::point("output-before-answers");
        for (answer, next) in answers {
            let _ = answer.send(next);
        }
        fail::point("output-after-answers");
        if self.failing && !group.places.is_empty() {
            self.failing = false;
            tracing::info!("output is stored again");
        }
        self.tidy(bytes)
    }

    /// What is due from time to time: retention, and committing the index.
    fn tidy(&mut self, written: u64) -> Result<(), Failure> {
        let grown = self.grown.map_or(u64::MAX, |grown| grown.saturating_add(written));
        self.grown = Some(grown);
        if grown >= self.files.limits.segment_bytes {
            retention::retain(&mut self.files)?;
            self.grown = Some(0);
        }
        if self.uncommitted >= fail::number("OUTPUT_COMMIT", COMMIT) {
            self.files.index.get()?.commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    fn fail(&mut self, why: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%why, "output cannot be stored; agents keep theirs until it can");
        }
        self.files.close_failed(why);
    }

    /// Opens the store again, at a pace; meanwhile everybody is told that it does not work. False: nobody is left.
    fn recover(&mut self, appends: &mut mpsc::Receiver<Append>) -> bool {
        let mut due = Instant::now() + RETRY;
        loop {
            match appends.try_recv() {
                Ok(append) => drop(append),
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => thread::sleep(ANSWERS),
            }
            if Instant::now() < due {
                continue;
            }
            match self.files.open() {
                Ok(()) => return true,
                Err(why) => {
                    tracing::debug!(%why, "the store of output cannot be opened yet");
                    self.files.close_failed(&why);
                }
            }
            due = Instant::now() + RETRY;
        }
    }
}

/// Puts what is new of a batch into the files and the group; answers with the number expected next.
fn take(
    files: &mut Writer,
    index: &Index,
    group: &mut Group,
    limits: Limits,
    batch: Batch,
) -> Result<u64, Failure> {
    let assignment = batch.assignment;
    let known = match group.entries.get(&assignment) {
        Some(entry) => Some(*entry),
        None => index.entry(assignment)?,
    };
    let forgotten = known.is_none() && index.kept()? > 1;
    let Taken { next, change } = Entry::take(known, forgotten, limits, batch)?;
    if let Some((entry, kept)) = change {
        if let Some(kept) = kept {
            let place = files.append(&kept.to_line())?;
            group.places.push(Placed::of(&kept, place));
        }
        group.entries.insert(assignment, entry);
    }
    Ok(next)
}
