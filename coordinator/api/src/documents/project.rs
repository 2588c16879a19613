//! A project's document: tenancy, templates, variables and the process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_false;
use super::variables::{ScopedValueText, TemplateText};
use crate::query::QueryText;

/// A project.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProjectDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Whether deployments are for tenants.
    #[serde(default)]
    pub tenancy: Tenancy,
    /// The lifecycle; `Default` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// Library sets, the more important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub library_sets: Vec<String>,
    /// What each tenant must fill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateText>,
    /// Variables and their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Vec<ScopedValueText>>,
    /// The process: steps in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepDocument>,
}

impl super::Named for ProjectDocument {
    fn name(&self) -> &str {
        &self.name
    }

    fn values_mut(&mut self) -> Vec<&mut super::ValueText> {
        super::variables::values_mut(&mut self.templates, &mut self.variables)
    }
}

/// Whether a project's deployments are for tenants (SEMANTICS 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tenancy {
    /// Never.
    #[default]
    Untenanted,
    /// With or without one.
    TenantedOrUntenanted,
    /// Always.
    Tenanted,
}

/// A step: an action, and where it runs.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepDocument {
    /// Its name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// It runs on targets that have one of these roles.
    pub roles: Vec<String>,
    /// Environments that it runs in; all where it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Environments that it does not run in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_environments: Vec<String>,
    /// Tenants that it runs for; everybody where it is left out.
    #[serde(default, skip_serializing_if = "QueryText::is_empty")]
    pub tenants: QueryText,
    /// Deploys a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageText>,
    /// Runs a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptText>,
    /// Variables that it needs beside those found by reading it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// How long until it is stopped, such as `90s`, `30m` or `1h`; an hour where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The same in seconds, as it was written before; instead of `timeout`, not beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Whether it may run again when nobody can know whether it ran.
    #[serde(default, skip_serializing_if = "is_false")]
    pub safe_to_repeat: bool,
    /// Whether it may run beside other steps of the same target.
    #[serde(default, skip_serializing_if = "is_false")]
    pub concurrent: bool,
    /// A disabled step is skipped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// The package of a step.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PackageText {
    /// The package's id.
    pub id: String,
    /// Patterns of files in it in which `#{…}` is substituted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitute: Vec<String>,
}

/// The script of a step.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScriptText {
    /// What runs it.
    #[serde(default)]
    pub shell: ShellName,
    /// Its text.
    pub body: String,
}

/// What runs a script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShellName {
    /// bash.
    #[default]
    Bash,
    /// The system's POSIX shell.
    Sh,
    /// Python 3.
    Python,
    /// PowerShell, where it is installed.
    Pwsh,
}
