//! Tenants.

use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{EnvironmentId, KeyId, ProjectId, TagId, TemplateId, TenantId};
use windlass_protocol::{DisplayName, Slug};

use super::value::StoredValue;
use crate::query::Tagged;

/// Values for templates, for every environment (`None`) or for one.
pub type TenantValues = OrdMap<(TemplateId, Option<EnvironmentId>), StoredValue>;

/// A tenant: one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: Slug,
    pub name: DisplayName,
    /// A disabled tenant gets no new deployments.
    pub enabled: bool,
    /// The data key that seals its sensitive values.
    pub key: KeyId,
    pub tags: BTreeSet<TagId>,
    /// Connections.
    pub projects: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>,
    #[serde(with = "crate::map_as_list")]
    pub values: TenantValues,
}

impl Tenant {
    /// The environments that the tenant is connected to in a project.
    pub fn environments(&self, project: ProjectId) -> impl Iterator<Item = EnvironmentId> + '_ {
        self.projects.get(&project).into_iter().flatten().copied()
    }

    /// Whether the tenant is connected to the environment in the project.
    pub fn is_connected(&self, project: ProjectId, environment: EnvironmentId) -> bool {
        self.projects.get(&project).is_some_and(|environments| environments.contains(&environment))
    }
}

impl Tagged for Tenant {
    fn id(&self) -> TenantId {
        self.id
    }

    fn tags(&self) -> &BTreeSet<TagId> {
        &self.tags
    }
}

crate::catalogue::named!(Tenant, TenantId, "tenant");
