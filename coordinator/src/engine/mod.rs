//! The engine: one thread decides commands in batches, makes each batch durable, then publishes state and answers.
//!
//! ```text
//! submit ──> queue ──> decide (on the state so far) ──> append ──> sync ──> publish, wake, answer
//!               ▲                    ▲                     │ overtaken: catch up, decide again
//!               │                    └─────────────────────┘
//!               └── what is left to go on with
//! ```
//!
//! Commands that arrive while a batch is synced form the next one. Readers take the published state and never wait.

mod batch;
mod clock;
mod edges;
mod going_on;
mod thread;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::decide::{Command, Envelope, Reply};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;

use clock::Watch;
pub use clock::{believed, latest, now, refuse_future};
#[cfg(test)]
pub(crate) use edges::ahead;
pub use edges::{random, random_bytes};

use crate::journal::{Head, Journal, Replayed};

/// Commands that may wait for the engine. More than that, and who asks waits.
const QUEUE: usize = 4096;

/// What is told whenever a new state is published: the state before, and the new one.
pub type Published = Box<dyn Fn(&State, &Arc<State>) + Send>;

/// The way to the engine's thread. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: mpsc::Sender<Job>,
    state: Arc<ArcSwap<State>>,
    clock: Arc<Watch>,
}

enum Job {
    Decide {
        envelope: Box<Envelope>,
        command: Box<Command>,
        answer: Option<oneshot::Sender<batch::Answer>>,
    },
    /// Somebody else has appended to the journal.
    CatchUp,
}

/// What the engine's thread ended with.
pub type Ended = std::thread::JoinHandle<anyhow::Result<()>>;

impl Engine {
    /// Starts the engine's thread on a journal and what a replay of it found. It ends when every [`Engine`] is gone, or
    /// with an error when the journal cannot be written: then the process has to end. Snapshots are written below `data`,
    /// where there is one.
    pub fn start(
        journal: impl Journal + 'static,
        data: Option<PathBuf>,
        replayed: Replayed,
        published: Published,
    ) -> anyhow::Result<(Self, Ended)> {
        Self::start_by(Watch::of_process(), journal, data, replayed, published)
    }

    /// The same by a clock that is watched already.
    fn start_by(
        clock: Arc<Watch>,
        journal: impl Journal + 'static,
        data: Option<PathBuf>,
        replayed: Replayed,
        published: Published,
    ) -> anyhow::Result<(Self, Ended)> {
        let head = Head { number: replayed.state.number, hash: replayed.head };
        clock::recorded(replayed.state.time);
        let state = Arc::new(replayed.state);
        let public = Arc::new(ArcSwap::new(Arc::clone(&state)));
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = thread::Writer {
            data,
            ledger: batch::Ledger::new(journal, head, state, replayed.bytes),
            public: Arc::clone(&public),
            published,
            own_queue: queue.downgrade(),
            clock: Arc::clone(&clock),
            last_snapshot: replayed.from,
            going_on: going_on::GoingOn::default(),
        };
        let ended = std::thread::Builder::new().name("engine".to_owned()).spawn(move || writer.run(jobs))?;
        Ok((Self { queue, state: public, clock }, ended))
    }

    /// The state as of the last durable record.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Decides a command; the answer comes when its record is durable.
    pub async fn submit(&self, envelope: Envelope, command: Command) -> Result<Reply, Problem> {
        let unavailable = |text: String| Problem::new(ProblemKind::Unavailable, text);
        self.clock.look()?;
        let (answer, answered) = oneshot::channel();
        let (envelope, command) = (Box::new(envelope), Box::new(command));
        let stopping = || unavailable("the coordinator is stopping; try again".to_owned());
        let job = Job::Decide { envelope, command, answer: Some(answer) };
        self.queue.send(job).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// Waits until the engine's thread has ended.
    pub async fn ended(&self) {
        self.queue.closed().await;
    }

    /// The envelope of something that the coordinator does by itself.
    pub fn own_envelope() -> Envelope {
        Self::envelope(Actor::Coordinator, None)
    }

    /// An envelope with the time and randomness of this moment.
    pub fn envelope(actor: Actor, origin: Option<String>) -> Envelope {
        Envelope { time: now(), actor, origin, reason: None, cause: None, request: None, seed: random() }
    }
}
