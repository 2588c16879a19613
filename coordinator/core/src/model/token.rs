//! Tokens of the HTTP API.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
pub use windlass_api::answers::TokenRole as Role;
use windlass_protocol::ids::{SpaceId, TokenId};
use windlass_protocol::{Digest, DisplayName, Timestamp};

use crate::query::Query;

/// A token of the HTTP API. Only the digest of its secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: TokenId,
    pub name: DisplayName,
    /// SHA-256 of the token's secret.
    pub secret: Digest,
    pub role: Role,
    /// It may not be used after; never expires where there is none.
    pub expires: Option<Timestamp>,
    /// Whose things it sees, where it does not see everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<TenantLimit>,
    /// The token that made it: it is at most as strong as that one at every moment.
    pub made_by: Option<TokenId>,
}

/// The tenants whose things somebody sees, in one space. For who has a limit, all else does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantLimit {
    pub space: SpaceId,
    /// The tenants: those that it matches at the moment of looking. Shared, because each permit has it.
    pub tenants: Arc<Query>,
}
