//! What is in the journal: events in families, and the record that carries those of one command (SEMANTICS 11).
//!
//! A published event never changes its meaning. Each family has payload types of its own, so that the state may change
//! and what was written stays readable. What a payload takes from `model` (a step, a grant, a graph's nodes) is written
//! as it stands there: it only ever gains fields that may be absent, and the golden journals say when that was forgotten. An event with another meaning is another
//! variant, whose name ends with a number (`target-enrolled-2`). Names are unique among all families; the golden journals of the tests hold on to each.
//!
//! An event carries ids, rules and values, and only what changed; sentences are made for who reads it.

mod definition;
mod deployment;
mod enrolment;
mod installation;
mod observation;
mod record;
mod release;
mod target;

pub use definition::{
    Defined, Definition, DefinitionEvent, DefinitionId, EnvironmentPatch, LibrarySetPatch, LifecyclePatch,
    ProjectPatch, TagSetPatch, TenantPatch, ValuesPatch,
};
pub use deployment::{DeploymentCreated, DeploymentEvent, DeploymentStarted};
pub use enrolment::{EnrolmentCreated, EnrolmentEvent};
pub use installation::{InstallationEvent, SpaceMade, TokenCreated};
pub use observation::{Counted, Observation, StrangerReason};
pub use record::{Actor, Answered, FORMAT, Header, Read, Record, Request, Stream};
pub use release::{PackageUploaded, ReleaseCreated, ReleaseEvent};
pub use target::{TargetEnrolled, TargetEvent};

use serde::{Deserialize, Serialize};

/// The families, each of which is emitted as what it is.
macro_rules! families {
    ($($(#[$about:meta])* $family:ident($payload:ty),)*) => {
        /// What happened, by family.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        // Events live in short lists, one command long; boxes would only be in the way of who reads them.
        #[allow(clippy::large_enum_variant)]
        pub enum Event {
            $($(#[$about])* $family($payload)),*
        }

        $(impl From<$payload> for Event {
            fn from(event: $payload) -> Self {
                Self::$family(event)
            }
        })*
    };
}

families! {
    /// The installation and the tokens of its API.
    Installation(InstallationEvent),
    /// What documents define.
    Definition(DefinitionEvent),
    /// Enrolment tokens.
    Enrolment(EnrolmentEvent),
    Target(TargetEvent),
    /// Packages and releases.
    Release(ReleaseEvent),
    /// Deployments, and what was read for them.
    Deployment(DeploymentEvent),
    /// What was seen and changes nothing.
    Observation(Observation),
}
