//! What matching and sessions need to find without a search: kept by `apply`, computed anew from a snapshot.

use imbl::{OrdMap, OrdSet};
use windlass_protocol::Timestamp;
use windlass_protocol::digest::Hasher;
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnvironmentId, ProjectId, ReleaseId, TagId, TagSetId, TargetId, TenantId,
};
use windlass_protocol::message::Generation;

use crate::graph::WorkKind;
use crate::version::Version;

/// Whose a deployment is, as far as fairness goes: a tenant's, or untenanted, which is one flow.
pub type Flow = Option<TenantId>;

/// When something was asked for: the place of its record in its space, and its own place in that record.
pub type Asked = (u64, u32);

/// Whose turn it is for one (project, environment, tenant or none).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns {
    /// The deployment that runs.
    pub running: Option<DeploymentId>,
    /// Those that wait, who asked first first.
    pub waiting: OrdMap<Asked, DeploymentId>,
}

impl Turns {
    /// The one that may start, as far as its key is concerned.
    pub(super) fn next(&self) -> Option<(Asked, DeploymentId)> {
        self.waiting.get_min().filter(|_| self.running.is_none()).copied()
    }
}

#[derive(Clone, Default)]
pub struct Indexes {
    /// Targets by what they are granted.
    pub targets: OrdMap<Facet, OrdSet<TargetId>>,
    pub releases: OrdMap<(ProjectId, Version), ReleaseId>,
    /// Deployments that are not over, by what may run once at a time: flow by flow, by project and environment.
    pub keys: OrdMap<Flow, OrdMap<(ProjectId, EnvironmentId), Turns>>,
    /// Queued deployments whose keys are free, by flow: all that they wait for is a slot.
    pub startable: OrdMap<Flow, OrdMap<Asked, DeploymentId>>,
    /// Flows of which one may start, as far as their own cap is concerned: all that they wait for is the space's.
    pub flows: OrdSet<Flow>,
    /// Deployments that run, by flow.
    pub running: OrdMap<Flow, OrdSet<DeploymentId>>,
    /// Of each that runs, how much of its open work lies at targets that are not lost; those without any are left out.
    pub within_reach: OrdMap<DeploymentId, usize>,
    /// How many of each flow hold a slot: those that run and do not wait for their targets alone.
    pub slots: OrdMap<Flow, usize>,
    /// How many slots of the space are taken.
    pub slots_taken: usize,
    /// Deployments that run, by the targets that have a part in them.
    pub parts: OrdMap<TargetId, OrdSet<DeploymentId>>,
    /// What each target has to do now.
    pub work: OrdMap<TargetId, OrdMap<AssignmentId, WorkItem>>,
    /// When something is given up, soonest first.
    pub deadlines: OrdSet<(Timestamp, TargetId, AssignmentId)>,
    /// Whose each assignment of a remembered deployment is, and what it is for.
    pub assignments: OrdMap<AssignmentId, Assigned>,
    /// Tags by their set and their name in any case.
    pub tags: OrdMap<(TagSetId, String), TagId>,
    /// The set of each tag, and its name as it is compared.
    pub tag_names: OrdMap<TagId, (TagSetId, String)>,
    /// Tenants by the tags that they carry.
    pub carriers: OrdMap<TagId, OrdSet<TenantId>>,
}

/// Something that a target has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkItem {
    pub deployment: DeploymentId,
    /// The node of its graph.
    pub node: usize,
    /// Which time it is done, from 1.
    pub attempt: u32,
    pub kind: WorkKind,
    /// Assigned by this record.
    pub generation: Generation,
    /// When it was assigned.
    pub since: Timestamp,
    /// It may not start after.
    pub expires: Timestamp,
    /// When it is given up: it has not started, or not told its end, by then.
    pub deadline: Timestamp,
    /// Whether it is known to have started.
    pub started: bool,
}

impl WorkItem {
    pub fn assignment(&self, target: TargetId) -> AssignmentId {
        assignment_id(self.deployment, target, self.kind, self.attempt)
    }
}

/// The id of an assignment is a digest of what it is for, and which time: the same work has the same id wherever it is
/// computed.
pub fn assignment_id(
    deployment: DeploymentId,
    target: TargetId,
    kind: WorkKind,
    attempt: u32,
) -> AssignmentId {
    let mut hasher = Hasher::new();
    hasher.update(b"windlass assignment id 1\n");
    hasher.update(deployment.as_bytes());
    hasher.update(target.as_bytes());
    hasher.update(attempt.to_be_bytes());
    if let WorkKind::Run(step) = kind {
        hasher.update(step.as_bytes());
    }
    let digest = hasher.finish();
    let (first, _) = digest.as_bytes().split_at(16);
    AssignmentId::from_bytes(first.try_into().expect("a digest has 32 bytes"))
}

/// What an assignment is for. One entry for each assignment of a deployment that is remembered, 100 bytes by measure:
/// less than the deployment itself holds about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    pub deployment: DeploymentId,
    pub target: TargetId,
    pub kind: WorkKind,
    /// The node of the deployment's graph.
    pub node: usize,
    /// Which time, from 1.
    pub attempt: u32,
}

impl Assigned {
    pub(crate) const fn of(target: TargetId, item: &WorkItem) -> Self {
        let WorkItem { deployment, kind, node, attempt, .. } = *item;
        Self { deployment, target, kind, node, attempt }
    }

    pub(super) fn id(&self) -> AssignmentId {
        assignment_id(self.deployment, self.target, self.kind, self.attempt)
    }
}

/// What a target is found by. It is of the grant: what agents say narrows that, and may come to mean something else at
/// any time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    /// It is granted an environment.
    Environment(EnvironmentId),
    /// It is granted a role.
    Role(String),
    /// It takes part in untenanted deployments.
    Untenanted,
    /// Its tenant query names a tenant.
    Tenant(TenantId),
    /// A tag of the smallest tag set of its tenant query: who is admitted by tags carries one of every set, so that one
    /// set finds all.
    Tag(TagId),
    /// Its tenant query excludes a tenant.
    ExcludesTenant(TenantId),
    /// Its tenant query names a tag, of whichever set, included or excluded.
    NamesTag(TagId),
}

/// Changes the entry of a map of collections by `remove`, and lets it go where nothing is left in it.
pub(super) fn take<K: Ord + Clone, C: Clone + Default + PartialEq>(
    map: &mut OrdMap<K, C>,
    key: K,
    remove: impl FnOnce(&mut C),
) {
    let Some(entry) = map.get_mut(&key) else { return };
    remove(entry);
    if *entry == C::default() {
        map.remove(&key);
    }
}
