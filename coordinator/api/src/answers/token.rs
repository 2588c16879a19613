//! Answers about tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::target::ScopeParticipation;
use crate::query::QueryText;

closed_list! {
    /// What a token of the API may do.
    TokenRole {
        /// Everything.
        Administrator = "administrator",
        /// Read.
        Auditor = "auditor",
    }
}

/// A token that was made. This is the only time that anybody sees it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// Its id.
    pub id: String,
    /// The token itself.
    pub token: String,
    /// It may not be used after.
    pub expires: Option<String>,
    /// What is allowed, but worth a second look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A token of the API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// What it may do, as long as the tokens that made it may.
    pub role: TokenRole,
    /// It may not be used after; null: never expires.
    pub expires: Option<String>,
    /// Whose things it sees; null: everybody's.
    pub tenants: Option<QueryText>,
    /// The token that made it.
    pub made_by: Option<String>,
}

/// An enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentItem {
    /// Id.
    pub id: String,
    /// How often it may be used in all.
    pub uses: u32,
    /// How often it was.
    pub used: u32,
    /// It may not be used after.
    pub expires: String,
    /// The name that the target gets.
    pub name: Option<String>,
    /// The target that it is for, where it is for one that exists.
    pub target: Option<String>,
    /// Roles that it grants.
    pub roles: Vec<String>,
    /// Environments that it grants.
    pub environments: Vec<String>,
    /// Tenants that it grants; naming none is nobody.
    pub tenants: QueryText,
    /// Which kinds of deployment its targets take part in.
    pub participation: ScopeParticipation,
    /// The token of the API that made it; it is worth nothing once that one is.
    pub made_by: Option<String>,
}

/// Who asks, and whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The token's name.
    pub token: String,
    /// What it may do now: no more than the tokens that made it; null for nothing.
    pub role: Option<TokenRole>,
    /// It may not be used after.
    pub expires: Option<String>,
    /// The space that is meant where none is named.
    pub space: String,
    /// SHA-256 of the CA's certificate.
    pub authority: String,
    /// The coordinator's version.
    pub version: String,
}
