//! The variables of a step: resolved, opened, sealed to the agent's key, and the reading recorded first.

use windlass_coordinator_core::authorise::{self, Peer, RequestPermit, VariablesPermit};
use windlass_coordinator_core::decide::{Command, Repeated, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::codec;
use windlass_protocol::message::{Answer, ClearVariables, Request, SealedVariables};
use zeroize::Zeroizing;

use super::super::Sessions;
use super::super::delivery::{self, DeliveryError};
use crate::engine::{Engine, now};

pub(super) async fn answer(
    sessions: &Sessions,
    peer: &Peer,
    permit: &VariablesPermit,
    request: &Request,
) -> Option<Answer> {
    let (clear, digest) = match collect(sessions, permit)? {
        Ok(collected) => collected,
        Err(why) => {
            tracing::error!(assignment = %permit.assignment(), %why, "variables cannot be delivered");
            let reasons = vec![(permit.assignment(), why.reason())];
            delivery::give_up(sessions, permit.space(), permit.target(), reasons).await;
            return None;
        }
    };
    // The first reading is an event, and stands in the journal before a byte of it leaves; further ones are counted.
    let names = clear.variables.iter().map(|variable| variable.name.clone()).collect();
    let (target, assignment) = (permit.target(), permit.assignment());
    let command = SpaceCommand::RecordVariablesRead { peer: *peer, assignment, names, digest };
    let envelope = Engine::envelope(Actor::Target(peer.target), None);
    let reply = sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await.ok()?;
    if reply == Reply::ReadBefore {
        sessions.tally.again(Repeated::Read { target, assignment, digest }, 0);
    }
    // Meanwhile the right may have gone, or the machine may have another key.
    let state = sessions.engine.state();
    let Ok(RequestPermit::Variables(permit)) = authorise::request(&state, peer, request, now()) else {
        return None;
    };
    let sealing_key = delivery::sealing_key(state.space(permit.space())?, permit.target())?;
    seal(&clear, &sealing_key, &permit)
}

/// The variables as they are now, and their digest.
fn collect(
    sessions: &Sessions,
    permit: &VariablesPermit,
) -> Option<Result<(ClearVariables, Digest), DeliveryError>> {
    let state = sessions.engine.state();
    let space = state.space(permit.space())?;
    let clear = delivery::variables(sessions, space, permit.deployment(), permit.target(), permit.step());
    Some(clear.and_then(|clear| {
        let digest = clear.digest(permit.assignment())?;
        Ok((clear, digest))
    }))
}

fn seal(clear: &ClearVariables, key: &[u8; 32], permit: &VariablesPermit) -> Option<Answer> {
    let body = Zeroizing::new(codec::body(clear).ok()?);
    let sealed = windlass_trust::seal(key, &body, &ClearVariables::info(permit.assignment())).ok()?;
    Some(Answer::Variables(SealedVariables { encapsulated: sealed.encapsulated, sealed: sealed.ciphertext }))
}
