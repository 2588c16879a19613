//! Deployments and the work of each target in them (SEMANTICS 8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{
    DeploymentId, EnvironmentId, ProjectId, ReleaseId, StepId, TargetId, TemplateId, TenantId,
};
use windlass_protocol::message::{Generation, Outcome};

use super::value::StoredValue;

/// One (release, environment, tenant or none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Id.
    pub id: DeploymentId,
    /// The project.
    pub project: ProjectId,
    /// The release.
    pub release: ReleaseId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant, or none.
    pub tenant: Option<TenantId>,
    /// When it was asked for.
    pub created: Timestamp,
    /// Targets that it is limited to, where the request named any.
    pub only_targets: Option<BTreeSet<TargetId>>,
    /// Targets that the request excluded.
    pub excluded_targets: BTreeSet<TargetId>,
    /// Steps that the request skips.
    pub skipped_steps: BTreeSet<StepId>,
    /// Where it stands.
    pub state: DeploymentState,
    /// Why it ended as it did, once it has: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The steps that run, in order, with their targets; fixed when it starts, then only shrinking.
    pub steps: Vec<DeploymentStep>,
    /// What the targets do, by target.
    #[serde(with = "crate::pairs")]
    pub work: OrdMap<TargetId, TargetWork>,
    /// The targets that the present stage waits for.
    pub pending: OrdSet<TargetId>,
    /// The tenant's values as they were when it started.
    #[serde(with = "crate::pairs")]
    pub tenant_values: OrdMap<(TemplateId, Option<EnvironmentId>), StoredValue>,
    /// Output variables, by step, target and name.
    #[serde(with = "crate::pairs")]
    pub outputs: OrdMap<(StepId, TargetId, String), StoredValue>,
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentState {
    /// It waits for another one of its (project, environment, tenant).
    Queued,
    /// It runs.
    Running(Stage),
    /// It is over.
    Ended(DeploymentEnd),
}

/// What a running deployment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Every package is fetched and verified on every target.
    Fetching,
    /// The step at this place of the list runs.
    Step(usize),
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentEnd {
    /// Every step succeeded on every target.
    Succeeded,
    /// Something failed.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// No step had a target: no success for promotion.
    NothingDone,
}

/// A step of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStep {
    /// The step, of the release's snapshot.
    pub step: StepId,
    /// Its targets.
    pub targets: OrdSet<TargetId>,
}

/// What one target does in a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetWork {
    /// The target's effective roles when the deployment started: what scopes values. Targets of the same roles share
    /// them.
    pub roles: Arc<BTreeSet<String>>,
    /// Why it ended as `scope-removed`, if so: it no longer qualifies, and gets nothing more.
    pub removed: Option<String>,
    /// Fetching.
    pub fetch: FetchState,
    /// Each step that was begun on it.
    pub runs: BTreeMap<StepId, RunState>,
}

/// How far fetching has come on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FetchState {
    /// Nothing to fetch.
    NotNeeded,
    /// Assigned.
    Assigned {
        /// By this record.
        generation: Generation,
        /// Until then.
        expires: Timestamp,
    },
    /// Every package is there.
    Done {
        /// Bytes that travelled.
        moved: u64,
        /// Bytes that did not have to.
        saved: u64,
    },
    /// It failed: a sentence.
    Failed(String),
}

/// How far a step has come on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Assigned, not known to have started.
    Assigned {
        /// By this record.
        generation: Generation,
        /// It may not start after.
        expires: Timestamp,
    },
    /// Started.
    Started {
        /// Assigned by this record.
        generation: Generation,
        /// It might not have started after.
        expires: Timestamp,
        /// The agent must have reported an end by then.
        deadline: Timestamp,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Outcome,
        /// Lines of output.
        lines: u64,
    },
}
