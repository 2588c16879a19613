//! A space: the hard wall around everything that belongs together (SEMANTICS 1).

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnrolmentId, EnvironmentId, KeyId, ProjectId, ReleaseId, SpaceId, TargetId,
    TemplateId,
};
use windlass_protocol::message::Generation;
use windlass_protocol::{Digest, DisplayName, Slug, Timestamp};

use super::finished::Finished;
use super::history::History;
use super::indexes::{Flow, Indexes};
use crate::catalogue::Catalogue;
use crate::model::{
    Deployment, Enrolment, Environment, LibrarySet, Lifecycle, Package, PackageKey, Project, Release,
    StoredValue, TagSet, Target, Tenant,
};
use crate::version::Version;

/// What names a space, and the key that seals what belongs to no tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceHead {
    pub id: SpaceId,
    pub slug: Slug,
    pub name: DisplayName,
    /// The data key for sensitive values without a tenant.
    pub key: KeyId,
}

/// How much may run at once (SEMANTICS 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Deployments of the space.
    pub space: usize,
    /// Deployments of one tenant.
    pub tenant: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { space: 100, tenant: 20 }
    }
}

/// A space and all that is in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Space {
    /// What names it.
    pub head: SpaceHead,
    /// How much may run at once.
    pub caps: Caps,
    pub environments: Catalogue<Environment>,
    pub tag_sets: Catalogue<TagSet>,
    pub lifecycles: Catalogue<Lifecycle>,
    pub library_sets: Catalogue<LibrarySet>,
    pub projects: Catalogue<Project>,
    pub tenants: Catalogue<Tenant>,
    pub targets: Catalogue<Target>,
    /// Targets that have work and had no session for half a minute, since when; until they are back.
    pub lost: OrdMap<TargetId, Timestamp>,
    /// Deployments that waited for lost targets alone and are back. They count for their flow, and take nothing from what
    /// the space has for others.
    #[serde(default, skip_serializing_if = "OrdSet::is_empty")]
    pub returned: OrdSet<DeploymentId>,
    /// Since when there has been a coordinator without a break, where it was away while targets had work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_since: Option<Timestamp>,
    pub enrolments: OrdMap<EnrolmentId, Arc<Enrolment>>,
    #[serde(with = "crate::map_as_list")]
    pub packages: OrdMap<PackageKey, Arc<Package>>,
    pub releases: OrdMap<ReleaseId, Arc<Release>>,
    /// Deployments: all that are not over, and those of the rest that are remembered.
    pub deployments: OrdMap<DeploymentId, Arc<Deployment>>,
    /// Deployments that are over and remembered, in the order in which they ended.
    pub finished: Finished,
    /// What succeeded where, and what each target holds.
    pub history: History,
    /// The flow that had the last turn, whatever came of it: the next one has its.
    pub turn: Option<(Flow,)>,
    /// What has to be looked at again because something that it rests on has changed: a target's part in a deployment
    /// that runs, or a whole one that waits.
    pub unsettled: OrdSet<(DeploymentId, Option<TargetId>)>,
    /// The newest change in each target's work.
    pub generations: OrdMap<TargetId, Generation>,
    /// The epochs that have ended, each with the last record that the space had in it.
    #[serde(default, skip_serializing_if = "OrdMap::is_empty")]
    pub ended_epochs: OrdMap<u64, u64>,
    /// Manifests that targets pulled whole under an assignment.
    pub pulled: OrdSet<(TargetId, Digest)>,
    /// What was handed out for work that is still open, and stands in the journal: variables by their digest, packages
    /// by their manifest's. Handed out again, it is counted.
    pub handed_out: OrdSet<(TargetId, AssignmentId, Digest)>,
    /// Data keys that are destroyed: those of deleted tenants. Whoever holds the keys' files goes by this list, so that
    /// what a crash left is destroyed at the next start.
    pub destroyed_keys: OrdSet<KeyId>,
    /// What is computed from the rest.
    #[serde(skip)]
    pub indexes: Indexes,
}

impl Space {
    pub fn new(head: SpaceHead) -> Self {
        Self {
            head,
            caps: Caps::default(),
            environments: Catalogue::default(),
            tag_sets: Catalogue::default(),
            lifecycles: Catalogue::default(),
            library_sets: Catalogue::default(),
            projects: Catalogue::default(),
            tenants: Catalogue::default(),
            targets: Catalogue::default(),
            lost: OrdMap::new(),
            returned: OrdSet::new(),
            served_since: None,
            enrolments: OrdMap::new(),
            packages: OrdMap::new(),
            releases: OrdMap::new(),
            deployments: OrdMap::new(),
            finished: Finished::default(),
            history: History::default(),
            turn: None,
            unsettled: OrdSet::new(),
            generations: OrdMap::new(),
            ended_epochs: OrdMap::new(),
            pulled: OrdSet::new(),
            handed_out: OrdSet::new(),
            destroyed_keys: OrdSet::new(),
            indexes: Indexes::default(),
        }
    }

    /// The tenant's values, but those for environments that are gone: only templates that were retired then may have such
    /// values, and nobody can read one, or take it out, when its template is back.
    pub fn values_of<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> impl Iterator<Item = (&'a (TemplateId, Option<EnvironmentId>), &'a StoredValue)> {
        tenant.values.iter().filter(|(place, _)| self.is_place(**place))
    }

    /// Whether a tenant can have a value there, as far as the environment is concerned.
    pub(crate) fn is_place(&self, (_, environment): (TemplateId, Option<EnvironmentId>)) -> bool {
        environment.is_none_or(|id| self.environments.get(id).is_some())
    }

    pub fn environments_in_order(&self) -> Vec<&Environment> {
        let mut environments: Vec<_> = self.environments.iter().collect();
        environments.sort_by_key(|environment| (environment.order, environment.name.folded()));
        environments
    }

    pub fn release(&self, project: ProjectId, version: &Version) -> Option<&Arc<Release>> {
        self.indexes.releases.get(&(project, version.clone())).and_then(|id| self.releases.get(id))
    }

    /// The releases of a project, lowest version first.
    pub fn releases_of(&self, project: ProjectId) -> impl DoubleEndedIterator<Item = &Arc<Release>> {
        let lowest: Version = "0-0".parse().expect("the lowest version is one");
        self.indexes
            .releases
            .range((project, lowest)..)
            .take_while(move |((of, _), _)| *of == project)
            .filter_map(|(_, id)| self.releases.get(id))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The packages of this id, lowest version first.
    pub fn packages_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Arc<Package>> {
        let lowest =
            PackageKey { id: id.to_owned(), version: "0-0".parse().expect("the lowest version is one") };
        self.packages.range(lowest..).take_while(move |(key, _)| key.id == id).map(|(_, package)| package)
    }
}
