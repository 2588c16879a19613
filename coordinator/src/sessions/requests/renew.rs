//! A new certificate for the same key, before the old one expires or after.

use windlass_coordinator_core::authorise::{Peer, SessionPermit};
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::message::Answer;

use super::super::Sessions;
use crate::authority::requested_key;
use crate::engine::Engine;

pub(super) async fn answer(
    sessions: &Sessions,
    peer: &Peer,
    permit: &SessionPermit,
    request: &[u8],
) -> Option<Answer> {
    let same_key = requested_key(request).is_ok_and(|key| key == peer.public_key);
    if !same_key {
        return None;
    }
    let (certificate, expires) = sessions.authority.certify(permit.target(), request).ok()?;
    let command = SpaceCommand::RecordRenewal { target: permit.target(), expires };
    let envelope = Engine::envelope(Actor::Target(permit.target()), None);
    sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await.ok()?;
    Some(Answer::Renewed { certificate: certificate.to_vec() })
}
