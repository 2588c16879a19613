//! Deployments (SEMANTICS 8). What their targets do is in the [graph](crate::graph).

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{
    DeploymentId, EnvironmentId, ProjectId, ReleaseId, StepId, TagId, TargetId, TenantId,
};
use windlass_protocol::{DisplayName, Slug, Timestamp};

use super::reason::{EndReason, Removal, RunEnd, RunOutcome};
use super::tenant::TenantValues;
use super::value::StoredValue;
use crate::graph::{Graph, RunState, WorkKind};
use crate::query::Tagged;

/// What is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Release(ReleaseId),
}

/// What may run once at a time (SEMANTICS 8).
pub type Key = (ProjectId, EnvironmentId, Option<TenantId>);

/// One (subject, environment, tenant or none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project: ProjectId,
    pub subject: Subject,
    pub environment: EnvironmentId,
    pub tenant: Option<TenantId>,
    /// When it was asked for.
    pub created: Timestamp,
    /// The place of the record that it was asked for in, in its space, and its place in that record: who asked first.
    pub asked: (u64, u32),
    /// Targets that it is limited to, where the request named any.
    pub only_targets: Option<BTreeSet<TargetId>>,
    pub excluded_targets: BTreeSet<TargetId>,
    pub skipped_steps: BTreeSet<StepId>,
    pub state: DeploymentState,
    /// Why it ended as it did, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What runs after what, where, and how far it is.
    pub graph: Graph,
    /// Its targets; fixed when it starts, then only shrinking.
    #[serde(with = "crate::map_as_list")]
    pub parts: OrdMap<TargetId, Part>,
    /// What it is given, as it was when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Arc<Frozen>>,
    /// Output variables, by step, target and name.
    #[serde(with = "crate::map_as_list")]
    pub outputs: OrdMap<(StepId, TargetId, String), StoredValue>,
}

impl Deployment {
    /// What may run once at a time.
    pub const fn key(&self) -> Key {
        (self.project, self.environment, self.tenant)
    }

    /// The release that is deployed.
    pub const fn release(&self) -> ReleaseId {
        let Subject::Release(release) = self.subject;
        release
    }

    /// Whether a target has all that it needs of the deployment's packages.
    pub fn has_fetched(&self, target: TargetId) -> bool {
        let fetched = self.graph.place_of(WorkKind::Fetch).and_then(|place| self.graph.run(place, target));
        let end = fetched.map(|run| &run.state);
        matches!(end, Some(RunState::Ended(RunEnd { outcome: RunOutcome::Succeeded, .. })))
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.state, DeploymentState::Ended(_))
    }
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentState {
    /// It waits for its turn.
    Queued,
    Running,
    Ended(DeploymentEnd),
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentEnd {
    /// Every step succeeded on every target.
    Succeeded,
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// No step had a target: no success for promotion.
    NothingDone,
}

/// A target's part in a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The target's name when the deployment started.
    pub name: DisplayName,
    /// Its effective roles then: what scopes values. Targets of the same roles share them.
    pub roles: Arc<BTreeSet<String>>,
    /// Whether another machine has taken the target's place since then: it has nothing of what was fetched and done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// Why it ended as `scope-removed`, if so: it no longer qualifies, and gets nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
}

/// What a deployment is given, as it was when it started: one assignment never has two contents (SEMANTICS 3, "While it
/// runs"). Whether a target may get it is asked of the present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    pub space: Called,
    pub environment: Called,
    pub project: Called,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<FrozenTenant>,
}

/// What a thing was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// Its slug: what its folders on targets are called.
    pub slug: Slug,
    /// Its name: what scripts see.
    pub name: DisplayName,
}

/// A tenant as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenTenant {
    pub id: TenantId,
    /// What it was called.
    #[serde(flatten)]
    pub called: Called,
    /// Its tags, as far as they choose values.
    pub tags: BTreeSet<TagId>,
    #[serde(with = "crate::map_as_list")]
    pub values: TenantValues,
}

impl Tagged for FrozenTenant {
    fn id(&self) -> TenantId {
        self.id
    }

    fn tags(&self) -> &BTreeSet<TagId> {
        &self.tags
    }
}
