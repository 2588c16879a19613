//! The one function that decides what an agent or a person may get, and the permits that it returns (ARCHITECTURE,
//! "The agent's conversation"; THREATS A3, A4, C2).
//!
//! A permit's fields are private to this module and those below it: holding one is the proof that the check was made, on
//! the state that it was made on. It is asked for again at every read, never kept. Whatever falls off the end is denied,
//! and denied is the same answer as for what does not exist.
//!
//! Here: who an agent is, and whether it may have a session. Below: its requests, whether a target still belongs to
//! what it works on, and people.

mod people;
mod requests;
mod standing;

use windlass_protocol::Timestamp;
use windlass_protocol::digest::Digest;
use windlass_protocol::ids::{SpaceId, TargetId};
use windlass_protocol::message::Generation;

pub use people::{Action, PersonDenied, PersonPermit, maker_may, person, role_at};
pub use requests::{OutputPermit, PullPermit, ReportPermit, RequestPermit, VariablesPermit, request};
pub use standing::still_qualifies;

use crate::model::Target;
use crate::state::{Space, State};

/// Who a TLS connection proved to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The target that its certificate names.
    pub target: TargetId,
    /// SHA-256 of its public key.
    pub public_key: Digest,
    /// When its certificate expires.
    pub expires: Timestamp,
}

/// No, and nothing more: what is not one's own does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

/// A session may go on: the target exists, has this key, is neither disabled, revoked nor held.
#[derive(Debug, Clone, Copy)]
pub struct SessionPermit {
    space: SpaceId,
    target: TargetId,
    may: May,
}

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Everything,
    RenewOnly,
}

impl SessionPermit {
    pub const fn target(&self) -> TargetId {
        self.target
    }

    pub const fn space(&self) -> SpaceId {
        self.space
    }

    /// Whether its certificate has expired, so that renewing is all that it may do.
    pub fn renews_only(&self) -> bool {
        self.may == May::RenewOnly
    }
}

/// The target that a peer is: it exists, has this very key, is neither disabled, revoked nor held. Between asking and
/// deciding, a target may be enrolled again with another key: what the old one asked for is then nobody's.
pub fn identity<'a>(state: &'a State, peer: &Peer) -> Result<(&'a Space, &'a Target), Denied> {
    let (space, target) = proven(state, peer)?;
    if target.is_held() { Err(Denied) } else { Ok((space, target)) }
}

/// Whether all that bars a peer is that an operator has to confirm it: its agent is told so.
pub fn is_held(state: &State, peer: &Peer) -> bool {
    proven(state, peer).is_ok_and(|(_, target)| target.is_held())
}

/// Whether an agent that has seen this generation has seen a history that the journal does not know, and that no operator
/// has confirmed (ARCHITECTURE, "Generations").
pub fn is_ahead(state: &State, target: TargetId, generation: Generation) -> bool {
    // A target that nobody knows was deleted, or is to be made yet in a history that is later than this one.
    let Some(space) = state.space_of(target) else {
        return !state.spaces.values().any(|space| state.has_come_to(space, generation));
    };
    let confirmed = space.targets.get(target).and_then(|target| target.ahead).map(|ahead| ahead.generation);
    !state.has_come_to(space, generation) && confirmed.is_none_or(|confirmed| generation > confirmed)
}

fn proven<'a>(state: &'a State, peer: &Peer) -> Result<(&'a Space, &'a Target), Denied> {
    let space = state.space_of(peer.target).ok_or(Denied)?;
    let target = space.targets.get(peer.target).ok_or(Denied)?;
    if !target.enabled || target.revoked || target.key.public_key != peer.public_key {
        return Err(Denied);
    }
    Ok((space, target))
}

/// Whether a peer may have a session.
pub fn session(state: &State, peer: &Peer, now: Timestamp) -> Result<SessionPermit, Denied> {
    let (space, target) = identity(state, peer)?;
    let may = if peer.expires < now { May::RenewOnly } else { May::Everything };
    Ok(SessionPermit { space: space.head.id, target: target.id, may })
}
