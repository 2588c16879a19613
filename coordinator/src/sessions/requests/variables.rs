//! The variables of a step: resolved, opened, sealed to the agent's key, and the reading recorded first.

use tokio_util::sync::CancellationToken;
use windlass_coordinator_core::authorise::VariablesPermit;
use windlass_coordinator_core::decide::{Command, Repeated, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::codec;
use windlass_protocol::message::{Answer, ClearVariables, Denied, SealedVariables};
use zeroize::Zeroizing;

use super::super::Sessions;
use super::super::delivery::{self, DeliveryError};
use super::answering::Asker;
use super::{denied, work_out};
use crate::engine::Engine;

pub(super) async fn answer(asker: &Asker, permit: VariablesPermit) -> Result<Answer, Denied> {
    let (sessions, peer) = (&*asker.sessions, &asker.peer);
    let space = permit.space();
    let collecting = move |sessions: &Sessions, _: &CancellationToken| (collect(sessions, &permit), permit);
    let (collected, permit) = work_out(asker, space, collecting).await?;
    let (clear, digest) = match collected.ok_or(Denied::NotFound)? {
        Ok(collected) => collected,
        Err(why) if why.passes() => {
            if asker.takes_line() {
                tracing::warn!(assignment = %permit.assignment(), %why, "variables cannot be delivered now");
            }
            return Err(Denied::Busy);
        }
        Err(why) => {
            if asker.takes_line() {
                tracing::error!(assignment = %permit.assignment(), %why, "variables cannot be delivered");
            }
            let reasons = vec![(permit.assignment(), why.reason())];
            delivery::give_up(sessions, permit.space(), permit.target(), reasons).await;
            // It has the right; what it is for ends, and until it hears so it asks again.
            return Err(Denied::Busy);
        }
    };
    // The first reading is an event, and stands in the journal before a byte of it leaves; further ones are counted.
    let names = clear.variables.iter().map(|variable| variable.name.clone()).collect();
    let (target, assignment) = (permit.target(), permit.assignment());
    let command = SpaceCommand::RecordVariablesRead { peer: *peer, assignment, names, digest };
    let envelope = Engine::envelope(Actor::Target(peer.target), None);
    let submitted = sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await;
    let reply = submitted.map_err(|why| denied(&why))?;
    if reply == Reply::ReadBefore {
        sessions.counters.again(Repeated::Read { target, assignment, digest }, 0);
    }
    // Should the right have gone meanwhile, or the machine have another key, nothing of this is sent: whatever is written is
    // written under its right.
    let state = sessions.engine.state();
    let sealing_key =
        state.space(permit.space()).and_then(|space| delivery::sealing_key(space, permit.target()));
    let key = sealing_key.ok_or(Denied::NotFound)?;
    work_out(asker, space, move |_, _| seal(&clear, &key, &permit)).await?.ok_or(Denied::NotFound)
}

/// The variables as they are now, and their digest.
fn collect(
    sessions: &Sessions,
    permit: &VariablesPermit,
) -> Option<Result<(ClearVariables, Digest), DeliveryError>> {
    let state = sessions.engine.state();
    let space = state.space(permit.space())?;
    let clear = delivery::variables(
        sessions,
        space,
        permit.deployment(),
        permit.target(),
        permit.step(),
        permit.assignment(),
    );
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
