//! The engine: one thread decides commands in batches, makes each batch durable, then publishes state and answers.
//!
//! ```text
//! submit ──> queue ──> decide (on the state so far) ──> append ──> sync ──> publish, wake, answer
//!               ▲                                          one for the whole batch │
//!               └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Commands that arrive while a batch is synced form the next one. Readers take the published state and never wait.

mod batch;
mod edges;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::{Command, Envelope, Reply};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;

pub use edges::{now, random};

use crate::installation::in_use;
use crate::journal::{Journal, Replayed};

/// Commands that may wait for the engine. More than that, and who asks waits.
const QUEUE: usize = 4096;

/// What is told whenever a new state is published: the state before, and the new one.
pub type Published = Box<dyn Fn(&State, &Arc<State>) + Send>;

/// The way to the engine's thread. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: mpsc::Sender<Job>,
    state: Arc<ArcSwap<State>>,
}

struct Job {
    envelope: Envelope,
    command: Command,
    answer: Option<oneshot::Sender<Result<Reply, Problem>>>,
}

/// What the engine's thread ended with.
pub type Ended = thread::JoinHandle<anyhow::Result<()>>;

impl Engine {
    /// Starts the engine's thread on what a replay found. It ends when every [`Engine`] is gone, or with an error
    /// when the journal cannot be written: then the process has to end.
    pub fn start(data: PathBuf, replayed: Replayed, published: Published) -> anyhow::Result<(Self, Ended)> {
        let journal = Journal::open(&data, replayed.head).map_err(|why| in_use(&data, why))?;
        let state = Arc::new(ArcSwap::from_pointee(replayed.state));
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = batch::Writer::new(
            data,
            journal,
            Arc::clone(&state),
            published,
            queue.downgrade(),
            replayed.from,
        );
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || writer.run(jobs))?;
        Ok((Self { queue, state }, thread))
    }

    /// The state as of the last durable record.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Decides a command; the answer comes when its record is durable.
    pub async fn submit(&self, envelope: Envelope, command: Command) -> Result<Reply, Problem> {
        let (answer, answered) = oneshot::channel();
        let job = Job { envelope, command, answer: Some(answer) };
        let stopping = || Problem::failed("the coordinator is stopping; try again");
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
        Envelope { time: now(), actor, origin, reason: None, seed: random() }
    }
}
