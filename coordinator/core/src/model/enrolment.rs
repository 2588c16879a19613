//! Enrolment tokens (SEMANTICS 3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnrolmentId, TargetId, TokenId};
use windlass_protocol::message::EnrolRefusal;
use windlass_protocol::{Digest, DisplayName, Timestamp};

use super::target::Granted;

/// Seconds that a token stays in the state after it has expired: a machine that comes with it meanwhile is told why it
/// is refused. The journal keeps it for good.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;

/// A token that lets machines become targets, and the ceiling of what they may get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    pub id: EnrolmentId,
    /// SHA-256 of the token's secret.
    pub secret: Digest,
    /// How often it may be used in all.
    pub uses: u32,
    /// Who used it: the target and the digest of its public key, so that the same agent asking again is answered the
    /// same.
    pub used_by: Vec<(TargetId, Digest)>,
    /// It may not be used after.
    pub expires: Timestamp,
    /// The grant of who enrols with it.
    pub granted: Granted,
    /// The name that the target gets, whatever the machine says.
    pub name: Option<DisplayName>,
    /// The very target that it is for: a re-enrolment with a new key, which keeps the target's grant.
    pub target: Option<TargetId>,
    /// The token of the API that made it: it is good for nothing once that one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<TokenId>,
    /// Rules by which a use was refused: each is recorded when it first happens, and counted after that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<EnrolRefusal>,
}

impl Enrolment {
    /// When it leaves the state, used or not.
    pub const fn leaves(&self) -> Timestamp {
        self.expires.plus_seconds(KEPT_SECONDS)
    }
}
