//! What exists in a space. Plain data in ids; what it means is decided beside it.

mod deployment;
mod enrolment;
mod environment;
mod library;
mod lifecycle;
mod package;
mod project;
mod release;
mod tags;
mod target;
mod tenant;
mod token;
mod value;

pub use deployment::{
    Deployment, DeploymentEnd, DeploymentState, DeploymentStep, FetchState, RunState, Stage, TargetWork,
};
pub use enrolment::Enrolment;
pub use environment::Environment;
pub use library::LibrarySet;
pub use lifecycle::{Lifecycle, Phase, PhaseRule};
pub use package::{Package, PackageKey};
pub use project::{Project, Step, StepAction};
pub use release::{ChosenPackage, CodeNames, Release, Snapshot, SnapshotSet};
pub use tags::{Tag, TagSet};
pub use target::{Advertisement, Granted, Target, TargetKey};
pub use tenant::Tenant;
pub use token::{ApiToken, Role};
pub use value::{ScopedValue, Sealed, StoredValue, Template, ValueScope, Variable};
