//! What the HTTP API answers. Ids, slugs and times are texts here: times as RFC 3339 in UTC.
//!
//! Nothing in an answer is secret, with one exception that is shown once: the token that was just made.

mod audit;
mod definition;
mod deployment;
mod explain;
mod release;
mod target;
mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use audit::{
    AuditRecord, AuditVerified, HeldPackage, Holding, Pulled, PulledItem, PulledKind, Reachable, ReachedBy,
    WhatCan, WhatCanItem, WhoCan,
};
pub use definition::{
    AppliedChange, ApplyAnswer, ChangeKind, ChangedField, DefinitionItem, DefinitionKind, DefinitionView,
    Documents, FieldChange, MissingValue, ProjectReleases, TagCount, TenantItem,
};
pub use deployment::{
    DeploymentItem, DeploymentStatus, DeploymentStepView, DeploymentTargetView, DeploymentView,
    DeploymentsMade, FetchStatus, LogLine, LogStream, PartEnd, StepStatus, WaitView,
};
pub use explain::{
    DeploymentStory, StoryLine, TargetExplained, TenantExplained, VariableCandidate, VariableInspected,
};
pub use release::{ChosenPackageView, PackageView, ReleaseItem, ReleaseMade, ReleaseView};
pub use target::{AheadView, IsolationKind, ScopeParticipation, ScopeView, TargetItem, TargetView};
pub use token::{EnrolmentItem, TokenItem, TokenMade, TokenRole, Whoami};

/// A part of a list. Asked for again with `after` set to `next`, the following part comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the following part begins; null at the end.
    pub next: Option<String>,
}

/// It is done, and there is nothing to say about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {}
