//! A package, as its difference to what the agent holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::SendStream;
use windlass_coordinator_core::authorise::{self, Peer, PullPermit, RequestPermit};
use windlass_coordinator_core::decide::{Command, Repeated, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_packages::{Kind, PullPlan, SendError, StoreError, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::message::{Denied, PullRequest, Request};

use super::super::Sessions;
use super::super::pace::{Gauge, Look};
use super::super::turns::Turn;
use super::denied;
use super::metered::Metered;
use crate::engine::{Engine, now};

/// How often the right to a pull is asked for beside the writing: an agent that reads slowly, or not at all, keeps the
/// writing waiting, and what waits for it must not be sent once the right has gone.
const LOOK: Duration = Duration::from_millis(100);

/// Streams the package, asking again before every write whether it still may.
pub(super) async fn serve(
    sessions: &Sessions,
    peer: &Peer,
    permit: PullPermit,
    wanted: &PullRequest,
    stream: &mut SendStream,
) -> Result<(), Denied> {
    let flow = (permit.space(), permit.tenant());
    let preparing = async {
        let turn = sessions.turns.take(flow, peer.target).await.ok_or(Denied::Busy)?;
        Ok((turn, plan(sessions, &permit, wanted).await?))
    };
    let (turn, plan) = tokio::select! {
        prepared = preparing => prepared?,
        // Who has gone does not wait: its place in the queue is another's, and so is what its target may have at once.
        _ = stream.stopped() => return Ok(()),
    };
    let bytes = plan.bytes_to_send();
    begin(sessions, peer, &permit, bytes).await?;
    let request = Request::Pull(wanted.clone());
    let right = || Right { sessions, peer, request: &request };
    let (before_writing, beside) = (right(), right());
    let may_go_on = || before_writing.still_stands();
    let mut metered = Metered::new(stream, &turn);
    let sent = tokio::select! {
        sent = send(&sessions.services.packages, &plan, &mut metered, may_go_on) => sent.map_err(Ending::from),
        ending = beside.watch(&turn) => Err(ending),
    };
    let written = turn.taken();
    match sent {
        Ok(_) => {
            // Recorded before the stream ends: what an agent holds counts only if the journal says that it came.
            if record(sessions, peer, &permit, bytes).await.is_some() {
                let _ = stream.finish();
                return Ok(());
            }
        }
        Err(Ending::Withdrawn) => sessions.counters.denied(peer.target, request.kind(), 1),
        Err(Ending::Stalled) => tracing::warn!(target = %peer.target, "a pull that nobody reads was ended"),
        Err(Ending::CrowdedOut) => {
            tracing::warn!(target = %peer.target, "the slowest of many slow pulls was ended; it comes again");
        }
        Err(Ending::Failed(why)) => tracing::warn!(target = %peer.target, %why, "a pull ended early"),
    }
    let (target, assignment, manifest) = (permit.target(), permit.assignment(), permit.manifest());
    // A part of it was read all the same.
    if written > 0 {
        sessions.counters.again(Repeated::PullBroken { target, assignment, manifest }, written);
    }
    let _ = stream.reset(quinn::VarInt::from_u32(1));
    Ok(())
}

/// Why a pull ends before its end.
enum Ending {
    /// The right to it has gone.
    Withdrawn,
    /// The agent takes nothing off the stream.
    Stalled,
    /// It is the slowest of more slow ones than there is room for.
    CrowdedOut,
    /// It cannot be sent.
    Failed(SendError),
}

impl From<SendError> for Ending {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Withdrawn => Self::Withdrawn,
            error => Self::Failed(error),
        }
    }
}

/// The right to the stream. It is asked for anew each time: the state may have changed since there was a turn, and time
/// alone ends rights.
struct Right<'a> {
    sessions: &'a Sessions,
    peer: &'a Peer,
    request: &'a Request,
}

impl Right<'_> {
    /// Ends when the pull has to: the right has gone, or the agent takes too little of it.
    async fn watch(&self, turn: &Turn<'_>) -> Ending {
        let mut gauge = Gauge::new(Instant::now(), turn.taken());
        while self.still_stands() {
            match gauge.look(Instant::now(), turn.taken()) {
                Look::Stalled => return Ending::Stalled,
                Look::Measured(pace) => turn.measured(pace),
                Look::Between => {}
            }
            if !turn.give_way() {
                return Ending::CrowdedOut;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ending::Withdrawn
    }

    fn still_stands(&self) -> bool {
        let state = self.sessions.engine.state();
        let permit = authorise::request(&state, self.peer, self.request, now());
        matches!(permit, Ok(RequestPermit::Pull(_)))
    }
}

/// What travels. Of the manifests that the agent says it holds those count that the journal knows it pulled.
async fn plan(sessions: &Sessions, permit: &PullPermit, wanted: &PullRequest) -> Result<PullPlan, Denied> {
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
            let found = found.and_then(|found| {
                found.ok_or(StoreError::Missing { kind: Kind::Manifest, digest: manifest })
            });
            found.inspect_err(|why| tracing::error!(%why, "a manifest cannot be read")).ok()
        };
        let contents = read(manifest).ok_or(Denied::Busy)?;
        plan_pull(contents, known.into_iter().filter_map(read), &wanted).map_err(|_| Denied::Malformed)
    };
    tokio::task::spawn_blocking(planning).await.unwrap_or(Err(Denied::Busy))
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
