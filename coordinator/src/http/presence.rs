//! Who is connected, as the HTTP API sees it.

use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{DeploymentId, TargetId};

use crate::registry::Registry;

/// Who is connected, and how far pulls have come. None of it is a part of the state.
pub trait Presence: Send + Sync {
    /// Whether the target's agent is connected now.
    fn online(&self, target: TargetId) -> bool;

    /// When the target's agent was last heard.
    fn last_seen(&self, target: TargetId) -> Option<Timestamp>;

    /// How far the target's fetching for a deployment has come, while it runs.
    fn progress(&self, deployment: DeploymentId, target: TargetId) -> Option<FetchProgress>;
}

/// How far a pull has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes that travelled.
    pub moved: u64,
    /// Bytes that did not have to.
    pub saved: u64,
    /// Bytes of the whole.
    pub total: u64,
}

impl Presence for Registry {
    fn online(&self, target: TargetId) -> bool {
        self.is_online(target)
    }

    fn last_seen(&self, target: TargetId) -> Option<Timestamp> {
        Self::last_seen(self, target)
    }

    fn progress(&self, deployment: DeploymentId, target: TargetId) -> Option<FetchProgress> {
        let found = Self::progress(self, target, assignment_id(deployment, target, WorkKind::Fetch, 1))?;
        Some(FetchProgress { moved: found.moved, saved: found.saved, total: found.total })
    }
}
