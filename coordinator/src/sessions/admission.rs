//! Whether a session may stand, by what the agent says first; and what is recorded of that.

use std::time::Instant;

use windlass_coordinator_core::authorise::{self, Peer};
use windlass_coordinator_core::decide::{Command, Greeted, Greeting, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::{Space, State};
use windlass_protocol::ids::SpaceId;
use windlass_protocol::limits::UNFINISHED_ASSIGNMENTS;
use windlass_protocol::message::{Generation, Goodbye, Hello, VERSION};

use super::{Sessions, requests};
use crate::comings;
use crate::engine::{Engine, now};

/// Whether the session may stand; what the agent advertises is recorded before it is relied on.
pub(super) async fn admit(
    sessions: &Sessions,
    peer: &Peer,
    hello: &Hello,
    from: &str,
) -> Result<(), Goodbye> {
    if hello.lowest > VERSION || hello.highest < VERSION {
        return Err(Goodbye::Version { lowest: VERSION, highest: VERSION });
    }
    let state = sessions.engine.state();
    let permit =
        authorise::session(&state, peer, now()).map_err(|_| denial(&state, peer, hello.generation))?;
    if let Some(generation) = hello.generation
        && authorise::is_ahead(&state, peer.target, generation)
    {
        hold(sessions, peer, permit.space(), generation, from).await;
        return Err(Goodbye::FutureGeneration);
    }
    if permit.renews_only() {
        return Ok(());
    }
    let may_change = sessions.services.registry.take_change(peer.target);
    let command = SpaceCommand::Greet(Box::new(greeting(peer, hello, may_change)));
    let envelope = Engine::envelope(Actor::Target(peer.target), Some(from.to_owned()));
    let submitted = sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await;
    let changed = matches!(submitted, Ok(Reply::Greeted(Greeted::Changed)));
    if may_change && !changed {
        sessions.services.registry.give_change_back(peer.target);
    }
    match submitted {
        Ok(Reply::Greeted(Greeted::TooOften)) => {
            if sessions.takes_line(peer.target) {
                tracing::warn!(target = %peer.target, "the machine says something else of itself again and again");
            }
            Err(Goodbye::TooOften)
        }
        Ok(_) => {
            back(sessions, peer, permit.space()).await;
            Ok(())
        }
        Err(why) if requests::is_decision(&why) => {
            // Who is not admitted stops what runs; what it said being wrong is no reason for that.
            let state = sessions.engine.state();
            let permit = authorise::session(&state, peer, now());
            Err(permit.map_or_else(|_| denial(&state, peer, hello.generation), |_| Goodbye::Protocol))
        }
        Err(why) => {
            if sessions.takes_line(peer.target) {
                tracing::warn!(target = %peer.target, %why, "a greeting could not be recorded; the agent comes again");
            }
            Err(Goodbye::Busy)
        }
    }
}

/// A target that was lost is back before it asks for anything: its work is not overdue any more.
async fn back(sessions: &Sessions, peer: &Peer, space: SpaceId) {
    let is_lost = |space: &Space| space.lost.contains_key(&peer.target);
    if !sessions.engine.state().space(space).is_some_and(is_lost) {
        return;
    }
    let command = SpaceCommand::RecordPresence { lost: Vec::new(), back: vec![peer.target] };
    match sessions.engine.submit(Engine::own_envelope(), Command::Space(space, command)).await {
        Ok(_) => comings::back(&sessions.engine.state(), peer.target),
        Err(why) if sessions.takes_line(peer.target) => {
            tracing::warn!(target = %peer.target, %why, "that it is back could not be written down; it is tried again");
        }
        Err(_) => {}
    }
}

fn greeting(peer: &Peer, hello: &Hello, may_change: bool) -> Greeting {
    // A full list may be a part of a longer one; then it says nothing about what is not in it.
    let whole = hello.unfinished.len() < UNFINISHED_ASSIGNMENTS;
    Greeting {
        peer: *peer,
        advertised: hello.advertised.clone(),
        isolation: hello.isolation,
        agent_version: hello.agent_version.clone(),
        unfinished: whole.then(|| hello.unfinished.iter().copied().collect()),
        may_change,
    }
}

/// Why a peer may have no session, as far as it is told. Who is not admitted stops what runs there: a journal that is
/// behind what the agent has seen says nothing of the kind, for it may have been restored from before the target was
/// made, or was enabled again.
pub(super) fn denial(state: &State, peer: &Peer, seen: Option<Generation>) -> Goodbye {
    let is_ahead = seen.is_some_and(|seen| authorise::is_ahead(state, peer.target, seen));
    if is_ahead || authorise::is_held(state, peer) { Goodbye::FutureGeneration } else { Goodbye::NotAdmitted }
}

/// An agent has seen later work than the journal knows. That is written down, for the journal grows past it, and who wonders
/// what is restored here needs more time than that.
async fn hold(sessions: &Sessions, peer: &Peer, space: SpaceId, generation: Generation, from: &str) {
    let Generation { epoch, sequence } = generation;
    let is_told = sessions.takes_line(peer.target);
    if is_told {
        tracing::warn!(
            target = %peer.target,
            epoch,
            sequence,
            "the agent has seen later work than the journal knows, and gets nothing until an operator confirms it: was \
             a backup restored?"
        );
    }
    let envelope = Engine::envelope(Actor::Target(peer.target), Some(from.to_owned()));
    let command = Command::Space(space, SpaceCommand::RecordAhead { peer: *peer, generation });
    if let Err(why) = sessions.engine.submit(envelope, command).await
        && is_told
    {
        tracing::warn!(target = %peer.target, %why, "that it is held could not be written down; it is when it comes again");
    }
}

/// Two live sessions have one certificate. The first time in a while is recorded at once, others are counted.
pub(super) async fn record_clone(sessions: &Sessions, peer: &Peer, older: &str, newer: &str) {
    let state = sessions.engine.state();
    let Some(space) = state.space_of(peer.target).map(|space| space.head.id) else { return };
    if !sessions.counters.is_first_clone(peer.target, older, newer, Instant::now()) {
        return;
    }
    let (target, older, newer) = (peer.target, older.to_owned(), newer.to_owned());
    tracing::warn!(%target, older, newer, "two machines use one certificate: possible clone");
    let command = Command::Space(space, SpaceCommand::RecordClone { target, older, newer });
    let _ = sessions.engine.submit(Engine::own_envelope(), command).await;
}
