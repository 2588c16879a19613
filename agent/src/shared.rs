//! What the agent's sessions and tasks share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc, watch};
use windlass_agent_packages::Cache;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::FromAgent;

use crate::clock::CoordinatorClock;
use crate::configuration::Configuration;
use crate::identity::Identity;
use crate::ledger::Ledger;
use crate::link::Link;
use crate::status::{self, Status};

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
    pub(crate) clock: Arc<CoordinatorClock>,
    pub(crate) tasks: Mutex<BTreeMap<AssignmentId, AssignmentTask>>,
    pub(crate) status: Mutex<Status>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(crate) fn update_status(&self, change: impl FnOnce(&mut Status)) {
        let mut status = lock(&self.status);
        change(&mut status);
        status::write_or_warn(&self.configuration.state_root, &status);
    }

    /// What the coordinator no longer counts as this target's work is withdrawn.
    pub(crate) fn withdraw_all_but(&self, active: &[AssignmentId]) {
        for (id, task) in lock(&self.tasks).iter() {
            if !active.contains(id) {
                task.withdraw();
            }
        }
    }

    /// A task is over and everything of it is reported.
    pub(crate) fn finished(&self, id: AssignmentId) {
        lock(&self.tasks).remove(&id);
    }
}

/// A task, as the session sees it.
pub(crate) struct AssignmentTask {
    withdrawn: watch::Sender<bool>,
}

impl AssignmentTask {
    /// One that learns of its withdrawal there.
    pub(crate) const fn new(withdrawn: watch::Sender<bool>) -> Self {
        Self { withdrawn }
    }

    /// The coordinator no longer wants it: what has not begun will not, what runs is stopped.
    pub(crate) fn withdraw(&self) {
        self.withdrawn.send_replace(true);
    }
}
