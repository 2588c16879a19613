//! Projects and the steps of their process.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_api::documents::Tenancy;
use windlass_protocol::ids::{EnvironmentId, LibrarySetId, LifecycleId, ProjectId, StepId};
use windlass_protocol::message::Body;
use windlass_protocol::{DisplayName, Slug};

use super::value::{RetiredTemplate, Template, Variable};
use crate::query::Query;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub slug: Slug,
    pub name: DisplayName,
    /// Whether deployments are for tenants.
    pub tenancy: Tenancy,
    pub lifecycle: LifecycleId,
    /// Library sets, the more important first.
    pub library_sets: Vec<LibrarySetId>,
    /// What each tenant must fill.
    pub templates: Vec<Template>,
    /// Templates that it had, those that it had last at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RetiredTemplate>,
    pub variables: Vec<Variable>,
    /// The process: steps in order.
    pub steps: Vec<Step>,
}

/// A step: an action, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    /// Slug: the name of its folder on targets.
    pub slug: Slug,
    pub name: DisplayName,
    /// It runs on targets that have one of these roles.
    pub roles: BTreeSet<String>,
    /// Environments that it runs in; empty: all.
    pub environments: BTreeSet<EnvironmentId>,
    /// Environments that it does not run in.
    pub excluded_environments: BTreeSet<EnvironmentId>,
    /// Tenants that it runs for; empty: everybody.
    pub tenants: Query,
    pub action: StepAction,
    /// Variables that it needs: written in it, or listed.
    pub needs: BTreeSet<String>,
    /// Seconds until it is stopped.
    pub timeout_seconds: u32,
    /// Whether it may run again when nobody can know whether it ran.
    pub safe_to_repeat: bool,
    /// Whether it may run beside other steps of the same target.
    pub concurrent: bool,
    /// A disabled step is skipped.
    pub disabled: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepAction {
    /// Deploys a package.
    Package {
        id: String,
        /// Patterns of files in it in which `#{…}` is substituted.
        substitute: Vec<String>,
    },
    Script(Body),
}

crate::catalogue::named!(Project, ProjectId, "project");
