//! What matching and sessions need to find without a search: kept by `apply`, computed anew from a snapshot.

use imbl::{OrdMap, OrdSet};
use windlass_protocol::Timestamp;
use windlass_protocol::digest::Hasher;
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnvironmentId, ProjectId, ReleaseId, TagId, TagSetId, TargetId, TenantId,
};
use windlass_protocol::message::Generation;

use super::assignments::Assigned;
use super::space::Space;
use crate::graph::{RunState, WorkKind};
use crate::model::{Deployment, DeploymentState, Key, Target};
use crate::version::Version;

/// How long a target that is offline is waited for (SEMANTICS 3, machine policy: `wait` one hour by default).
const OFFLINE_SECONDS: u64 = 3600;

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
    fn next(&self) -> Option<(Asked, DeploymentId)> {
        self.waiting.get_min().filter(|_| self.running.is_none()).copied()
    }
}

/// The indexes of a space.
#[derive(Clone, Default)]
pub struct Indexes {
    /// Targets by environment of their granted scope: what agents say may come to mean something else at any time.
    pub targets: OrdMap<EnvironmentId, OrdSet<TargetId>>,
    /// Releases by project and version.
    pub releases: OrdMap<(ProjectId, Version), ReleaseId>,
    /// Deployments that are not over, by what may run once at a time.
    pub keys: OrdMap<Key, Turns>,
    /// Queued deployments whose keys are free, by flow: all that they wait for is a slot.
    pub startable: OrdMap<Flow, OrdMap<Asked, DeploymentId>>,
    /// Deployments that run, by flow.
    pub running: OrdMap<Flow, OrdSet<DeploymentId>>,
    /// How many run.
    pub running_count: usize,
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
    /// The deployment.
    pub deployment: DeploymentId,
    /// The node of its graph.
    pub node: usize,
    /// Which time it is done, from 1.
    pub attempt: u32,
    /// What.
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
    /// Its assignment's id.
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
        for environment in before.into_iter().flat_map(|before| &before.granted.environments) {
            let Some(targets) = self.indexes.targets.get_mut(environment) else { continue };
            targets.remove(&before.expect("it has environments").id);
            if targets.is_empty() {
                self.indexes.targets.remove(environment);
            }
        }
        for environment in after.into_iter().flat_map(|after| &after.granted.environments) {
            self.indexes
                .targets
                .entry(*environment)
                .or_default()
                .insert(after.expect("it has environments").id);
        }
    }

    /// Makes the open run of a node a target's work, or puts right what is known of it: its deadline too, which is
    /// another one while the target is lost.
    pub(super) fn index_work(&mut self, deployment: DeploymentId, node: usize, target: TargetId) {
        let Some(item) = self.item_of(deployment, node, target) else { return };
        let id = item.assignment(target);
        if let Some(before) = self.indexes.work.entry(target).or_default().insert(id, item) {
            self.indexes.deadlines.remove(&(before.deadline, target, id));
        }
        self.indexes.deadlines.insert((item.deadline, target, id));
    }

    fn item_of(&self, id: DeploymentId, place: usize, target: TargetId) -> Option<WorkItem> {
        let graph = &self.deployments.get(&id)?.graph;
        let (node, run) = (graph.node(place)?, graph.run(place, target)?);
        let (generation, since, expires, deadline) = match run.state {
            RunState::Assigned { generation, since, expires } => {
                let offline =
                    self.lost.get(&target).map(|lost| since.max(*lost).plus_seconds(OFFLINE_SECONDS));
                (generation, since, expires, offline.map_or(expires, |offline| offline.min(expires)))
            }
            RunState::Started { generation, since, expires, deadline } => {
                (generation, since, expires, deadline)
            }
            RunState::Ended(_) => return None,
        };
        let started = matches!(run.state, RunState::Started { .. });
        let (kind, attempt) = (node.plot.work, run.attempt);
        Some(WorkItem {
            deployment: id,
            node: place,
            attempt,
            kind,
            generation,
            since,
            expires,
            deadline,
            started,
        })
    }

    /// Takes something off a target's work. Nothing is handed out for it any more.
    pub(super) fn drop_work(&mut self, target: TargetId, id: AssignmentId) {
        self.forget_handed_out(target, Some(id));
        let Some(item) = self.work_item(target, id).copied() else { return };
        self.indexes.deadlines.remove(&(item.deadline, target, id));
        let Some(items) = self.indexes.work.get_mut(&target) else { return };
        items.remove(&id);
        if items.is_empty() {
            self.indexes.work.remove(&target);
        }
    }

    /// Puts a deployment that waits, runs or is over where it belongs. `before` is what it was.
    pub(super) fn index_state(&mut self, before: Option<DeploymentState>, deployment: &Deployment) {
        let (key, flow, id) = (deployment.key(), deployment.tenant, deployment.id);
        let turns = self.indexes.keys.entry(key).or_default();
        let next_before = turns.next();
        match deployment.state {
            DeploymentState::Queued => {
                turns.waiting.insert(deployment.asked, id);
            }
            DeploymentState::Running => {
                turns.waiting.remove(&deployment.asked);
                turns.running = Some(id);
            }
            DeploymentState::Ended(_) => {
                turns.waiting.remove(&deployment.asked);
                turns.running.take_if(|running| *running == id);
            }
        }
        let next = turns.next();
        if *turns == Turns::default() {
            self.indexes.keys.remove(&key);
        }
        if next != next_before {
            if let Some((asked, _)) = next_before {
                take(&mut self.indexes.startable, flow, |startable| _ = startable.remove(&asked));
            }
            if let Some((asked, id)) = next {
                self.indexes.startable.entry(flow).or_default().insert(asked, id);
            }
        }
        self.count_running(flow, id, before, deployment.state);
    }

    fn count_running(
        &mut self,
        flow: Flow,
        id: DeploymentId,
        before: Option<DeploymentState>,
        after: DeploymentState,
    ) {
        match (before == Some(DeploymentState::Running), after == DeploymentState::Running) {
            (false, true) => {
                self.indexes.running.entry(flow).or_default().insert(id);
                self.indexes.running_count += 1;
            }
            (true, false) => {
                take(&mut self.indexes.running, flow, |running| _ = running.remove(&id));
                self.indexes.running_count -= 1;
            }
            _ => {}
        }
    }

    /// Puts the targets of a deployment that runs, or no longer does, right.
    pub(super) fn index_parts(&mut self, deployment: &Deployment, runs: bool) {
        for target in deployment.parts.keys() {
            if runs {
                self.indexes.parts.entry(*target).or_default().insert(deployment.id);
            } else {
                take(&mut self.indexes.parts, *target, |parts| _ = parts.remove(&deployment.id));
            }
        }
    }

    /// Computes every index from the rest.
    pub(crate) fn rebuild_indexes(&mut self) {
        for target in self.targets.iter().cloned().collect::<Vec<_>>() {
            self.reindex_target(None, Some(&target));
        }
        for release in self.releases.values() {
            self.indexes.releases.insert((release.project, release.version.clone()), release.id);
        }
        for tenant in self.tenants.iter().cloned().collect::<Vec<_>>() {
            self.reindex_tenant(None, Some(&tenant));
        }
        for set in self.tag_sets.iter().cloned().collect::<Vec<_>>() {
            self.reindex_tags(None, Some(&set));
        }
        for deployment in self.deployments.clone().values() {
            self.remember_assignments(deployment);
            if !deployment.is_over() {
                self.index_state(None, deployment);
            }
            if deployment.state == DeploymentState::Running {
                self.index_parts(deployment, true);
                for (node, target) in deployment.graph.open() {
                    self.index_work(deployment.id, *node, *target);
                }
            }
        }
    }
}

/// Changes the entry of a map of collections by `remove`, and lets it go where nothing is left in it.
fn take<K: Ord + Clone, C: Clone + Default + PartialEq>(
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
