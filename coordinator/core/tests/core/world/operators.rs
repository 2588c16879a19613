//! A model of what operators granted and forbade, in their own words: what targets may get is judged against it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use windlass_coordinator_core::authorise::Peer;
use windlass_protocol::ids::TargetId;

/// What operators and machines did to targets.
#[derive(Clone, Default)]
pub struct Operators {
    grants: BTreeMap<TargetId, Value>,
    disabled: BTreeSet<TargetId>,
    revoked: BTreeSet<TargetId>,
    held: BTreeSet<TargetId>,
    /// Everybody who ever enrolled, the latest key of a target last.
    peers: Vec<Peer>,
}

/// Whom a deployment is for, in names.
pub struct Place<'a> {
    pub environment: &'a str,
    /// Its tenant and the tenant's tags, as `Tag Set/Tag`; none is untenanted.
    pub tenant: Option<(&'a str, &'a BTreeSet<String>)>,
}

impl Operators {
    pub(super) fn granted(&mut self, target: TargetId, grant: Value) {
        self.grants.insert(target, grant);
    }

    pub(super) fn enrolled(&mut self, peer: Peer) {
        self.revoked.remove(&peer.target);
        self.held.remove(&peer.target);
        self.peers.push(peer);
    }

    pub(super) fn enabled(&mut self, target: TargetId) {
        self.disabled.remove(&target);
    }

    pub(super) fn disabled(&mut self, target: TargetId) {
        self.disabled.insert(target);
    }

    pub(super) fn revoked(&mut self, target: TargetId) {
        self.revoked.insert(target);
    }

    pub(super) fn held(&mut self, target: TargetId) {
        self.held.insert(target);
    }

    pub(super) fn confirmed(&mut self, target: TargetId) {
        self.held.remove(&target);
    }

    pub(super) fn deleted(&mut self, target: TargetId) {
        self.grants.remove(&target);
    }

    /// Everybody who ever enrolled.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// Whether somebody may have a session: its target is there, neither disabled, revoked nor held, and has this key.
    pub fn admit(&self, peer: &Peer) -> bool {
        let latest = self.peers.iter().rev().find(|known| known.target == peer.target);
        self.grants.contains_key(&peer.target)
            && !self.disabled.contains(&peer.target)
            && !self.revoked.contains(&peer.target)
            && !self.held.contains(&peer.target)
            && latest.is_some_and(|latest| latest.public_key == peer.public_key)
    }

    /// Whether the latest grant of a target covers a deployment.
    pub fn cover(&self, target: TargetId, place: &Place<'_>) -> bool {
        let Some(grant) = self.grants.get(&target) else { return false };
        let has =
            |list: &Value, name: &str| list.as_array().is_some_and(|list| list.iter().any(|one| one == name));
        let participation = grant["participation"].as_str().unwrap_or_default();
        let kind = if place.tenant.is_some() { "tenanted" } else { "untenanted" };
        let tenant = place.tenant.is_none_or(|(name, tags)| {
            let query = &grant["tenants"];
            has(&query["tenants"], name) || tags.iter().any(|tag| has(&query["tags"], tag))
        });
        has(&grant["environments"], place.environment) && tenant && [kind, "both"].contains(&participation)
    }
}
