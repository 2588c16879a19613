//! What matching and sessions need to find without a search: kept by `apply`, computed anew from a snapshot.

use imbl::{OrdMap, OrdSet, Vector};
use windlass_protocol::Timestamp;
use windlass_protocol::digest::Hasher;
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnvironmentId, ProjectId, ReleaseId, StepId, TagId, TagSetId, TargetId,
    TenantId,
};
use windlass_protocol::message::Generation;

use super::assignments::Assigned;
use super::space::Space;
use crate::model::{Deployment, DeploymentState, FetchState, RunState, Target};
use crate::scope;
use crate::version::Version;

/// What may run once at a time (SEMANTICS 8).
pub type Lane = (ProjectId, EnvironmentId, Option<TenantId>);

/// The indexes of a space.
#[derive(Clone, Default)]
pub struct Indexes {
    /// Targets by environment of their effective scope.
    pub targets: OrdMap<EnvironmentId, OrdSet<TargetId>>,
    /// Releases by project and version.
    pub releases: OrdMap<(ProjectId, Version), ReleaseId>,
    /// Deployments that are not over, by lane: the first one runs, the others wait.
    pub lanes: OrdMap<Lane, Vector<DeploymentId>>,
    /// What each target has to do now.
    pub work: OrdMap<TargetId, OrdMap<AssignmentId, WorkItem>>,
    /// When something is given up, soonest first.
    pub deadlines: OrdSet<(Timestamp, TargetId, AssignmentId)>,
    /// Deployments that run, by tenant.
    pub running: OrdSet<(Option<TenantId>, DeploymentId)>,
    /// Whose each assignment of a remembered deployment is, and what it is for.
    pub assignments: OrdMap<AssignmentId, Assigned>,
    /// Tags by their set and their name in any case.
    pub tags: OrdMap<(TagSetId, String), TagId>,
    /// Tenants by the tags that they carry.
    pub carriers: OrdMap<TagId, OrdSet<TenantId>>,
}

/// Something that a target has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkItem {
    /// The deployment.
    pub deployment: DeploymentId,
    /// What.
    pub kind: WorkKind,
    /// Assigned by this record.
    pub generation: Generation,
    /// It may not start after.
    pub expires: Timestamp,
    /// When it is given up: it has not started, or not told its end, by then.
    pub deadline: Timestamp,
    /// Whether it is known to have started.
    pub started: bool,
}

/// What a target has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkKind {
    /// Fetch every package of the deployment.
    Fetch,
    /// Run a step.
    Run(StepId),
}

impl WorkKind {
    /// The step that is run.
    pub fn step(self) -> Option<StepId> {
        match self {
            Self::Fetch => None,
            Self::Run(step) => Some(step),
        }
    }
}

/// The id of an assignment is a digest of what it is for: the same work has the same id wherever it is computed.
pub fn assignment_id(deployment: DeploymentId, target: TargetId, kind: WorkKind) -> AssignmentId {
    let mut hasher = Hasher::new();
    hasher.update(b"windlass assignment id 1\n");
    hasher.update(deployment.as_bytes());
    hasher.update(target.as_bytes());
    if let WorkKind::Run(step) = kind {
        hasher.update(step.as_bytes());
    }
    let digest = hasher.finish();
    let (first, _) = digest.as_bytes().split_at(16);
    AssignmentId::from_bytes(first.try_into().expect("a digest has 32 bytes"))
}

impl Space {
    /// What a target has to do now.
    pub fn work_of(&self, target: TargetId) -> impl Iterator<Item = (&AssignmentId, &WorkItem)> {
        self.indexes.work.get(&target).into_iter().flatten()
    }

    /// One assignment of a target, if it is its work now.
    pub fn work_item(&self, target: TargetId, assignment: AssignmentId) -> Option<&WorkItem> {
        self.indexes.work.get(&target)?.get(&assignment)
    }

    /// Puts a target's place in the indexes right; `before` is what it was.
    pub(super) fn reindex_target(&mut self, before: Option<&Target>, after: Option<&Target>) {
        for environment in before.into_iter().flat_map(scope::environments) {
            let Some(targets) = self.indexes.targets.get_mut(&environment) else { continue };
            targets.remove(&before.expect("it has environments").id);
            if targets.is_empty() {
                self.indexes.targets.remove(&environment);
            }
        }
        for environment in after.into_iter().flat_map(scope::environments) {
            self.indexes
                .targets
                .entry(environment)
                .or_default()
                .insert(after.expect("it has environments").id);
        }
    }

    /// Makes something a target's work, or changes what is known of it.
    pub(super) fn add_work(&mut self, target: TargetId, item: WorkItem) {
        let id = assignment_id(item.deployment, target, item.kind);
        if let Some(before) = self.indexes.work.entry(target).or_default().insert(id, item) {
            self.indexes.deadlines.remove(&(before.deadline, target, id));
        }
        self.indexes.deadlines.insert((item.deadline, target, id));
    }

    /// Takes something off a target's work, if it was. Nothing is handed out for it any more.
    pub(super) fn drop_work(&mut self, target: TargetId, deployment: DeploymentId, kind: WorkKind) {
        let id = assignment_id(deployment, target, kind);
        self.forget_handed_out(target, Some(id));
        let Some(item) = self.work_item(target, id).copied() else { return };
        self.indexes.deadlines.remove(&(item.deadline, target, id));
        let Some(items) = self.indexes.work.get_mut(&target) else { return };
        items.remove(&id);
        if items.is_empty() {
            self.indexes.work.remove(&target);
        }
    }

    /// Computes every index from the rest; `lanes` say whose turn it is.
    pub(super) fn rebuild_indexes(&mut self, lanes: Vec<Vec<DeploymentId>>) {
        for target in self.targets.iter().cloned().collect::<Vec<_>>() {
            self.reindex_target(None, Some(&target));
        }
        for release in self.releases.values() {
            self.indexes.releases.insert((release.project, release.version.clone()), release.id);
        }
        for lane in lanes {
            let first = lane.first().and_then(|id| self.deployments.get(id)).cloned();
            if let Some(first) = first {
                self.indexes.lanes.insert(first.lane(), lane.into_iter().collect());
            }
        }
        for tenant in self.tenants.iter().cloned().collect::<Vec<_>>() {
            self.reindex_tenant(None, Some(&tenant));
        }
        for set in self.tag_sets.iter().cloned().collect::<Vec<_>>() {
            self.reindex_tags(None, Some(&set));
        }
        for deployment in self.deployments.clone().values() {
            self.remember_assignments(deployment);
            if let DeploymentState::Running(_) = deployment.state {
                self.indexes.running.insert((deployment.tenant, deployment.id));
                self.reindex_work(deployment);
            }
        }
    }

    fn reindex_work(&mut self, deployment: &Deployment) {
        for (target, work) in &deployment.work {
            if let FetchState::Assigned { generation, expires } = work.fetch {
                let deployment = deployment.id;
                let kind = WorkKind::Fetch;
                let deadline = expires;
                let item = WorkItem { deployment, kind, generation, expires, deadline, started: false };
                self.add_work(*target, item);
            }
            for (step, run) in &work.runs {
                let (generation, expires, deadline, started) = match run {
                    RunState::Assigned { generation, expires } => (*generation, *expires, *expires, false),
                    RunState::Started { generation, expires, deadline } => {
                        (*generation, *expires, *deadline, true)
                    }
                    RunState::Ended { .. } => continue,
                };
                let (deployment, kind) = (deployment.id, WorkKind::Run(*step));
                self.add_work(*target, WorkItem { deployment, kind, generation, expires, deadline, started });
            }
        }
    }
}
