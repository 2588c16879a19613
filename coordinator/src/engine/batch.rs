//! The engine's thread: batches of commands, group commit, snapshots.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::{Command, Reply, decide};
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_segments::{SegmentError, fail};

use super::{Engine, Job, Published, random};
use crate::journal::{Journal, Snapshot};

/// Commands in one batch: enough to make the sync cheap, few enough that none waits long.
const BATCH: usize = 512;
/// Records after which a snapshot is written.
const SNAPSHOT_RECORDS: u64 = 20_000;

type Answer = (oneshot::Sender<Result<Reply, Problem>>, Result<Reply, Problem>);

pub(super) struct Writer {
    data: PathBuf,
    journal: Journal,
    /// The durable state, as everybody sees it.
    public: Arc<ArcSwap<State>>,
    published: Published,
    own_queue: mpsc::WeakSender<Job>,
    last_snapshot: u64,
}

impl Writer {
    pub(super) fn new(
        data: PathBuf,
        journal: Journal,
        public: Arc<ArcSwap<State>>,
        published: Published,
        own_queue: mpsc::WeakSender<Job>,
        last_snapshot: u64,
    ) -> Self {
        Self { data, journal, public, published, own_queue, last_snapshot }
    }

    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(job) = jobs.blocking_recv() {
            batch.push(job);
            while batch.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.carry_out(&mut batch)?;
            self.snapshot_when_due();
        }
        Ok(())
    }

    fn carry_out(&mut self, batch: &mut Vec<Job>) -> anyhow::Result<()> {
        let before = self.public.load_full();
        let durable_head = self.journal.head();
        let mut state = State::clone(&before);
        let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
        let mut written = Ok(());
        for job in batch.drain(..) {
            let answer = match decide(&state, &job.envelope, &job.command) {
                Ok(decision) => {
                    if let (Some(record), Ok(())) = (&decision.record, &written) {
                        written = self.journal.append(record, random());
                    }
                    state = decision.state;
                    Ok(decision.reply)
                }
                Err(problem) => Err(problem),
            };
            if let Some(sender) = job.answer {
                answers.push((sender, answer));
            }
        }
        if state.sequence != before.sequence {
            fail::point("engine-before-sync");
            if let Err(why) = written.and_then(|()| self.journal.sync()) {
                return self.give_back(why, durable_head, answers);
            }
            fail::point("engine-after-sync");
            let state = Arc::new(state);
            self.public.store(Arc::clone(&state));
            (self.published)(&before, &state);
        }
        for (sender, answer) in answers {
            // Who asked may have gone; what was decided stands all the same.
            let _ = sender.send(answer);
        }
        fail::point("engine-after-answers");
        Ok(())
    }

    /// The batch could not be made durable. On a full disk nothing has changed, and everybody is told so; after any
    /// other error nobody knows what is on the disk, and the process has to end.
    fn give_back(&mut self, why: SegmentError, head: Digest, answers: Vec<Answer>) -> anyhow::Result<()> {
        let SegmentError::Full { .. } = &why else {
            return Err(why).context("the journal cannot be written; the coordinator ends to lose nothing");
        };
        tracing::error!(%why, "the journal's disk is full; commands are refused until there is room");
        let problem = Problem::failed("the coordinator's disk is full; nothing was changed");
        for (sender, _) in answers {
            let _ = sender.send(Err(problem.clone()));
        }
        self.reopen(head)
    }

    fn reopen(&mut self, head: Digest) -> anyhow::Result<()> {
        let durable = self.public.load().sequence;
        // The lock on the folder goes with the old writer, so that one has to be gone first.
        self.journal.close();
        self.journal = Journal::open(&self.data, head)?;
        let found = self.journal.durable();
        anyhow::ensure!(
            found == durable,
            "the journal holds {found} records and not {durable} after a full disk"
        );
        Ok(())
    }

    /// Writes a snapshot beside the running engine; a record will name it.
    fn snapshot_when_due(&mut self) {
        let state = self.public.load_full();
        if state.sequence < self.last_snapshot + fail::number("SNAPSHOT_RECORDS", SNAPSHOT_RECORDS) {
            return;
        }
        self.last_snapshot = state.sequence;
        let (data, queue, head) = (self.data.clone(), self.own_queue.clone(), self.journal.head());
        let write = move || {
            let record = state.sequence;
            let snapshot = Snapshot { head, state: State::clone(&state) };
            match (snapshot.write(&data), queue.upgrade()) {
                (Ok(digest), Some(queue)) => {
                    let command = Command::RecordSnapshot { record, digest };
                    let job = Job { envelope: Engine::own_envelope(), command, answer: None };
                    let _ = queue.blocking_send(job);
                }
                (Err(why), _) => tracing::warn!(%why, "cannot write a snapshot; the next start takes longer"),
                (Ok(_), None) => {}
            }
        };
        if let Err(why) = thread::Builder::new().name("snapshot".to_owned()).spawn(write) {
            tracing::warn!(%why, "cannot start the thread for a snapshot");
        }
    }
}
