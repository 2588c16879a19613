//! A space: the hard wall around everything that belongs together (SEMANTICS 1).

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnrolmentId, EnvironmentId, KeyId, ProjectId, ReleaseId, SpaceId, TargetId,
    TenantId,
};
use windlass_protocol::message::Generation;
use windlass_protocol::{Digest, DisplayName, Slug};

use super::indexes::Indexes;
use crate::catalogue::Catalogue;
use crate::model::{
    Deployment, Enrolment, Environment, LibrarySet, Lifecycle, Package, PackageKey, Project, Release, TagSet,
    Target, Tenant,
};
use crate::promotion::Successes;
use crate::version::Version;

/// What names a space, and the key that seals what belongs to no tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceHead {
    /// Id.
    pub id: SpaceId,
    /// Slug.
    pub slug: Slug,
    /// Name.
    pub name: DisplayName,
    /// The data key for sensitive values without a tenant.
    pub key: KeyId,
}

/// A space and all that is in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Space {
    /// What names it.
    pub head: SpaceHead,
    /// Environments.
    pub environments: Catalogue<Environment>,
    /// Tag sets.
    pub tag_sets: Catalogue<TagSet>,
    /// Lifecycles.
    pub lifecycles: Catalogue<Lifecycle>,
    /// Library sets.
    pub library_sets: Catalogue<LibrarySet>,
    /// Projects.
    pub projects: Catalogue<Project>,
    /// Tenants.
    pub tenants: Catalogue<Tenant>,
    /// Targets.
    pub targets: Catalogue<Target>,
    /// Enrolment tokens.
    pub enrolments: OrdMap<EnrolmentId, Arc<Enrolment>>,
    /// Packages.
    pub packages: OrdMap<PackageKey, Arc<Package>>,
    /// Releases.
    pub releases: OrdMap<ReleaseId, Arc<Release>>,
    /// Deployments: all that are not over, and the latest of those that are.
    pub deployments: OrdMap<DeploymentId, Arc<Deployment>>,
    /// Deployments that are over, oldest first.
    pub finished: imbl::Vector<DeploymentId>,
    /// Every success that there ever was.
    pub successes: OrdSet<(ReleaseId, EnvironmentId, Option<TenantId>)>,
    /// The newest change in each target's work.
    pub generations: OrdMap<TargetId, Generation>,
    /// Manifests that targets pulled whole under an assignment.
    pub pulled: OrdSet<(TargetId, Digest)>,
    /// What was handed out for work that is still open, and stands in the journal: variables by their digest, packages
    /// by their manifest's. Handed out again, it is counted.
    pub handed_out: OrdSet<(TargetId, AssignmentId, Digest)>,
    /// Data keys that are destroyed: those of deleted tenants. Whoever holds the keys' files goes by this list, so that
    /// what a crash left is destroyed at the next start.
    pub destroyed_keys: OrdSet<KeyId>,
    /// What is computed from the rest.
    pub indexes: Indexes,
}

/// A space as a snapshot holds it.
#[derive(Serialize, Deserialize)]
struct Stored {
    head: SpaceHead,
    environments: Catalogue<Environment>,
    tag_sets: Catalogue<TagSet>,
    lifecycles: Catalogue<Lifecycle>,
    library_sets: Catalogue<LibrarySet>,
    projects: Catalogue<Project>,
    tenants: Catalogue<Tenant>,
    targets: Catalogue<Target>,
    enrolments: OrdMap<EnrolmentId, Arc<Enrolment>>,
    packages: Vec<Arc<Package>>,
    releases: OrdMap<ReleaseId, Arc<Release>>,
    deployments: OrdMap<DeploymentId, Arc<Deployment>>,
    /// Whose turn it is in each lane cannot be seen from the deployments themselves.
    lanes: Vec<Vec<DeploymentId>>,
    finished: imbl::Vector<DeploymentId>,
    successes: OrdSet<(ReleaseId, EnvironmentId, Option<TenantId>)>,
    generations: OrdMap<TargetId, Generation>,
    pulled: OrdSet<(TargetId, Digest)>,
    #[serde(default, skip_serializing_if = "OrdSet::is_empty")]
    handed_out: OrdSet<(TargetId, AssignmentId, Digest)>,
    #[serde(default, skip_serializing_if = "OrdSet::is_empty")]
    destroyed_keys: OrdSet<KeyId>,
}

impl From<Stored> for Space {
    fn from(stored: Stored) -> Self {
        let mut space = Self {
            head: stored.head,
            environments: stored.environments,
            tag_sets: stored.tag_sets,
            lifecycles: stored.lifecycles,
            library_sets: stored.library_sets,
            projects: stored.projects,
            tenants: stored.tenants,
            targets: stored.targets,
            enrolments: stored.enrolments,
            packages: stored.packages.into_iter().map(|package| (package.key.clone(), package)).collect(),
            releases: stored.releases,
            deployments: stored.deployments,
            finished: stored.finished,
            successes: stored.successes,
            generations: stored.generations,
            pulled: stored.pulled,
            handed_out: stored.handed_out,
            destroyed_keys: stored.destroyed_keys,
            indexes: Indexes::default(),
        };
        space.rebuild_indexes(stored.lanes);
        space
    }
}

impl From<Space> for Stored {
    fn from(space: Space) -> Self {
        Self {
            head: space.head,
            environments: space.environments,
            tag_sets: space.tag_sets,
            lifecycles: space.lifecycles,
            library_sets: space.library_sets,
            projects: space.projects,
            tenants: space.tenants,
            targets: space.targets,
            enrolments: space.enrolments,
            packages: space.packages.values().cloned().collect(),
            releases: space.releases,
            deployments: space.deployments,
            lanes: space.indexes.lanes.values().map(|lane| lane.iter().copied().collect()).collect(),
            finished: space.finished,
            successes: space.successes,
            generations: space.generations,
            pulled: space.pulled,
            handed_out: space.handed_out,
            destroyed_keys: space.destroyed_keys,
        }
    }
}

impl Space {
    /// A new space with nothing in it.
    pub fn new(head: SpaceHead) -> Self {
        Self {
            head,
            environments: Catalogue::default(),
            tag_sets: Catalogue::default(),
            lifecycles: Catalogue::default(),
            library_sets: Catalogue::default(),
            projects: Catalogue::default(),
            tenants: Catalogue::default(),
            targets: Catalogue::default(),
            enrolments: OrdMap::new(),
            packages: OrdMap::new(),
            releases: OrdMap::new(),
            deployments: OrdMap::new(),
            finished: imbl::Vector::new(),
            successes: OrdSet::new(),
            generations: OrdMap::new(),
            pulled: OrdSet::new(),
            handed_out: OrdSet::new(),
            destroyed_keys: OrdSet::new(),
            indexes: Indexes::default(),
        }
    }

    /// The environments in their order.
    pub fn environments_in_order(&self) -> Vec<&Environment> {
        let mut environments: Vec<_> = self.environments.iter().collect();
        environments.sort_by_key(|environment| (environment.order, environment.name.folded()));
        environments
    }

    /// The release of a project with this version.
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

impl Successes for Space {
    fn succeeded(&self, release: ReleaseId, environment: EnvironmentId, tenant: Option<TenantId>) -> bool {
        self.successes.contains(&(release, environment, tenant))
    }

    fn succeeded_for_anybody(&self, release: ReleaseId, environment: EnvironmentId) -> bool {
        let next = self.successes.range((release, environment, None)..).next();
        next.is_some_and(|(of, place, _)| *of == release && *place == environment)
    }
}
