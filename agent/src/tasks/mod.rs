//! One task for each admitted assignment, from its admission until everything of it is reported.
//!
//! A task asks the disk how far it is, so that it goes on after a crash where it was.

mod accounts;
mod fetch;
mod folders;
mod notes;
mod package;
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

/// Between two tries of a task that failed as a whole: a disk may have been full.
const AGAIN: Duration = Duration::from_secs(5);

/// A task, as the session sees it.
pub(crate) struct AssignmentTask {
    withdrawn: watch::Sender<bool>,
}

impl AssignmentTask {
    /// The coordinator no longer wants it: what has not begun will not, what runs is stopped.
    pub(crate) fn withdraw(&self) {
        self.withdrawn.send_replace(true);
    }
}

/// What a task works with.
struct TaskContext {
    agent: Arc<Agent>,
    assignment: Assignment,
    entry: Entry,
    withdrawn: watch::Receiver<bool>,
}

impl TaskContext {
    fn id(&self) -> AssignmentId {
        self.assignment.id
    }

    fn is_withdrawn(&self) -> bool {
        *self.withdrawn.borrow()
    }

    /// Waits until the task is withdrawn.
    async fn withdrawal(&self) {
        let mut withdrawn = self.withdrawn.clone();
        if withdrawn.wait_for(|withdrawn| *withdrawn).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Starts a task.
pub(crate) fn start(agent: Arc<Agent>, assignment: Assignment, entry: Entry) -> AssignmentTask {
    let (withdrawn, watched) = watch::channel(false);
    let context = TaskContext { agent, assignment, entry, withdrawn: watched };
    tokio::spawn(async move {
        let id = context.id();
        let agent = Arc::clone(&context.agent);
        // It asks the disk how far it is, so that it may be begun again here as well as after a restart.
        while let Err(why) = carry_out(&context).await {
            tracing::error!(assignment = %id, why = format!("{why:#}"), "a task failed; it is taken up again");
            tokio::time::sleep(AGAIN).await;
        }
        agent.finished(id);
    });
    AssignmentTask { withdrawn }
}

async fn carry_out(context: &TaskContext) -> anyhow::Result<()> {
    let ended = context.agent.ledger().ended(context.id())?;
    if ended.is_none() {
        match context.assignment.work.clone() {
            Work::Fetch(work) => fetch::fetch(context, &work).await?,
            Work::Run(work) => run::run(context, &work).await?,
        }
    }
    reporting::report_and_close(context).await
}
