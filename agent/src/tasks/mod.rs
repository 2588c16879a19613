//! One task for each admitted assignment, from its admission until everything of it is reported.
//!
//! A task asks the disk how far it is, so that it goes on after a crash where it was.

mod accounts;
mod environment;
mod fetch;
mod folders;
mod notes;
mod output;
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
use windlass_protocol::message::{Assignment, Report, ReportKind, Work};

use crate::ledger::Entry;
use crate::shared::{Agent, AssignmentTask};
use output::Extent;

pub(crate) use room::keep_within_limit;
pub(crate) use run::has_begun;
#[cfg(test)]
#[cfg(feature = "fail-points")]
pub(crate) use script::begin_attempt;

/// Between two tries of what failed for a moment.
const RETRY: Duration = Duration::from_millis(500);

/// Between two tries of a task that failed as a whole: a disk may have been full.
const AGAIN: Duration = Duration::from_secs(5);

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

pub(crate) fn start(agent: Arc<Agent>, assignment: Assignment, entry: Entry) -> AssignmentTask {
    let (withdrawn, watched) = watch::channel(false);
    let context = Arc::new(TaskContext { agent, assignment, entry, withdrawn: watched });
    tokio::spawn(async move {
        until_done(context.id(), AGAIN, || {
            let context = Arc::clone(&context);
            async move { carry_out(&context).await }
        })
        .await;
        context.agent.finished(context.id());
    });
    AssignmentTask::new(withdrawn)
}

/// Does the work of an assignment until it is done, again after each failure. A panic is one too: it is a fault in this
/// program, and the others of this machine's tasks go on, so that nobody would take this one up before a restart.
async fn until_done<Work>(id: AssignmentId, pause: Duration, mut work: impl FnMut() -> Work)
where
    Work: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    // It asks the disk how far it is, so that it may be begun again here as well as after a restart.
    while let Err(why) = tokio::spawn(work()).await.unwrap_or_else(|panic| Err(panic.into())) {
        tracing::error!(assignment = %id, why = format!("{why:#}"), "a task failed; it is taken up again");
        tokio::time::sleep(pause).await;
    }
}

/// Does the work, unless that is done, tells how it ended, and then lets its files go.
async fn carry_out(context: &TaskContext) -> anyhow::Result<()> {
    let ended = match context.assignment.work.clone() {
        Work::Fetch(work) => {
            if context.agent.ledger().ended(context.id())?.is_none() {
                fetch::fetch(context, &work).await?;
            }
            context.agent.ledger().ended(context.id())?
        }
        Work::Run(work) => {
            let (extent, known) = watch::channel(Extent::Nothing);
            let running = async {
                if context.agent.ledger().ended(context.id())?.is_none() {
                    run::run(context, &work, &extent).await?;
                }
                let ended = context.agent.ledger().ended(context.id())?;
                let lines = match &ended {
                    Some(Report { kind: ReportKind::Ended { lines, .. }, .. }) => *lines,
                    // It never began.
                    _ => 0,
                };
                extent.send_replace(Extent::Until(lines));
                anyhow::Ok(ended)
            };
            tokio::try_join!(running, output::send(context, known))?.0
        }
    };
    if let Some(ended) = ended {
        reporting::report(context, &ended).await;
    }
    context.agent.ledger().close(context.id(), context.entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_fails_or_panics_is_taken_up_again() {
        let mut tries = 0;
        until_done(AssignmentId::from_bytes([1; 16]), Duration::ZERO, || {
            tries += 1;
            let number = tries;
            async move {
                match number {
                    1 => panic!("a fault"),
                    2 => anyhow::bail!("a full disk"),
                    _ => Ok(()),
                }
            }
        })
        .await;
        assert_eq!(tries, 3);
    }
}
