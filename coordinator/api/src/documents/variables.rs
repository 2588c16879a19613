//! Variables and templates as they are written (SEMANTICS 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ValueText;
use crate::query::QueryText;

/// One value of a variable, with its scope. Inside one dimension OR, across dimensions AND; a dimension left out
/// restricts nothing.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScopedValueText {
    /// The value.
    pub value: ValueText,
    /// Environments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Roles of the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Steps (project variables only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// Tenants (project variables only).
    #[serde(default, skip_serializing_if = "QueryText::is_empty")]
    pub tenants: QueryText,
}

/// A variable that each tenant must fill.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemplateText {
    /// The variable's name.
    pub name: String,
    /// What people see beside the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What helps people to fill it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// What is used where a tenant has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ValueText>,
    /// How it is asked for.
    #[serde(default)]
    pub control: Control,
    /// What a `select` offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// How a template's value is asked for, and what it may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A line of text.
    #[default]
    SingleLine,
    /// Text of several lines.
    MultiLine,
    /// A secret.
    Sensitive,
    /// True or False.
    Checkbox,
    /// One of several.
    Select,
}

/// Every value of templates and variables.
pub(super) fn values_mut<'a>(
    templates: &'a mut [TemplateText],
    variables: &'a mut BTreeMap<String, Vec<ScopedValueText>>,
) -> Vec<&'a mut ValueText> {
    let defaults = templates.iter_mut().filter_map(|template| template.default.as_mut());
    let values = variables.values_mut().flatten().map(|scoped| &mut scoped.value);
    defaults.chain(values).collect()
}
