//! The live sessions, as the HTTP API sees them.

use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::{FetchProgress, Presence};
use crate::sessions::Registry;

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
