//! What exists in a space. Plain data in ids; what it means is decided beside it.

mod advertised;
mod called;
mod deployment;
mod enrolment;
mod environment;
mod index;
mod library;
mod lifecycle;
mod package;
mod project;
mod reason;
mod release;
mod tags;
mod target;
mod tenant;
mod token;
mod value;

pub use advertised::{Advertisement, SaidNames, SaidTags};
pub use called::{Defined, Named};
pub use deployment::{
    Called, Deployment, DeploymentEnd, DeploymentState, Frozen, FrozenTenant, Key, Part, Subject,
};
pub use enrolment::Enrolment;
pub use environment::Environment;
pub use index::Index;
pub use library::LibrarySet;
pub use lifecycle::{Lifecycle, Phase, PhaseRule};
pub use package::{Package, PackageKey};
pub use project::{Project, Step, StepAction};
pub use reason::{EndReason, Failure, Removal, RunEnd, RunOutcome, Unknown};
pub use release::{ChosenPackage, CodeNames, Release, Snapshot, SnapshotSet};
pub use tags::{Tag, TagSet};
pub use target::{Ahead, Granted, Target, TargetKey};
pub use tenant::{Tenant, TenantValues};
pub use token::{ApiToken, Role, TenantLimit};
pub use value::{RetiredTemplate, ScopedValue, Sealed, StoredValue, Template, ValueScope, Variable};
