//! Duties: one task for each admitted assignment, from its admission until everything of it is reported.
//!
//! A duty asks the disk how far it is, so that it goes on after a crash where it was.

mod accounts;
mod fetch;
mod notes;
mod package;
mod place;
mod preludes;
mod reporting;
mod room;
mod run;
mod script;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Assignment, Work};

use crate::agent::Agent;
use crate::ledger::Entry;

pub(crate) use room::keep_within_limit;
pub(crate) use run::has_begun;
#[cfg(test)]
#[cfg(feature = "fail-points")]
pub(crate) use script::begin_attempt;

/// Between two tries of what failed for a moment.
const RETRY: Duration = Duration::from_millis(500);

/// Between two tries of a duty that failed as a whole: a disk may have been full.
const AGAIN: Duration = Duration::from_secs(5);

/// A duty, as the session sees it.
pub(crate) struct Duty {
    withdrawn: watch::Sender<bool>,
}

impl Duty {
    /// The coordinator no longer wants it: what has not begun will not, what runs is stopped.
    pub(crate) fn withdraw(&self) {
        self.withdrawn.send_replace(true);
    }
}

/// What a duty works with.
struct Order {
    agent: Arc<Agent>,
    assignment: Assignment,
    entry: Entry,
    withdrawn: watch::Receiver<bool>,
}

impl Order {
    fn id(&self) -> AssignmentId {
        self.assignment.id
    }

    fn is_withdrawn(&self) -> bool {
        *self.withdrawn.borrow()
    }

    /// Waits until the duty is withdrawn.
    async fn withdrawal(&self) {
        let mut withdrawn = self.withdrawn.clone();
        if withdrawn.wait_for(|withdrawn| *withdrawn).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Starts a duty's task.
pub(crate) fn start(agent: Arc<Agent>, assignment: Assignment, entry: Entry) -> Duty {
    let (withdrawn, watched) = watch::channel(false);
    let order = Order { agent, assignment, entry, withdrawn: watched };
    tokio::spawn(async move {
        let id = order.id();
        let agent = Arc::clone(&order.agent);
        // It asks the disk how far it is, so that it may be begun again here as well as after a restart.
        while let Err(why) = carry_out(&order).await {
            tracing::error!(assignment = %id, why = format!("{why:#}"), "a duty failed; it is taken up again");
            tokio::time::sleep(AGAIN).await;
        }
        agent.finished(id);
    });
    Duty { withdrawn }
}

async fn carry_out(order: &Order) -> anyhow::Result<()> {
    let ended = order.agent.ledger().ended(order.id())?;
    if ended.is_none() {
        match order.assignment.work.clone() {
            Work::Fetch(work) => fetch::fetch(order, &work).await?,
            Work::Run(work) => run::run(order, &work).await?,
        }
    }
    reporting::report_and_close(order).await
}
