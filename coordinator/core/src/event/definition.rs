//! What documents define, as an event carries it.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnvironmentId, LibrarySetId, LifecycleId, ProjectId, TagSetId, TenantId};

use crate::model::{Environment, LibrarySet, Lifecycle, Project, TagSet, Tenant};

/// A thing that documents define.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Definition {
    Environment(Environment),
    TagSet(TagSet),
    Lifecycle(Lifecycle),
    LibrarySet(LibrarySet),
    Project(Project),
    Tenant(Tenant),
}

/// What names such a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum DefinitionId {
    Environment(EnvironmentId),
    TagSet(TagSetId),
    Lifecycle(LifecycleId),
    LibrarySet(LibrarySetId),
    Project(ProjectId),
    Tenant(TenantId),
}
