//! The record that carries the events of one command: who, from where, when and why.

use serde::{Deserialize, Serialize};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnrolmentId, SpaceId, TargetId, TokenId};

use super::Event;

/// What one command did, as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the journal, from 1.
    pub sequence: u64,
    /// Counts restorations from a backup, from 1.
    pub epoch: u64,
    /// When, never earlier than the record before.
    pub time: Timestamp,
    /// Whose state it changes.
    pub stream: Stream,
    /// Who.
    pub actor: Actor,
    /// From where: a network address, as far as there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Why, where somebody gave a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened.
    pub events: Vec<Event>,
}

/// Whose state a record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// The installation's: tokens and certificates.
    Installation,
    /// A space's.
    Space(SpaceId),
}

/// Who caused a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Who started the coordinator's programs on its machine.
    Installer,
    /// The coordinator itself: deadlines, counts.
    Coordinator,
    /// The holder of a token of the API.
    Token(TokenId),
    /// A target's agent.
    Target(TargetId),
    /// A machine that is enrolling.
    Enrolment(EnrolmentId),
}

impl Actor {
    /// The token of the API that it used, if it did.
    pub const fn token(self) -> Option<TokenId> {
        match self {
            Self::Token(token) => Some(token),
            Self::Installer | Self::Coordinator | Self::Target(_) | Self::Enrolment(_) => None,
        }
    }
}
