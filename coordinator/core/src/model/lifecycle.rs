//! Lifecycles and their phases.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnvironmentId, LifecycleId};
use windlass_protocol::{DisplayName, Slug};

/// An ordered list of phases (SEMANTICS 4). Without any, each environment is a phase, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    pub id: LifecycleId,
    pub slug: Slug,
    pub name: DisplayName,
    pub phases: Vec<Phase>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    /// Environments; none stands for all that no earlier phase names.
    pub environments: Vec<EnvironmentId>,
    /// When it is complete.
    pub rule: PhaseRule,
    /// Whether who looks sees none of its environments: it stands for none, not for all others. Never stored.
    #[serde(skip)]
    pub unseen: bool,
}

/// When a phase is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseRule {
    /// All of its environments have succeeded.
    All,
    AtLeast(u32),
    /// Later phases never wait for it.
    Optional,
}

impl Lifecycle {
    /// The name of the lifecycle that a project has which names none.
    pub const DEFAULT: &str = "Default";

    /// What the lifecycle is called that exists from the start.
    pub fn default_names() -> (Slug, DisplayName) {
        let slug = "default".parse().expect("a literal slug is one");
        (slug, Self::DEFAULT.parse().expect("a literal name is one"))
    }
}

crate::catalogue::named!(Lifecycle, LifecycleId, "lifecycle");
