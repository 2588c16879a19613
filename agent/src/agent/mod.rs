//! The running agent: how it begins, and lives from session to session.
//!
//! `life` goes from one session to the next, `session` is one connection's life, `orders` takes what the coordinator
//! wants done, and tasks (`crate::tasks`) outlive them all.

mod life;
mod orders;
mod session;

use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc, watch};
use windlass_agent_packages::Cache;
use windlass_protocol::Timestamp;
use windlass_protocol::message::Assignment;
use windlass_sentences::{ExitKind, Fault};
use windlass_supervisor::Lock;
use windlass_trust::verify_assignment;

use crate::clock::CoordinatorClock;
use crate::configuration::Configuration;
use crate::identity::Identity;
use crate::ledger::{Entry, Ledger};
use crate::shared::{Agent, lock};
use crate::status::{self, Connection, Status};
use crate::tasks;

/// Runs the agent until `stop` ends.
pub async fn run(configuration: Configuration, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let state_root = &configuration.state_root;
    let identity = Identity::read(state_root)?;
    let _only_one = Lock::take(state_root)?.ok_or_else(|| {
        let text = format!("another agent runs on the state folder {}", state_root.display());
        Fault::new(ExitKind::Conflict, text)
    })?;
    let mut status = starting(&configuration, &identity);
    // What the last process wrote is not so any more, and opening what it left may take a while.
    status::write_or_warn(state_root, &status);
    let ledger = Ledger::open(state_root)?;
    let cache = Cache::open(configuration.state_root.join("cache"))?;
    let latest = ledger.clock()?;
    let (progress, to_show) = mpsc::channel(64);
    status.time = latest;
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
        () = stop => {}
        result = agent.live(to_show) => return result,
    }
    let link = agent.link.borrow().clone();
    if let Some(link) = link {
        link.end().await;
    }
    Ok(())
}

/// What there is to say before the first session.
fn starting(configuration: &Configuration, identity: &Identity) -> Status {
    let membership = &identity.membership;
    Status {
        target: membership.name.clone(),
        coordinator: configuration.coordinator.clone().unwrap_or_else(|| membership.coordinator.clone()),
        connection: Connection::Connecting,
        effective: None,
        last: None,
        time: Timestamp::default(),
    }
}

impl Agent {
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
}
