//! Deployments: asked for, started, assigned, run, ended; and what was handed out for them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_api::plan::TenantRule;
use windlass_protocol::ids::{DeploymentId, EnvironmentId, ProjectId, ReleaseId, StepId, TargetId, TenantId};
use windlass_protocol::{Digest, Timestamp};

use crate::graph::{Plot, WorkKind};
use crate::model::{DeploymentEnd, EndReason, Removal, RunEnd, StoredValue, Subject};

/// What happened to a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant)]
pub enum DeploymentEvent {
    /// It was asked for, and waits for its turn.
    #[serde(rename = "deployment-created")]
    Created { deployment: DeploymentCreated },
    /// A request brought a tenant in that could not be deployed to, and it was left out.
    LeftOut {
        release: ReleaseId,
        environment: EnvironmentId,
        tenant: TenantId,
        /// Why: all rules, the first one first.
        rules: Vec<TenantRule>,
    },
    /// It started; its targets are fixed.
    #[serde(rename = "deployment-started")]
    Started(DeploymentStarted),
    /// A node became work of those of its targets that have not been taken out.
    Assigned {
        deployment: DeploymentId,
        /// The node's place in the graph.
        node: usize,
        /// It may not start after.
        expires: Timestamp,
    },
    /// A run began.
    RunStarted {
        deployment: DeploymentId,
        node: usize,
        work: WorkKind,
        target: TargetId,
        /// The agent must have reported an end by then.
        deadline: Timestamp,
    },
    RunEnded {
        deployment: DeploymentId,
        node: usize,
        work: WorkKind,
        target: TargetId,
        end: RunEnd,
        /// What it set for later steps.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, StoredValue>,
    },
    /// A target no longer qualifies: it gets nothing more of this deployment.
    ScopeRemoved { deployment: DeploymentId, target: TargetId, why: Removal },
    /// What was unsettled, up to this target's part in this deployment, was looked at again.
    Reviewed {
        /// The last deployment.
        deployment: DeploymentId,
        /// The last target in it; none where the deployment waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<TargetId>,
    },
    #[serde(rename = "deployment-ended")]
    Ended { deployment: DeploymentId, end: DeploymentEnd, why: EndReason },
    /// Variables were read for an assignment, by this key of the target for the first time (SEMANTICS 11: reads of
    /// sensitive things are events too).
    VariablesRead {
        deployment: DeploymentId,
        step: StepId,
        target: TargetId,
        names: Vec<String>,
        /// The digest that the assignment names.
        digest: Digest,
    },
    /// A pull of a package for an assignment begins, by this key of the target for the first time. It stands in the
    /// record before a byte leaves: whatever happens then, the package may have.
    PullBegun {
        deployment: DeploymentId,
        /// The step that pulls it again, because it is gone; none where it is fetched before the first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        target: TargetId,
        /// The package, as `id version`; each name that the deployment has for it.
        names: Vec<String>,
        manifest: Digest,
        /// Bytes of content that are to travel.
        bytes: u64,
    },
    /// A target pulled a package whole, as it had not before: from now on it may say that it holds it.
    PackagePulled {
        deployment: DeploymentId,
        /// The step that pulled it again; none where it was fetched before the first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        target: TargetId,
        manifest: Digest,
        /// Bytes of content that travelled.
        bytes: u64,
    },
}

/// A deployment as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentCreated {
    pub id: DeploymentId,
    pub project: ProjectId,
    pub subject: Subject,
    pub environment: EnvironmentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Targets that it is limited to, where the request named any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_targets: Option<BTreeSet<TargetId>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded_targets: BTreeSet<TargetId>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped_steps: BTreeSet<StepId>,
}

/// A deployment as it started. What its targets get is frozen from the state of this moment: the tenant's values and
/// tags, and names (SEMANTICS 3, "While it runs").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStarted {
    pub deployment: DeploymentId,
    /// The nodes of its graph, each with its targets.
    pub nodes: Vec<Plot>,
    pub roles: Vec<(BTreeSet<String>, BTreeSet<TargetId>)>,
}
