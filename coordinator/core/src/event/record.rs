//! The record that carries the events of one command: who, from where, when, why, and what the decision rested on.

use std::fmt;

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnrolmentId, SpaceId, TargetId, TokenId};
use windlass_protocol::{Digest, Timestamp};

use super::Event;
use crate::decide::Reply;

/// The format that records are written in. Another one is another number, and reads this one for good.
pub const FORMAT: u32 = 1;

/// What one command did, as it stands in the journal. Both numbers are given by the append: a decision only expects them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in the journal, from 1.
    pub number: u64,
    /// Whose state it changes.
    pub stream: Stream,
    /// Its number in its stream, from 1.
    pub sequence: u64,
    /// Counts restorations from a backup, from 1.
    pub epoch: u64,
    /// The format that it is written in.
    pub format: u32,
    /// When, never earlier than the record before.
    pub time: Timestamp,
    /// Who, why, and what it rested on.
    pub header: Header,
    pub events: Vec<Event>,
}

/// Who caused a record, why, and what the decision rested on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub actor: Actor,
    /// From where: a network address, as far as there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Why, where somebody gave a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The number of the record that this one follows from, where the coordinator goes on with something by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// How far the streams were that the decision read. It holds as long as they are no further.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// The request that it answers, where that has a key to be repeated by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
}

/// A stream as far as a decision knew it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    pub stream: Stream,
    /// The number of its last record, 0 before the first.
    pub sequence: u64,
}

/// A request that may be repeated, by who asked and the key that they gave it (`Idempotency-Key`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The token that it came with.
    pub token: TokenId,
    pub key: String,
    /// The digest of what was asked for, in which keyed digests stand for sensitive values.
    pub digest: Digest,
}

/// A request with its answer: asked again it gets the same one, and nothing is done. No answer holds a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    pub request: Request,
    pub reply: Reply,
}

/// Whose state a record changes. What is decided about one rests on that one, and on the installation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// The installation's: tokens and certificates.
    Installation,
    Space(SpaceId),
    /// What was seen in a space, or before anybody knew in which: denials, counts, printed plans. No decision reads it,
    /// so that nobody's noise holds up anybody's work.
    Observations(Option<SpaceId>),
}

impl Stream {
    /// The space that it is about, if it is about one.
    pub const fn space(self) -> Option<SpaceId> {
        match self {
            Self::Installation => None,
            Self::Space(space) => Some(space),
            Self::Observations(space) => space,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => formatter.write_str("installation"),
            Self::Space(space) => write!(formatter, "{space}"),
            Self::Observations(None) => formatter.write_str("observations"),
            Self::Observations(Some(space)) => write!(formatter, "observations/{space}"),
        }
    }
}

/// Who caused a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Who started the coordinator's programs on its machine.
    Installer,
    /// The coordinator itself: deadlines, counts, what it goes on with.
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
