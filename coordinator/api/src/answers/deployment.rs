//! Answers about deployments and their output.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::plan::WaitRule;

closed_list! {
    /// Where a deployment stands.
    DeploymentStatus {
        /// It waits for its turn.
        Queued = "queued",
        /// Its targets fetch its packages.
        Fetching = "fetching",
        /// Its steps run.
        Running = "running",
        /// Every step succeeded on every target.
        Succeeded = "succeeded",
        /// It ended otherwise.
        Failed = "failed",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// There was nothing to do.
        NothingDone = "nothing-done",
    }
}

closed_list! {
    /// How far a target's packages are.
    FetchStatus {
        /// It needs none.
        NotNeeded = "not-needed",
        /// It is told to fetch them.
        Assigned = "assigned",
        /// It has them.
        Done = "done",
        /// It could not fetch them.
        Failed = "failed",
        /// It no longer qualified meanwhile.
        Stopped = "stopped",
    }
}

closed_list! {
    /// How a target's part in a deployment ended before the deployment did.
    PartEnd {
        /// It no longer qualified, and got nothing more.
        ScopeRemoved = "scope-removed",
    }
}

closed_list! {
    /// How far a step is on a target.
    StepStatus {
        /// Its turn has not come.
        Waiting = "waiting",
        /// The deployment ended before its turn came.
        NotReached = "not-reached",
        /// The target is told to run it.
        Assigned = "assigned",
        /// It runs.
        Running = "running",
        /// It succeeded.
        Succeeded = "succeeded",
        /// It did not.
        Failed = "failed",
        /// The target was taken out before it had succeeded.
        ScopeRemoved = "scope-removed",
    }
}

closed_list! {
    /// Where a line of output comes from.
    LogStream {
        /// The step's output.
        Out = "out",
        /// The step's errors.
        Err = "err",
        /// The agent or the coordinator, about the output.
        Note = "note",
    }
}

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
    /// Where it stands.
    pub state: DeploymentStatus,
    /// When it was asked for.
    pub created: String,
}

impl DeploymentItem {
    /// Whether it is over.
    pub const fn is_over(&self) -> bool {
        use DeploymentStatus::{Fetching, Queued, Running};
        !matches!(self.state, Queued | Fetching | Running)
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
    /// When it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
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
    /// The rule.
    pub rule: WaitRule,
    /// A sentence.
    pub reason: String,
    /// Since when, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When it is given up, where there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The id of the deployment that is in the way, for who sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What can be done about it, where something can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A target of a deployment: how far its packages are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentTargetView {
    /// The target's name.
    pub target: String,
    /// How far they are.
    pub fetch: FetchStatus,
    /// Bytes that travelled; null for who is limited to tenants: it would tell what the machine had from others.
    pub moved: Option<u64>,
    /// Bytes that did not have to; null likewise.
    pub saved: Option<u64>,
    /// Bytes of the whole; 0 where nobody knows yet.
    pub total: u64,
    /// How its part ended, where that was before the deployment's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PartEnd>,
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
    /// How far it is.
    pub state: StepStatus,
    /// Why it failed, or why its target was taken out.
    pub reason: Option<String>,
    /// Since when it is assigned, or runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// By when it has to have begun, while it is assigned; when its timeout is over, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Lines of output; null until it has ended.
    pub lines: Option<u64>,
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
    /// Where it comes from.
    pub stream: LogStream,
    /// The text, sensitive values masked.
    pub text: String,
    /// How many lines are not there any more, where this note stands for them; its number is that of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
}
