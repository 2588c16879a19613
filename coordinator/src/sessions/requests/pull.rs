//! A package, as its difference to what the agent holds.

use std::sync::Arc;
use std::time::Duration;

use quinn::SendStream;
use windlass_coordinator_core::authorise::{self, Peer, PullPermit, RequestPermit};
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;
use windlass_packages::{SendError, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::{Denied, PullRequest, Request};

use super::super::Sessions;
use crate::engine::{Engine, now};

/// How often the right to a pull is asked for beside the writing: an agent that reads slowly, or not at all, keeps the
/// writing waiting, and what waits for it must not be sent once the right has gone.
const LOOK: Duration = Duration::from_millis(100);

/// Streams the package, asking again whenever the state has changed under it.
pub(super) async fn serve(
    sessions: &Sessions,
    peer: &Peer,
    permit: PullPermit,
    wanted: &PullRequest,
    stream: &mut SendStream,
) -> Result<(), Denied> {
    let _turn = sessions.pulls.acquire().await.map_err(|_| Denied::Busy)?;
    let (manifest, held) = manifests(sessions, &permit, wanted).await.ok_or(Denied::NotFound)?;
    let plan = plan_pull(&manifest, &held, wanted).map_err(|_| Denied::Malformed)?;
    let bytes = plan.bytes_to_send();
    let mut right = Right { sessions, peer, wanted, seen: sessions.engine.state() };
    let mut beside = Right { seen: Arc::clone(&right.seen), ..right };
    let sent = tokio::select! {
        sent = send(&sessions.packages, &plan, stream, || right.still_stands()) => sent,
        () = beside.gone() => Err(SendError::Withdrawn),
    };
    match sent {
        Ok(_) => {
            // Recorded before the stream ends: what an agent holds counts only if the journal says that it came.
            if record(sessions, peer, &permit, bytes).await.is_some() {
                let _ = stream.finish();
                return Ok(());
            }
        }
        Err(SendError::Withdrawn) => sessions.denials.count(peer.target, &Request::Pull(wanted.clone())),
        Err(why) => tracing::warn!(target = %peer.target, %why, "a pull ended early"),
    }
    let _ = stream.reset(quinn::VarInt::from_u32(1));
    Ok(())
}

/// The right to the stream, checked whenever there is a new state.
struct Right<'a> {
    sessions: &'a Sessions,
    peer: &'a Peer,
    wanted: &'a PullRequest,
    seen: Arc<State>,
}

impl Right<'_> {
    /// Ends when the right has gone.
    async fn gone(&mut self) {
        while self.still_stands() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn still_stands(&mut self) -> bool {
        let state = self.sessions.engine.state();
        if Arc::ptr_eq(&state, &self.seen) {
            return true;
        }
        let request = Request::Pull(self.wanted.clone());
        let permit = authorise::request(&state, self.peer, &request, now());
        self.seen = state;
        matches!(permit, Ok(RequestPermit::Pull(_)))
    }
}

/// The manifest, and those that the agent says it holds as far as the journal knows that it pulled them.
async fn manifests(
    sessions: &Sessions,
    permit: &PullPermit,
    wanted: &PullRequest,
) -> Option<(Manifest, Vec<Manifest>)> {
    let known: Vec<Digest> = {
        let state = sessions.engine.state();
        let space = state.space_of(permit.target())?;
        let pulled = |digest: &&Digest| space.pulled.contains(&(permit.target(), **digest));
        wanted.holds.iter().filter(pulled).copied().collect()
    };
    let (store, manifest) = (sessions.packages.clone(), permit.manifest());
    let read = move || {
        let read = |digest| {
            store.manifest(digest).inspect_err(|why| tracing::error!(%why, "a manifest cannot be read"))
        };
        let manifest = read(manifest).ok()??;
        let held = known.into_iter().filter_map(|digest| read(digest).ok()?);
        Some((manifest, held.collect()))
    };
    tokio::task::spawn_blocking(read).await.ok()?
}

async fn record(sessions: &Sessions, peer: &Peer, permit: &PullPermit, bytes: u64) -> Option<()> {
    let space = sessions.engine.state().space_of(peer.target)?.head.id;
    let (target, assignment, manifest) = (permit.target(), permit.assignment(), permit.manifest());
    let command = SpaceCommand::RecordPulled { target, assignment, manifest, bytes };
    let envelope = Engine::envelope(Actor::Target(target), None);
    sessions.engine.submit(envelope, Command::Space(space, command)).await.ok().map(drop)
}
