//! Fetching: every package of the deployment, verified, before any step runs anywhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use windlass_agent_packages::{CacheError, PullError, Received};
use windlass_protocol::message::{
    Denied, FetchWork, FromAgent, PackageReference, Report, ReportKind, Request,
};

use super::{RETRY, TaskContext, room};

/// The longest that is waited after a pull that brought nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often it is told how far a pull has come: the coordinator takes only so many of such messages in a second.
const SHOWN_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn fetch(context: &TaskContext, work: &FetchWork) -> anyhow::Result<()> {
    let (mut moved, mut saved) = (0, 0);
    for package in &work.packages {
        let fetched = tokio::select! {
            () = context.withdrawal() => return Ok(()),
            fetched = fetch_one(context, package) => fetched,
        };
        match fetched {
            Ok(received) => {
                moved += received.moved;
                saved += received.saved;
            }
            Err(why) => {
                context.agent.did(format!("could not fetch {} {}: {why}", package.id, package.version));
                return end(
                    context,
                    ReportKind::FetchFailed(format!("{} {}: {why}", package.id, package.version)),
                );
            }
        }
        context.agent.did(format!("fetched {} {}", package.id, package.version));
    }
    // From here on the step that needs them may be ordered at any time, so they stay.
    context.agent.ledger().note_fetched(
        &context.assignment.path,
        context.entry.generation,
        &work.packages,
    )?;
    end(context, ReportKind::Fetched { moved, saved })?;
    room::keep_within_limit(&context.agent);
    Ok(())
}

fn end(context: &TaskContext, kind: ReportKind) -> anyhow::Result<()> {
    context.agent.ledger().end(&Report { assignment: context.id(), kind })
}

/// Fetches one package for the task's own work, going on after every broken connection. What can't be mended by trying again is an error.
pub(super) async fn fetch_one(
    context: &TaskContext,
    package: &PackageReference,
) -> Result<Received, PullError> {
    let (mut made_room, mut pause) = (false, RETRY);
    loop {
        let came = AtomicBool::new(false);
        let tried = try_once(context, package, &came).await;
        if came.into_inner() {
            pause = RETRY;
        }
        match tried {
            Err(PullError::Cache(CacheError::NoRoom { needed, available, .. })) if !made_room => {
                made_room = true;
                if let Err(why) = room::make(&context.agent, needed.saturating_sub(available)).await {
                    tracing::warn!(why = format!("{why:#}"), "nothing can be removed from the package cache");
                }
            }
            // What brings nothing again and again is asked for less and less often.
            Err(PullError::Stream(_) | PullError::Denied(Denied::Busy)) => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // Another deployment of this target pulls the same package: when it has it, so have we.
            Err(PullError::Cache(CacheError::Busy { .. })) => sleep(RETRY).await,
            // The right may have gone a moment before the withdrawal is told; that one ends the task.
            Err(PullError::Denied(Denied::NotFound)) => sleep(RETRY * 4).await,
            Err(PullError::Cache(why @ CacheError::Full { .. })) => {
                // The agent needs the room to say that there is none.
                context.agent.cache.abandon(package.manifest)?;
                return Err(why.into());
            }
            other => return other,
        }
    }
}

async fn try_once(
    context: &TaskContext,
    package: &PackageReference,
    came: &AtomicBool,
) -> Result<Received, PullError> {
    let link = context.agent.linked().await;
    let (cache, manifest, label) = (context.agent.cache.clone(), package.manifest, package.id.clone());
    let died = |why| PullError::Stream(std::io::Error::other(why));
    let state = spawn_blocking(move || cache.begin(manifest, &label)).await.map_err(died)??;
    if state.is_whole() {
        return Ok(Received { moved: 0, saved: package.size, total: package.size });
    }
    let request = Request::Pull(state.request(context.id()));
    let broken = |_| PullError::Stream(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let mut stream = link.ask(&request).await.map_err(broken)?;
    let mut told: Option<Instant> = None;
    let progress = |received: Received| {
        let Received { moved, saved, total } = received;
        came.fetch_or(moved > 0, Ordering::Relaxed);
        if told.is_some_and(|told| told.elapsed() < SHOWN_EVERY) {
            return;
        }
        told = Some(Instant::now());
        // A show only: where nobody looks, or the stream is full, it is dropped.
        let _ = context.agent.progress.try_send(FromAgent::Progress {
            assignment: context.id(),
            moved,
            saved,
            total,
        });
    };
    context.agent.cache.receive(state, &mut stream, package.size, progress).await
}
