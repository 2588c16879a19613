//! Answers that say why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::plan::{TargetRule, TargetState, TenantRule};

/// Whether a target gets each step of a project's deployment, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetExplained {
    /// The step's name.
    pub step: String,
    /// In or out.
    pub state: TargetState,
    /// The first rule that leaves the target out.
    pub rule: Option<TargetRule>,
    /// All rules that do.
    pub rules: Vec<TargetRule>,
    /// The first rule as a sentence.
    pub reason: Option<String>,
    /// What a deployment would wait for it for, as a sentence; null where it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// Whether a release may be deployed for a tenant, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantExplained {
    /// Whether it may.
    pub allowed: bool,
    /// The first rule that forbids it.
    pub rule: Option<TenantRule>,
    /// All rules that do.
    pub rules: Vec<TenantRule>,
    /// Each rule as a sentence.
    pub reasons: Vec<String>,
}

/// What happened in a deployment, from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentStory {
    /// The deployment's id.
    pub deployment: String,
    /// How much happened before what is told here: of very much, the last of it is told.
    pub earlier: u64,
    /// What happened, in order.
    pub lines: Vec<StoryLine>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoryLine {
    /// The record's number.
    pub sequence: u64,
    /// When.
    pub time: String,
    /// A sentence.
    pub text: String,
}

/// Every value that a variable could have somewhere, and the one that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariableInspected {
    /// Its name.
    pub name: String,
    /// Whether two values are equal in everything, so that a deployment would be refused.
    pub ambiguous: bool,
    /// The values that apply, the winner first.
    pub candidates: Vec<VariableCandidate>,
}

/// A value that applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariableCandidate {
    /// The value; `********` where it is sensitive.
    pub value: String,
    /// Whether it is sensitive.
    pub sensitive: bool,
    /// Where it comes from.
    pub source: String,
    /// Whether it wins.
    pub wins: bool,
    /// The dimension by which the winner beats it; of the winner, by which it beats the next.
    pub decided_by: Option<String>,
}
