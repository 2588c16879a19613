//! Answers about targets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::query::QueryText;

closed_list! {
    /// How an agent keeps tenants apart that share its machine.
    IsolationKind {
        /// Each tenant has an account of its own.
        Accounts = "accounts",
        /// It serves one tenant at most.
        SingleTenant = "single-tenant",
        /// It does not: the machine's owner said so.
        None = "none",
    }
}

closed_list! {
    /// Which kinds of deployment a scope admits.
    ScopeParticipation {
        /// Untenanted ones.
        Untenanted = "untenanted",
        /// Those for a tenant.
        Tenanted = "tenanted",
        /// Both.
        Both = "both",
        /// None: granted and advertised exclude each other.
        None = "none",
    }
}

/// A target in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetItem {
    /// Id.
    pub id: String,
    /// Slug.
    pub slug: String,
    /// Name.
    pub name: String,
    /// Whether an operator lets it take part.
    pub enabled: bool,
    /// Whether its key is revoked.
    pub revoked: bool,
    /// Whether it gets nothing until an operator confirms it: its agent has seen later work than the journal knows.
    pub held: bool,
    /// Whether its agent is connected.
    pub online: bool,
    /// Effective roles.
    pub roles: Vec<String>,
    /// Effective environments.
    pub environments: Vec<String>,
    /// Whether it claims more than it was granted.
    pub over_claims: bool,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// What lists show.
    #[serde(flatten)]
    pub item: TargetItem,
    /// What operators granted.
    pub granted: ScopeView,
    /// What its agent says, in its own words. What it leaves out, null here, narrows nothing.
    pub advertised: ScopeView,
    /// Granted and advertised together.
    pub effective: ScopeView,
    /// Tenants that it may serve now, by name.
    pub tenants: Vec<String>,
    /// What it claims outside its grant now, in its own words.
    pub claims: Vec<String>,
    /// How it keeps tenants apart.
    pub isolation: IsolationKind,
    /// The agent's version.
    pub agent_version: String,
    /// When its agent was last heard; null where nobody remembers.
    pub last_seen: Option<String>,
    /// When its newest certificate expires.
    pub certificate_expires: String,
    /// SHA-256 of its public key.
    pub public_key: String,
    /// What its agent has seen and the journal does not know; null where there is nothing.
    pub ahead: Option<AheadView>,
}

/// Work that an agent has seen and the journal does not know: a backup was restored, or the machine does not tell the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AheadView {
    /// The epoch of the latest such work.
    pub epoch: u64,
    /// The record of the space, in that epoch.
    pub sequence: u64,
    /// Whether an operator lets the target take part all the same.
    pub confirmed: bool,
}

/// A scope in names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeView {
    /// Roles.
    pub roles: Option<Vec<String>>,
    /// Environments.
    pub environments: Option<Vec<String>>,
    /// The tenant query; of the effective scope, the advertised one is applied after the granted one.
    pub tenants: Option<QueryText>,
    /// Which kinds of deployment.
    pub participation: Option<ScopeParticipation>,
}
