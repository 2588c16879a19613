//! Enrolment tokens.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnrolmentId, TargetId, TokenId};
use windlass_protocol::message::EnrolRefusal;
use windlass_protocol::{Digest, DisplayName, Timestamp};

use crate::model::Granted;

/// What happened to an enrolment token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant)]
pub enum EnrolmentEvent {
    /// It was made.
    #[serde(rename = "enrolment-created")]
    Created {
        /// The token, without its secret.
        enrolment: EnrolmentCreated,
    },
    /// It was taken back.
    #[serde(rename = "enrolment-deleted")]
    Deleted { enrolment: EnrolmentId },
    /// It expired long ago and left the state; nobody took it back.
    #[serde(rename = "enrolment-forgotten")]
    Forgotten { enrolment: EnrolmentId },
    /// Its use was refused, for the first time for this reason.
    #[serde(rename = "enrolment-refused")]
    Refused { enrolment: EnrolmentId, rule: EnrolRefusal },
}

/// An enrolment token as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentCreated {
    pub id: EnrolmentId,
    /// SHA-256 of its secret, which is 256 random bits.
    pub secret: Digest,
    /// How often it may be used in all.
    pub uses: u32,
    /// It may not be used after.
    pub expires: Timestamp,
    /// The grant of who enrols with it.
    pub granted: Granted,
    /// The name that the target gets, whatever the machine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
    /// The very target that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The token of the API that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<TokenId>,
}
