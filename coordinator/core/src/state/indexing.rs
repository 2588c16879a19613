//! The upkeep of a space's indexes, change by change, and all anew where a snapshot was read.

use std::collections::BTreeSet;

use imbl::OrdMap;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};

use super::indexes::{Flow, Turns, WorkItem, take};
use super::space::{Caps, Space};
use crate::graph::RunState;
use crate::model::{Deployment, DeploymentState, Key};

/// How long a target that is offline is waited for (SEMANTICS 3, machine policy: `wait` one hour by default); and, whatever
/// was due meanwhile, how long everybody has to come back to a coordinator that was away.
const OFFLINE_SECONDS: u64 = 3600;

impl Space {
    /// What a target has to do now.
    pub fn work_of(&self, target: TargetId) -> impl Iterator<Item = (&AssignmentId, &WorkItem)> {
        self.indexes.work.get(&target).into_iter().flatten()
    }

    /// One assignment of a target, if it is its work now.
    pub fn work_item(&self, target: TargetId, assignment: AssignmentId) -> Option<&WorkItem> {
        self.indexes.work.get(&target)?.get(&assignment)
    }

    /// Makes the open run of a node a target's work, or puts right what is known of it: its deadline too, which is
    /// another one while the target is lost.
    pub(super) fn index_work(&mut self, deployment: DeploymentId, node: usize, target: TargetId) {
        let Some(item) = self.item_of(deployment, node, target) else { return };
        let id = item.assignment(target);
        match self.indexes.work.entry(target).or_default().insert(id, item) {
            Some(before) => drop(self.indexes.deadlines.remove(&(before.deadline, target, id))),
            None if self.lost.contains_key(&target) => {}
            None => self.reach(deployment, 1),
        }
        self.indexes.deadlines.insert((item.deadline, target, id));
    }

    /// So much more of a deployment's open work, or less, is within reach. A deployment that waits for its targets alone
    /// keeps its keys and not its slot (SEMANTICS 9); when one is back, it has a slot of its flow at once, and none of the
    /// space's.
    pub(super) fn reach(&mut self, id: DeploymentId, more: isize) {
        let before = self.indexes.within_reach.get(&id).copied().unwrap_or_default();
        let after = before.saturating_add_signed(more);
        if after == 0 {
            self.indexes.within_reach.remove(&id);
        } else {
            self.indexes.within_reach.insert(id, after);
        }
        let Some(flow) = self.deployments.get(&id).map(|deployment| deployment.tenant) else { return };
        let taken = self.indexes.slots.get(&flow).copied().unwrap_or_default();
        let of_space = usize::from(!self.returned.contains(&id));
        let (taken, all) = match (before, after) {
            (0, 1..) => (taken + 1, self.indexes.slots_taken + of_space),
            (1.., 0) => (taken.saturating_sub(1), self.indexes.slots_taken.saturating_sub(of_space)),
            _ => return,
        };
        self.indexes.slots_taken = all;
        if taken == 0 {
            self.indexes.slots.remove(&flow);
        } else {
            self.indexes.slots.insert(flow, taken);
        }
        self.index_flow(flow);
    }

    fn item_of(&self, id: DeploymentId, place: usize, target: TargetId) -> Option<WorkItem> {
        let graph = &self.deployments.get(&id)?.graph;
        let (node, run) = (graph.node(place)?, graph.run(place, target)?);
        // An agent whose coordinator was away could tell nothing, however long ago it was due.
        let earliest = self.served_since.map(|since| since.plus_seconds(OFFLINE_SECONDS));
        let not_before = |deadline: Timestamp| earliest.map_or(deadline, |earliest| deadline.max(earliest));
        let (generation, since, expires, deadline) = match run.state {
            RunState::Assigned { generation, since, expires } => {
                let lost = self.lost.get(&target);
                let offline = lost.map(|lost| since.max(*lost).plus_seconds(OFFLINE_SECONDS));
                (generation, since, expires, offline.map_or(expires, |offline| offline.min(expires)))
            }
            RunState::Started { generation, since, expires, deadline } => {
                (generation, since, expires, deadline)
            }
            RunState::Ended(_) => return None,
        };
        let deadline = not_before(deadline);
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
        if !self.lost.contains_key(&target) {
            self.reach(item.deployment, -1);
        }
        self.indexes.deadlines.remove(&(item.deadline, target, id));
        let Some(items) = self.indexes.work.get_mut(&target) else { return };
        items.remove(&id);
        if items.is_empty() {
            self.indexes.work.remove(&target);
        }
    }

    /// Puts a deployment that waits, runs or is over where it belongs. `before` is what it was.
    pub(super) fn index_state(&mut self, before: Option<DeploymentState>, deployment: &Deployment) {
        let (flow, id) = (deployment.tenant, deployment.id);
        let place = (deployment.project, deployment.environment);
        let turns = self.indexes.keys.entry(flow).or_default().entry(place).or_default();
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
            take(&mut self.indexes.keys, flow, |keys| _ = keys.remove(&place));
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
        self.index_flow(flow);
    }

    /// Puts right whether a flow may have a slot, as far as its own cap is concerned.
    fn index_flow(&mut self, flow: Flow) {
        if self.flow_has_slot(flow) && self.indexes.startable.contains_key(&flow) {
            self.indexes.flows.insert(flow);
        } else {
            self.indexes.flows.remove(&flow);
        }
    }

    /// Whether one more of a flow may run, as far as its own cap is concerned. Untenanted work is one flow, which only the
    /// space's cap bounds.
    pub(crate) fn flow_has_slot(&self, flow: Flow) -> bool {
        flow.is_none() || self.slots_of(flow) < self.caps.tenant
    }

    pub fn slots_of(&self, flow: Flow) -> usize {
        self.indexes.slots.get(&flow).copied().unwrap_or_default()
    }

    /// The deployments of some flows that are not over.
    pub(crate) fn open_of<'a>(&self, flows: impl IntoIterator<Item = &'a Flow>) -> BTreeSet<DeploymentId> {
        let turns = flows.into_iter().filter_map(|flow| self.indexes.keys.get(flow)).flat_map(OrdMap::values);
        turns.flat_map(|turns| turns.waiting.values().chain(&turns.running)).copied().collect()
    }

    /// Sets how much may run at once.
    pub(super) fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
        for flow in self.indexes.startable.keys().copied().collect::<Vec<_>>() {
            self.index_flow(flow);
        }
    }

    /// Whose turns there are for one (project, environment, tenant or none).
    pub(crate) fn turns(&self, (project, environment, flow): Key) -> Option<&Turns> {
        self.indexes.keys.get(&flow)?.get(&(project, environment))
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
            }
            (true, false) => {
                take(&mut self.indexes.running, flow, |running| _ = running.remove(&id));
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
        let mut finished = std::mem::take(&mut self.finished);
        finished.index(|id| {
            let flow = self.deployments.get(&id).and_then(|deployment| deployment.tenant);
            (flow, self.has_flow(flow))
        });
        self.finished = finished;
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
