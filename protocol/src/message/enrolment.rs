//! Enrolment: the one message of its ALPN, and the answer.

use serde::{Deserialize, Serialize};

use super::bounds;
use super::session::{Advertised, Isolation};
use crate::codec::{Malformed, Message};
use crate::ids::{EnrolmentId, TargetId};
use crate::limits;
use crate::time::Timestamp;

/// Asks to become a target. Sent over a connection on which the agent has authenticated the coordinator by the
/// token's fingerprint; the agent itself is nobody yet.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrol {
    pub enrolment: EnrolmentId,
    /// The token's secret.
    pub secret: [u8; 32],
    /// A PKCS #10 request in DER, signed by the key that the agent made. Only its public key is used.
    pub request: Vec<u8>,
    /// The agent's X25519 public key, to which variables are sealed.
    pub sealing_key: [u8; 32],
    /// The name that the machine would like to have.
    pub name: String,
    pub advertised: Advertised,
    /// How the agent keeps tenants apart.
    pub isolation: Isolation,
}

impl Message for Enrol {
    const LIMIT: usize = 64 << 10;

    fn check(&self) -> Result<(), Malformed> {
        bounds::name(&self.name)?;
        bounds::list(&self.request, limits::CERTIFICATE_BYTES)?;
        self.advertised.check()
    }
}

/// What the coordinator answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolAnswer {
    /// The machine is a target now.
    Enrolled(Box<Enrolled>),
    Refused(EnrolRefusal),
}

impl Message for EnrolAnswer {
    const LIMIT: usize = 64 << 10;
}

/// What a new target needs from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The target's id, for people; no message ever carries it back.
    pub target: TargetId,
    pub name: String,
    /// The agent's certificate, DER.
    pub certificate: Vec<u8>,
    /// The CA's certificate, DER; its digest is the fingerprint that the token carries.
    pub authority: Vec<u8>,
    /// The ed25519 public key that assignments are signed with.
    pub assignment_key: [u8; 32],
    /// The coordinator's X25519 public key, to which agents seal sensitive output.
    pub sealing_key: [u8; 32],
    /// The coordinator's clock.
    pub now: Timestamp,
}

/// Why an enrolment is refused. An unknown, a used and an expired token are told apart only to who has its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum EnrolRefusal {
    /// No such token.
    #[error("the coordinator does not know this token")]
    Unknown,
    /// All its uses are used.
    #[error("the token has been used; ask for a new one")]
    Used,
    #[error("the token has expired; ask for a new one")]
    Expired,
    /// The name is taken in the token's space.
    #[error(
        "a target of this name exists already; choose another name, or have an operator delete that target"
    )]
    NameTaken,
    /// The name is no display name.
    #[error("the name is not usable: a name has 1 to 200 visible characters")]
    BadName,
    /// The request for a certificate cannot be used.
    #[error("the coordinator cannot use the agent's request for a certificate")]
    BadRequest,
    /// Too many at once; try again.
    #[error("the coordinator is busy; try again in a few seconds")]
    Busy,
    /// Whoever made the token may not enrol machines any more.
    #[error("the token is worth nothing any more, like that of the operator who made it; ask for a new one")]
    MakerGone,
}
