//! The running agent: what its sessions and tasks share, and how it begins.
//!
//! `life` goes from one session to the next, `session` is one connection's life, `orders` takes what the coordinator
//! wants done, and tasks (`crate::tasks`) outlive them all.

mod clock;
mod life;
mod orders;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc, watch};
use windlass_agent_packages::Cache;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Assignment, FromAgent};
use windlass_trust::verify_assignment;

use crate::configuration::Configuration;
use crate::identity::Identity;
use crate::ledger::{Entry, Ledger};
use crate::link::Link;
use crate::status::{self, Connection, Status};
use crate::tasks::{self, AssignmentTask};
use clock::CoordinatorClock;

/// Everything that sessions and tasks share.
pub(crate) struct Agent {
    pub(crate) configuration: Configuration,
    pub(crate) identity: Identity,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) cache: Cache,
    /// The session that stands, if one does.
    pub(crate) link: watch::Sender<Option<Link>>,
    /// Steps run one at a time unless they say otherwise.
    pub(crate) turn: Semaphore,
    /// What tasks want to be shown on the control stream.
    pub(crate) progress: mpsc::Sender<FromAgent>,
    /// By which the coordinator's certificate is judged.
    clock: Arc<CoordinatorClock>,
    tasks: Mutex<BTreeMap<AssignmentId, AssignmentTask>>,
    status: Mutex<Status>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the agent until `stop` ends.
pub async fn run(configuration: Configuration, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let identity = Identity::read(&configuration.state_root)?;
    let ledger = Ledger::open(&configuration.state_root)?;
    let cache = Cache::open(configuration.state_root.join("cache"))?;
    let latest = ledger.clock()?;
    let (progress, to_show) = mpsc::channel(64);
    let status = Status {
        pid: std::process::id(),
        target: identity.membership.name.clone(),
        coordinator: configuration
            .coordinator
            .clone()
            .unwrap_or_else(|| identity.membership.coordinator.clone()),
        connection: Connection::Disconnected("starting".to_owned()),
        effective: None,
        last: None,
        time: latest,
    };
    let agent = Arc::new(Agent {
        configuration,
        identity,
        ledger: Mutex::new(ledger),
        cache,
        link: watch::Sender::new(None),
        turn: Semaphore::new(1),
        progress,
        clock: Arc::new(CoordinatorClock::new(latest)),
        tasks: Mutex::default(),
        status: Mutex::new(status),
    });
    agent.resume_duties()?;
    // What the limit says may have changed, or a crash may have come before the last time.
    tasks::keep_within_limit(&agent);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        () = stop => Ok(()),
        result = agent.live(to_show) => result,
    }
}

impl Agent {
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Waits for a session, and returns its link.
    pub(crate) async fn linked(&self) -> Link {
        let mut links = self.link.subscribe();
        loop {
            if let Some(link) = links.borrow_and_update().clone() {
                return link;
            }
            if links.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says what the agent last did, for its status.
    pub(crate) fn did(&self, what: String) {
        tracing::info!("{what}");
        self.update_status(|status| status.last = Some(what));
    }

    fn update_status(&self, change: impl FnOnce(&mut Status)) {
        let mut status = lock(&self.status);
        change(&mut status);
        if let Err(why) = status::write(&self.configuration.state_root, &status) {
            tracing::warn!(%why, "the status file cannot be written");
        }
    }

    /// Takes up what was admitted before this process began: first what has begun, since it may be running still and
    /// is to have its turn before anything else, then in the order of the orders.
    fn resume_duties(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut open: Vec<_> =
            self.ledger().entries()?.into_iter().filter(|(_, entry)| !entry.closed).collect();
        open.sort_by_key(|(id, entry)| (!tasks::has_begun(&self.ledger().folder(*id)), entry.generation));
        for (id, entry) in open {
            let signed = self.ledger().assignment(id)?;
            let key = self.identity.membership.assignment_key;
            let assignment = verify_assignment(key.as_bytes(), &signed)?;
            self.begin(assignment, entry);
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, assignment: Assignment, entry: Entry) {
        let id = assignment.id;
        let task = tasks::start(Arc::clone(self), assignment, entry);
        lock(&self.tasks).insert(id, task);
    }

    /// A task is over and everything of it is reported.
    pub(crate) fn finished(&self, id: AssignmentId) {
        lock(&self.tasks).remove(&id);
    }
}
