//! Targets: enrolled, granted, advertised, seen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnrolmentId, TargetId};
use windlass_protocol::message::Generation;
use windlass_protocol::{DisplayName, Slug, Timestamp};

use crate::model::{Advertisement, Granted, TargetKey};

/// What happened to a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant)]
pub enum TargetEvent {
    /// A machine became a target, and thereby used the token.
    #[serde(rename = "target-enrolled")]
    Enrolled { enrolment: EnrolmentId, target: TargetEnrolled },
    /// It came back with a new key, and thereby used the token that was made for it.
    #[serde(rename = "target-enrolled-again")]
    EnrolledAgain { enrolment: EnrolmentId, target: TargetId, key: TargetKey },
    /// Its certificate was renewed, for the same key.
    #[serde(rename = "certificate-renewed")]
    Renewed { target: TargetId, expires: Timestamp },
    /// Its agent said what its configuration says, and it was something new.
    #[serde(rename = "target-advertised")]
    Advertised { target: TargetId, advertised: Advertisement },
    /// Its agent claimed something outside its grant; told once.
    OverClaimed {
        target: TargetId,
        /// What it claimed, as it wrote it.
        claims: BTreeSet<String>,
    },
    /// An operator set its grant.
    #[serde(rename = "target-granted")]
    Granted {
        target: TargetId,
        /// The grant from now on.
        granted: Granted,
    },
    /// An operator enabled it.
    #[serde(rename = "target-enabled")]
    Enabled { target: TargetId },
    /// An operator disabled it.
    #[serde(rename = "target-disabled")]
    Disabled { target: TargetId },
    /// An operator revoked its key.
    #[serde(rename = "target-revoked")]
    Revoked { target: TargetId },
    /// Its agent has seen later work than the journal knows: it gets nothing until an operator confirms it.
    #[serde(rename = "target-ahead")]
    Ahead {
        target: TargetId,
        /// What its agent has seen.
        generation: Generation,
    },
    /// An operator lets it take part again, whatever its agent has seen of another history.
    #[serde(rename = "target-confirmed")]
    Confirmed {
        target: TargetId,
        /// What its agent had seen.
        generation: Generation,
        /// The epoch from now on: what is given from here on is later than all that the agent has seen.
        epoch: u64,
    },
    /// An operator deleted it.
    #[serde(rename = "target-deleted")]
    Deleted {
        target: TargetId,
        /// Its name at that time.
        name: String,
    },
    /// It has work and no session for half a minute: from now on its deployments wait for a target that is offline.
    #[serde(rename = "target-lost")]
    Lost { target: TargetId },
    /// It was lost and has a session again.
    #[serde(rename = "target-back")]
    Back { target: TargetId },
    /// The coordinator was away while targets had work: who of them did not get through to it meanwhile has, from now on,
    /// as long to come back as a target that was lost just now.
    #[serde(rename = "coordinator-back")]
    CoordinatorBack,
}

/// A target as it enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetEnrolled {
    pub id: TargetId,
    pub slug: Slug,
    pub name: DisplayName,
    /// Its key pairs' public halves.
    pub key: TargetKey,
    pub granted: Granted,
}
