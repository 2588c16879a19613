//! A new certificate for the same key, before the old one expires or after.

use windlass_coordinator_core::authorise::{Peer, SessionPermit};
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::message::{Answer, Denied};

use super::super::Sessions;
use super::denied;
use crate::authority::requested_key;
use crate::engine::{Engine, now};

pub(super) async fn answer(
    sessions: &Sessions,
    peer: &Peer,
    permit: &SessionPermit,
    request: &[u8],
) -> Result<Answer, Denied> {
    let same_key = requested_key(request).is_ok_and(|key| key == peer.public_key);
    if !same_key {
        return Err(Denied::NotFound);
    }
    // Only to know that the request can be certified, before anything is recorded.
    let (target, authority) = (permit.target(), &sessions.services.authority);
    let certify = |expires| authority.certify(target, request, expires).map_err(|_| Denied::NotFound);
    certify(authority.expiry(now()))?;
    let command = SpaceCommand::Renew { peer: *peer, life_seconds: authority.agent_seconds() };
    let envelope = Engine::envelope(Actor::Target(target), None);
    let decided = sessions.engine.submit(envelope, Command::Space(permit.space(), command)).await;
    let Reply::Renewed { expires } = decided.map_err(|why| denied(&why))? else {
        return Err(Denied::NotFound);
    };
    Ok(Answer::Renewed { certificate: certify(expires)?.to_vec() })
}
