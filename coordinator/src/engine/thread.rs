//! The engine's thread: takes what waits, carries it out, publishes, answers; and snapshots beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::state::State;
use windlass_segments::fail;

use super::batch::{Answer, Asked, Ledger};
use super::clock::{Watch, recorded};
use super::going_on::{Due, GoingOn};
use super::{Engine, Job, Published};
use crate::journal::{Journal, Snapshot};

/// Commands in one batch: enough to make the sync cheap, few enough that none waits long.
const BATCH: usize = 512;

/// Records after which a snapshot is written, and their bytes: a start reads what came since.
const SNAPSHOT_RECORDS: u64 = 20_000;
const SNAPSHOT_BYTES: u64 = 64 << 20;

pub(super) struct Writer<J> {
    /// Where snapshots are written; nowhere for a journal that is not on this disk.
    pub(super) data: Option<PathBuf>,
    pub(super) ledger: Ledger<J>,
    /// The durable state, as everybody sees it.
    pub(super) public: Arc<ArcSwap<State>>,
    pub(super) published: Published,
    pub(super) own_queue: mpsc::WeakSender<Job>,
    pub(super) last_snapshot: u64,
    pub(super) clock: Arc<Watch>,
    pub(super) going_on: GoingOn,
}

impl<J: Journal> Writer<J> {
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> anyhow::Result<()> {
        let queue = self.own_queue.clone();
        // A full queue has what wakes the thread anyway.
        let told = move || queue.upgrade().into_iter().for_each(|queue| drop(queue.try_send(Job::CatchUp)));
        self.ledger.journal().watch(Box::new(told));
        self.ledger.catch_up()?;
        self.publish();
        // What was left when the process ended waits for nobody's command.
        self.go_on();
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(job) = jobs.blocking_recv() {
            batch.push(job);
            while batch.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.carry_out(&mut batch)?;
            self.go_on();
            self.snapshot_when_due();
        }
        Ok(())
    }

    fn carry_out(&mut self, batch: &mut Vec<Job>) -> anyhow::Result<()> {
        let mut askers: Vec<Option<oneshot::Sender<Answer>>> = Vec::with_capacity(batch.len());
        let mut asked = Vec::with_capacity(batch.len());
        for job in batch.drain(..) {
            match job {
                Job::CatchUp => self.ledger.catch_up()?,
                Job::Decide { envelope, command, answer } => {
                    // Of what others ask for it was looked at when they did.
                    if is_own(&command)
                        && let Err(jumped) = self.clock.look()
                    {
                        answer.into_iter().for_each(|answer| drop(answer.send(Err(jumped.into()))));
                        continue;
                    }
                    asked.push(Asked { envelope: *envelope, command: *command });
                    askers.push(answer);
                }
            }
        }
        let answers = self.ledger.carry_out(&asked)?;
        self.publish();
        for (asker, answer) in askers.into_iter().zip(answers) {
            // Who asked may have gone; what was decided stands all the same.
            asker.into_iter().for_each(|asker| drop(asker.send(answer.clone())));
        }
        fail::point("engine-after-answers");
        Ok(())
    }

    /// Shows everybody the state as of the last durable record.
    fn publish(&self) {
        let (before, after) = (self.public.load_full(), Arc::clone(self.ledger.state()));
        if before.number == after.number {
            return;
        }
        recorded(after.time);
        self.public.store(Arc::clone(&after));
        (self.published)(&before, &after);
    }

    /// What a batch left to do in a space is a command of its own: it waits behind those that wait already.
    fn go_on(&mut self) {
        for (space, due) in self.going_on.due(self.ledger.state(), Instant::now()) {
            match due {
                Due::Now(answer) => {
                    let command = Box::new(Command::Space(space, SpaceCommand::GoOn));
                    let envelope = Box::new(Engine::own_envelope());
                    let job = Job::Decide { envelope, command, answer: Some(answer) };
                    // Where the queue is full, the answer is dropped, and it is asked for after what is in it.
                    drop(self.own_queue.upgrade().map(|queue| queue.try_send(job)));
                }
                Due::After(wait) => self.wake_after(wait),
            }
        }
    }

    /// Has this thread look again after a while, whether anybody asks for something until then or not.
    fn wake_after(&self, wait: Duration) {
        let queue = self.own_queue.clone();
        let wake = move || {
            thread::sleep(wait);
            // A full queue has what wakes the thread anyway.
            drop(queue.upgrade().map(|queue| queue.try_send(Job::CatchUp)));
        };
        if let Err(why) = thread::Builder::new().name("go-on".to_owned()).spawn(wake) {
            tracing::warn!(%why, "cannot start the thread that wakes the engine; the next command does");
        }
    }

    /// Writes a snapshot beside the running engine; a record will name it.
    fn snapshot_when_due(&mut self) {
        let state = self.public.load_full();
        let Some(data) = self.data.clone() else { return };
        let due = self.last_snapshot + fail::number("SNAPSHOT_RECORDS", SNAPSHOT_RECORDS);
        if state.number < due && self.ledger.bytes() < SNAPSHOT_BYTES {
            return;
        }
        self.last_snapshot = state.number;
        self.ledger.count_anew();
        let (queue, head) = (self.own_queue.clone(), self.ledger.head().hash);
        let write = move || {
            let record = state.number;
            let snapshot = Snapshot::of(head, State::clone(&state));
            match (snapshot.write(&data), queue.upgrade()) {
                (Ok(digest), Some(queue)) => {
                    let command = Box::new(Command::RecordSnapshot { record, digest });
                    let envelope = Box::new(Engine::own_envelope());
                    let _ = queue.blocking_send(Job::Decide { envelope, command, answer: None });
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

/// Whether this thread makes such a command, for itself.
const fn is_own(command: &Command) -> bool {
    matches!(command, Command::RecordSnapshot { .. } | Command::Space(_, SpaceCommand::GoOn))
}
