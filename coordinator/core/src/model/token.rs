//! Tokens of the HTTP API.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::TokenId;
use windlass_protocol::{Digest, DisplayName, Timestamp};

/// A token of the HTTP API. Only the digest of its secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Id.
    pub id: TokenId,
    /// Name.
    pub name: DisplayName,
    /// SHA-256 of the token's secret.
    pub secret: Digest,
    /// What it may do.
    pub role: Role,
    /// It may not be used after; never expires where there is none.
    pub expires: Option<Timestamp>,
    /// The token that made it: it is at most as strong as that one at every moment.
    pub made_by: Option<TokenId>,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Read everything but secrets.
    Auditor,
    /// Everything.
    Administrator,
}
