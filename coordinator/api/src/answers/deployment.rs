//! Answers about deployments and their output.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The deployments that a request made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentsMade {
    /// One for each environment and tenant.
    pub deployments: Vec<DeploymentItem>,
    /// Tenants that only a tag brought in and that could not be deployed to, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<crate::plan::LeftOut>,
}

/// A deployment in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentItem {
    /// Id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// The release's version.
    pub release: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's name; null where untenanted.
    pub tenant: Option<String>,
    /// `queued`, `fetching`, `running`, `succeeded`, `failed`, `cancelled` or `nothing-done`.
    pub state: String,
    /// When it was asked for.
    pub created: String,
}

impl DeploymentItem {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "fetching" | "running")
    }
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentView {
    /// What lists show.
    #[serde(flatten)]
    pub item: DeploymentItem,
    /// Why it ended as it did, once it has.
    pub reason: Option<String>,
    /// What it waits for.
    pub waits: Vec<WaitView>,
    /// Its steps in order, once it has started.
    pub steps: Vec<DeploymentStepView>,
    /// Its targets, once it has started.
    pub targets: Vec<DeploymentTargetView>,
}

/// What a deployment waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitView {
    /// `queue` or `offline`.
    pub rule: String,
    /// A sentence.
    pub reason: String,
}

/// A target of a deployment: how far its packages are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentTargetView {
    /// The target's name.
    pub target: String,
    /// `not-needed`, `assigned`, `done`, `failed`, or `stopped` where it no longer qualified meanwhile.
    pub fetch: String,
    /// Bytes that travelled.
    pub moved: u64,
    /// Bytes that did not have to.
    pub saved: u64,
    /// Bytes of the whole; 0 where nobody knows yet.
    pub total: u64,
    /// `scope-removed` where it no longer qualified while the deployment ran, so that it got nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Why it failed, or gets nothing more.
    pub reason: Option<String>,
}

/// A step of a deployment on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentStepView {
    /// The step's name.
    pub step: String,
    /// The target's name.
    pub target: String,
    /// `waiting`, `assigned`, `running`, `succeeded`, `failed` or `scope-removed`.
    pub state: String,
    /// Why it failed, or why its target was taken out.
    pub reason: Option<String>,
    /// Lines of output, once it has ended.
    pub lines: u64,
}

/// A line of a step's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// The step's name.
    pub step: String,
    /// The target's name.
    pub target: String,
    /// The line's number in the output of this step on this target, from 1.
    pub number: u64,
    /// When it was printed, by the machine's clock.
    pub time: String,
    /// `out`, `err`, or `note` for what the agent or the coordinator says about the output.
    pub stream: String,
    /// The text, sensitive values masked.
    pub text: String,
    /// How many lines are not there any more, where this note stands for them; its number is that of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
}
