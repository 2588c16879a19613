//! What `--plan` and `explain` answer (SURFACE, "What `--plan -o json` answers").

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

closed_list! {
    /// Why a target is left out: a closed list, in this order.
    #[derive(PartialOrd, Ord)]
    TargetRule {
        /// The environment is not in its effective scope.
        Environment = "environment",
        /// It has none of the step's roles.
        Role = "role",
        /// It takes part in the other kind of deployment only.
        Participation = "participation",
        /// Its tenant query does not match the tenant.
        Tenant = "tenant",
        /// An operator disabled it.
        Disabled = "disabled",
        /// Its key is revoked.
        Revoked = "revoked",
        /// The request leaves it out.
        Excluded = "excluded",
    }
}

closed_list! {
    /// Why a step is skipped: a closed list, in this order.
    #[derive(PartialOrd, Ord)]
    StepRule {
        /// It does not run in this environment.
        StepEnvironment = "step-environment",
        /// It does not run for this tenant.
        StepTenant = "step-tenant",
        /// The request skips it.
        StepSkipped = "step-skipped",
        /// It is disabled.
        StepDisabled = "step-disabled",
        /// No target matches it.
        NoTarget = "no-target",
    }
}

closed_list! {
    /// Why a tenant, or the untenanted deployment, is left out: a closed list, in this order.
    #[derive(PartialOrd, Ord)]
    TenantRule {
        /// The tenant is not connected to the environment in this project.
        NotConnected = "not-connected",
        /// The tenant is disabled.
        TenantDisabled = "tenant-disabled",
        /// Earlier phases come first.
        Lifecycle = "lifecycle",
        /// Values for templates are missing.
        MissingVariable = "missing-variable",
        /// The project's tenancy does not admit it.
        Tenancy = "tenancy",
    }
}

closed_list! {
    /// What a deployment that could start waits for.
    #[derive(PartialOrd, Ord)]
    WaitRule {
        /// Another deployment of the same (project, environment, tenant).
        Queue = "queue",
        /// As many run as may run at once, in the space or for the tenant.
        Cap = "cap",
        /// A target that is connected and busy with something else.
        Busy = "busy",
        /// A target that is not connected.
        Offline = "offline",
    }
}

/// What a request to deploy would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// `sha256:…` over everything but time and presence; `--expect` compares it.
    pub digest: String,
    /// The project's name.
    pub project: String,
    /// The release's version.
    pub release: String,
    /// One for each environment and tenant.
    pub deployments: Vec<PlannedDeployment>,
    /// What is left out, and why.
    pub left_out: Vec<LeftOut>,
    /// What the plan does not say of its deployments, as a sentence: it tells 8 MiB of them, and names all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// A deployment that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedDeployment {
    /// The environment's name.
    pub environment: String,
    /// The tenant's name; null where untenanted.
    pub tenant: Option<String>,
    /// The process, in order; empty where `steps_as` says whose it is.
    pub steps: Vec<PlannedStep>,
    /// In a long plan, the earlier deployment whose steps say the same: they are printed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_as: Option<PlannedPlace>,
    /// How many more steps follow that are not printed, since the plan has no room; the digest stands for them as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_steps: usize,
    /// What it would wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
}

/// Which deployment of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedPlace {
    /// The environment's name.
    pub environment: String,
    /// The tenant's name; null where untenanted.
    pub tenant: Option<String>,
}

/// Whether a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It runs.
    Run,
    /// It does not.
    Skipped,
}

/// A step of a planned deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub state: StepState,
    /// Why it is skipped.
    pub rule: Option<StepRule>,
    /// The same as a sentence.
    pub reason: Option<String>,
    /// The targets that get it, and of those that do not, of the environment or with the step's roles, the nearest 20, fewer
    /// in a plan of more than 50 deployments: first whom the request names, then who serves the tenant.
    pub targets: Vec<PlannedTarget>,
    /// How many more targets of the environment get nothing of it; why, `explain target` tells of each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_targets: usize,
    /// The variables that travel, on each target the same unless a scope says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<PlannedVariable>,
    /// Where its script and the variables that travel are no well-formed templates, and so stay as they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malformed: Vec<MalformedTemplate>,
    /// The package that is deployed, as `id version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Patterns of files into which values are written, sensitive ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<String>,
}

// serde calls it with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Whether a target gets a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// It does.
    In,
    /// It does not.
    Out,
}

/// A target of a planned step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedTarget {
    /// The target's name.
    pub target: String,
    /// In or out.
    pub state: TargetState,
    /// The first rule that leaves it out.
    pub rule: Option<TargetRule>,
    /// All rules that do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<TargetRule>,
    /// The first rule as a sentence.
    pub reason: Option<String>,
    /// What a reader should know of it: how it keeps tenants apart, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A variable that a step needs, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedVariable {
    /// Its name.
    pub name: String,
    /// The target, where it differs between the step's targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its value; `********` where it is sensitive, null where nothing defines it.
    pub value: Option<String>,
    /// Why this value wins.
    pub source: String,
}

/// A place that looks like a substitution and is none: it stays as it is written (SEMANTICS 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MalformedTemplate {
    /// Whose text it is in.
    pub place: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    /// What is wrong there, as a sentence that repeats nothing of the text.
    pub problem: String,
}

impl std::fmt::Display for MalformedTemplate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, line, column, problem } = self;
        write!(formatter, "{place}, line {line}, column {column}: {problem}; it stays as it is written")
    }
}

/// What a deployment waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// The rule.
    pub rule: WaitRule,
    /// The same as a sentence.
    pub reason: String,
}

/// A tenant (or the untenanted deployment) that would get nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// The environment's name.
    pub environment: String,
    /// The tenant's name; null where untenanted.
    pub tenant: Option<String>,
    /// The first rule that leaves it out.
    pub rule: TenantRule,
    /// All rules that do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<TenantRule>,
    /// The first rule as a sentence.
    pub reason: String,
}
