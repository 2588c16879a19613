//! The installation and the tokens of its API.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{KeyId, LifecycleId, SpaceId, TokenId};
use windlass_protocol::{Digest, DisplayName, Slug, Timestamp};

use crate::model::{Role, TenantLimit};

/// What happened to the installation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum InstallationEvent {
    /// The installation was made: the first record.
    Initialised {
        /// SHA-256 of the CA's certificate.
        authority: Digest,
        /// The first space.
        space: SpaceMade,
        /// The first administrator's token.
        token: TokenCreated,
    },
    /// A token of the API was made.
    TokenCreated {
        /// The token, without its secret.
        token: TokenCreated,
    },
    /// A token was taken back.
    TokenDeleted { token: TokenId },
}

/// A space with its lifecycle `Default`, which has a phase for each environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceMade {
    pub id: SpaceId,
    pub slug: Slug,
    pub name: DisplayName,
    /// The data key for sensitive values without a tenant.
    pub key: KeyId,
    /// The id of its lifecycle `Default`.
    pub lifecycle: LifecycleId,
}

/// A token as it was made: a digest stands for its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    pub id: TokenId,
    pub name: DisplayName,
    /// SHA-256 of its secret, which is 256 random bits.
    pub secret: Digest,
    pub role: Role,
    /// It may not be used after; never expires where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whose things it sees, where it does not see everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<TenantLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<TokenId>,
}
