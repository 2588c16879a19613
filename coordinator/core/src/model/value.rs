//! Variables, their scoped values, templates, and what a sensitive value is in the journal (SEMANTICS 6 and 11).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_api::documents::Control;
use windlass_protocol::ids::{EnvironmentId, StepId, TargetId, TemplateId, ValueId};

pub use windlass_api::sealed::Sealed;

use crate::query::Query;

/// A value as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoredValue {
    /// Not sensitive.
    Plain(String),
    /// Sensitive: sealed before it came here, opened only at the edge.
    Sealed(Sealed),
}

impl StoredValue {
    /// Whether it is sensitive.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// Bytes of the value, or a few more where it is sealed.
    pub fn most_bytes(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            // Base64 of the value, its nonce and its tag.
            Self::Sealed(sealed) => sealed.ciphertext.len() / 4 * 3,
        }
    }

    /// Whether both are the same value, however often it was sealed.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(two)) => one == two,
            (Self::Sealed(one), Self::Sealed(two)) => one.key == two.key && one.digest == two.digest,
            _ => false,
        }
    }
}

/// A variable and its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Name; case does not distinguish names.
    pub name: String,
    pub values: Vec<ScopedValue>,
}

/// One value and where it applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopedValue {
    pub id: ValueId,
    pub value: StoredValue,
    #[serde(default, skip_serializing_if = "ValueScope::is_everywhere")]
    pub scope: ValueScope,
}

/// Where a value applies. An empty dimension restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct ValueScope {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub environments: BTreeSet<EnvironmentId>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub targets: BTreeSet<TargetId>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub steps: BTreeSet<StepId>,
    #[serde(skip_serializing_if = "Query::is_empty")]
    pub tenants: Query,
}

impl ValueScope {
    /// Whether nothing is restricted.
    pub fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }

    /// How many things it names.
    pub fn size(&self) -> usize {
        let Self { environments, targets, roles, steps, tenants } = self;
        environments.len() + targets.len() + roles.len() + steps.len() + tenants.size()
    }
}

/// A variable that each tenant must fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub id: TemplateId,
    pub name: String,
    /// What people see beside the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What helps people to fill it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// What is used where a tenant has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<StoredValue>,
    /// How it is asked for.
    pub control: Control,
    /// What a `select` offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A template that its owner no longer has. Releases that froze it still find the tenants' values by its id, and one of the
/// same name that comes back has that id again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredTemplate {
    pub id: TemplateId,
    pub name: String,
}
