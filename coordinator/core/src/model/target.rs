//! Targets: granted and advertised scope (SEMANTICS 3). What is effective is computed in [`crate::scope`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnvironmentId, TargetId};
use windlass_protocol::message::{Advertised, Generation, Isolation, Participation};
use windlass_protocol::{Digest, DisplayName, Slug, Timestamp};

use super::advertised::Advertisement;
use crate::event::TargetEnrolled;
use crate::query::Query;

/// One machine with an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub id: TargetId,
    pub slug: Slug,
    pub name: DisplayName,
    /// Whether an operator lets it take part.
    pub enabled: bool,
    /// Whether its key is revoked; only a new enrolment brings it back.
    pub revoked: bool,
    /// Its key pairs' public halves.
    pub key: TargetKey,
    /// What operators granted.
    pub granted: Granted,
    /// What its agent says.
    pub advertised: Advertisement,
    /// What it ever claimed outside its grant, as it was told in the journal: each claim is told once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told_claims: BTreeSet<String>,
    /// Work that its agent has seen and the journal does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
}

/// An agent that has seen later work than the journal knows: a backup was restored, or the machine does not tell the truth
/// (ARCHITECTURE, "Generations").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The highest generation that it showed.
    pub generation: Generation,
    /// Whether an operator lets it take part again.
    pub confirmed: bool,
}

/// The public halves of the key pairs that an agent made on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetKey {
    /// SHA-256 of the public key that its certificates are for (SubjectPublicKeyInfo, DER).
    pub public_key: Digest,
    /// X25519 public key, to which variables are sealed, hexadecimal.
    pub sealing_key: String,
    /// When the newest certificate expires.
    pub certificate_expires: Timestamp,
}

impl TargetKey {
    /// Whether both keys are the same, whatever their certificates say.
    pub fn is_same(&self, other: &Self) -> bool {
        self.public_key == other.public_key && self.sealing_key == other.sealing_key
    }
}

/// What operators granted a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    pub roles: BTreeSet<String>,
    pub environments: BTreeSet<EnvironmentId>,
    /// Tenants; an empty query means nobody.
    pub tenants: Query,
    /// Participation, decided once when the target is made.
    pub participation: Participation,
}

impl Granted {
    /// Why it admits nothing, or less than it seems to (SEMANTICS 3): allowed, but seldom what was meant.
    pub fn lacks(&self) -> Vec<&'static str> {
        let (nobody, participation) = (self.tenants.includes_nothing(), self.participation);
        let cases = [
            (self.environments.is_empty(), "no environment is granted, so that it gets nothing"),
            (self.roles.is_empty(), "no role is granted, so that it gets nothing"),
            (
                nobody && participation == Participation::Tenanted,
                "it takes part in deployments for tenants alone and no tenant is granted, so that it gets nothing",
            ),
            (
                !nobody && participation == Participation::Untenanted,
                "tenants are granted, but it takes part in untenanted deployments alone, so that it gets nothing of theirs",
            ),
        ];
        cases.into_iter().filter_map(|(holds, sentence)| holds.then_some(sentence)).collect()
    }
}

impl Target {
    /// Whether who sees it knows no more of it than that it may hold something of theirs: what it is now is nothing that is
    /// seen.
    pub fn is_only_remembered(&self) -> bool {
        self.granted.tenants.narrowed && self.granted.environments.is_empty()
    }

    /// A target as it enrolled: its agent has said nothing yet.
    pub fn enrolled(made: TargetEnrolled) -> Self {
        let TargetEnrolled { id, slug, name, key, granted } = made;
        let advertised = Advertisement::new(&Advertised::default(), Isolation::Accounts, "");
        Self {
            id,
            slug,
            name,
            enabled: true,
            revoked: false,
            key,
            granted,
            advertised,
            told_claims: BTreeSet::new(),
            ahead: None,
        }
    }

    /// Whether it gets nothing until an operator confirms it.
    pub fn is_held(&self) -> bool {
        self.ahead.is_some_and(|ahead| !ahead.confirmed)
    }
}

crate::catalogue::named!(Target, TargetId, "target");
