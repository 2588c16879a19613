//! A package, as its difference to what the agent holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use windlass_coordinator_core::authorise::{Peer, PullPermit};
use windlass_coordinator_core::decide::{Command, Repeated, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_packages::{Kind, PullPlan, SendError, StoreError, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::message::{Denied, PullRequest, Request};

use super::super::Sessions;
use super::answering::{AnswerStream, Asker, Ending, Rests, Right};
use super::denied;
use crate::engine::Engine;

/// Streams the package, asking again before every write whether it still may. Where it is denied the stream is given back.
pub(super) async fn serve(
    asker: &Asker,
    permit: PullPermit,
    wanted: &PullRequest,
    stream: AnswerStream,
) -> Result<(), (Denied, AnswerStream)> {
    let (sessions, peer) = (&*asker.sessions, &asker.peer);
    let flow = (permit.space(), permit.tenant());
    let preparing = async {
        let turn = sessions.turns.take(flow, peer.target).await.ok_or(Denied::Busy)?;
        let plan = plan(asker, &permit, wanted).await?;
        begin(sessions, peer, &permit, plan.bytes_to_send()).await?;
        Ok((turn, plan))
    };
    let prepared = tokio::select! {
        prepared = preparing => prepared,
        // Who has gone does not wait: its place in the queue is another's, and so is what its target may have at once.
        () = stream.stopped() => return Ok(()),
    };
    let (turn, plan) = match prepared {
        Ok(prepared) => prepared,
        Err(denied) => return Err((denied, stream)),
    };
    let right = Right { asker, rests: Rests::Request(Request::Pull(wanted.clone())) };
    let mut given = Given { sessions, permit: &permit, taken: AtomicU64::new(0), is_recorded: false };
    // After what is counted: nothing of what waits in it is sent any more when that is written down.
    let mut stream = stream;
    let mut metered = stream.metered(&given.taken);
    let writing = async {
        send(&sessions.services.packages, &plan, &mut metered, || right.stands()).await?;
        // Recorded before the stream ends: what an agent holds counts only if the journal says that it came.
        record(sessions, peer, &permit, plan.bytes_to_send()).await.ok_or(Ending::Unrecorded)
    };
    let sent = right.over(&given.taken, Some(&turn), writing).await;
    match sent {
        Ok(()) => {
            given.is_recorded = true;
            drop((turn, plan));
            right.finish(stream).await;
        }
        Err(Ending::Unrecorded) => {}
        Err(Ending::Withdrawn) => asker.withdrawn("pull"),
        Err(Ending::Failed(SendError::Store(why))) => unsendable(asker, &permit, &why),
        Err(ending) => ended_early(asker, ending),
    }
    Ok(())
}

/// What an agent was given of a package. However that ended, a part of it was read all the same.
struct Given<'a> {
    sessions: &'a Sessions,
    permit: &'a PullPermit,
    /// Bytes.
    taken: AtomicU64,
    /// It was all of it, and the journal says so.
    is_recorded: bool,
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        let permit = self.permit;
        let (target, assignment, manifest) = (permit.target(), permit.assignment(), permit.manifest());
        if let written @ 1.. = self.taken.load(Ordering::Relaxed)
            && !self.is_recorded
        {
            self.sessions.counters.again(Repeated::PullBroken { target, assignment, manifest }, written);
        }
    }
}

/// Says why a pull did not come to its end.
fn ended_early(asker: &Asker, ending: Ending) {
    if !asker.takes_line() {
        return;
    }
    let target = asker.peer.target;
    match ending {
        Ending::Stalled => tracing::warn!(%target, "a pull that nobody reads was ended"),
        Ending::CrowdedOut => {
            tracing::warn!(%target, "the slowest of many slow pulls was ended; it comes again");
        }
        Ending::Failed(why) => tracing::warn!(%target, %why, "a pull ended early"),
        Ending::Withdrawn | Ending::Unrecorded => {}
    }
}

/// Says which package cannot be sent, and what to do about it.
fn unsendable(asker: &Asker, permit: &PullPermit, why: &StoreError) {
    if !asker.takes_line() {
        return;
    }
    let state = asker.sessions.engine.state();
    let packages = state.space(permit.space()).into_iter().flat_map(|space| space.packages.values());
    let package = packages.into_iter().find(|package| package.manifest == permit.manifest());
    let name =
        package.map(|package| format!("{} {}", package.key.id, package.key.version)).unwrap_or_default();
    tracing::error!(
        target = %permit.target(), package = name, %why,
        "a package cannot be sent, and is asked for again until it can; upload it again to mend it"
    );
}

/// What travels. Of the manifests that the agent says it holds those count that the journal knows it pulled.
async fn plan(asker: &Asker, permit: &PullPermit, wanted: &PullRequest) -> Result<PullPlan, Denied> {
    let sessions = &*asker.sessions;
    let known: Vec<Digest> = {
        let state = sessions.engine.state();
        let space = state.space(permit.space()).ok_or(Denied::NotFound)?;
        let pulled = |digest: &&Digest| space.pulled.contains(&(permit.target(), **digest));
        wanted.holds.iter().filter(pulled).copied().collect()
    };
    let place = Arc::clone(&sessions.planning).acquire_owned().await.map_err(|_| Denied::Busy)?;
    let (store, manifest, wanted) =
        (Arc::clone(&sessions.services.packages), permit.manifest(), wanted.clone());
    let planning = move || {
        // Whoever stops waiting leaves it to this to be over.
        let _place = place;
        let read = |manifest| {
            let found = store.contents(manifest);
            found
                .and_then(|found| found.ok_or(StoreError::Missing { kind: Kind::Manifest, digest: manifest }))
        };
        let contents = read(manifest)?;
        // What cannot be read of what the target holds is sent anew.
        let known = known.into_iter().filter_map(|known| read(known).ok());
        Ok(plan_pull(contents, known, &wanted))
    };
    match tokio::task::spawn_blocking(planning).await {
        Ok(Ok(plan)) => plan.map_err(|_| Denied::Malformed),
        Ok(Err(why)) => {
            unsendable(asker, permit, &why);
            Err(Denied::Busy)
        }
        Err(_) => Err(Denied::Busy),
    }
}

/// The first pull for an assignment stands in the journal before a byte of it leaves; how it and further ones ended is
/// told when they did.
async fn begin(sessions: &Sessions, peer: &Peer, permit: &PullPermit, bytes: u64) -> Result<(), Denied> {
    let (assignment, manifest) = (permit.assignment(), permit.manifest());
    let command = SpaceCommand::RecordPullBegun { peer: *peer, assignment, manifest, bytes };
    submit(sessions, permit, command).await.map(drop)
}

/// A pull came to its end: the target may say from now on that it holds the package.
async fn record(sessions: &Sessions, peer: &Peer, permit: &PullPermit, bytes: u64) -> Option<()> {
    let (target, assignment, manifest) = (permit.target(), permit.assignment(), permit.manifest());
    let command = SpaceCommand::RecordPulled { peer: *peer, assignment, manifest, bytes };
    if submit(sessions, permit, command).await.ok()? == Reply::ReadBefore {
        sessions.counters.again(Repeated::Read { target, assignment, digest: manifest }, bytes);
    }
    Some(())
}

async fn submit(sessions: &Sessions, permit: &PullPermit, command: SpaceCommand) -> Result<Reply, Denied> {
    let envelope = Engine::envelope(Actor::Target(permit.target()), None);
    let submitted = sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await;
    submitted.map_err(|why| denied(&why))
}
