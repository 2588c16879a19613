//! How events change deployments, and the work, turns and history that follow from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::Generation;
use windlass_protocol::{Digest, Timestamp};

use super::apply::{At, Missing};
use super::history::Held;
use super::indexes::Flow;
use super::{Space, assignment_id};
use crate::event::{DeploymentCreated, DeploymentEvent, DeploymentStarted};
use crate::graph::{Graph, RunState, Settled, WorkKind};
use crate::model::{
    Called, Deployment, DeploymentEnd, DeploymentState, EndReason, Frozen, FrozenTenant, Part, RunEnd,
    RunOutcome, StoredValue,
};

impl Space {
    pub(super) fn apply_to_deployment(&mut self, at: At, event: &DeploymentEvent) -> Result<(), Missing> {
        match event {
            DeploymentEvent::Created { deployment } => self.create(at, deployment),
            DeploymentEvent::LeftOut { .. } => {}
            DeploymentEvent::Started(started) => self.start(started)?,
            DeploymentEvent::Assigned { deployment, node, expires } => {
                self.assign(at, *deployment, *node, *expires)?;
            }
            DeploymentEvent::RunStarted { deployment, node, target, deadline, .. } => {
                let (node, target, deadline) = (*node, *target, *deadline);
                self.settle(*deployment, &Settled::Started { node, target, deadline })?;
                self.index_work(*deployment, node, target);
            }
            DeploymentEvent::RunEnded { deployment, node, target, end, outputs, .. } => {
                self.end_run(*deployment, *node, *target, end, outputs)?;
            }
            DeploymentEvent::ScopeRemoved { deployment, target, why } => {
                self.drop_all_work(*deployment, *target);
                let end = RunEnd::of(RunOutcome::Stopped);
                self.settle(*deployment, &Settled::Removed { target: *target, end: &end })?;
                let part = self.deployment_mut(*deployment)?.parts.get_mut(target);
                part.ok_or("no such target in the deployment")?.removed = Some(*why);
                self.note_generation(*target, at.generation);
            }
            DeploymentEvent::Reviewed { deployment, target } => {
                let (_, after) = std::mem::take(&mut self.unsettled).split(&(*deployment, *target));
                self.unsettled = after;
            }
            DeploymentEvent::Ended { deployment, end, why } => self.end(at, *deployment, *end, why)?,
            DeploymentEvent::PullBegun { deployment, step, target, manifest, .. } => {
                let kind = step.map_or(WorkKind::Fetch, WorkKind::Run);
                self.hand_out(*deployment, *target, kind, *manifest);
                self.note_handed(*deployment, *target);
            }
            DeploymentEvent::PackagePulled { deployment, step, target, manifest, .. } => {
                self.pulled.insert((*target, *manifest));
                self.note_handed(*deployment, *target);
                let kind = step.map_or(WorkKind::Fetch, WorkKind::Run);
                self.hand_out(*deployment, *target, kind, *manifest);
            }
            DeploymentEvent::VariablesRead { deployment, step, target, digest, .. } => {
                self.hand_out(*deployment, *target, WorkKind::Run(*step), *digest);
            }
        }
        Ok(())
    }

    fn create(&mut self, at: At, created: &DeploymentCreated) {
        let deployment = Deployment {
            id: created.id,
            project: created.project,
            subject: created.subject,
            environment: created.environment,
            tenant: created.tenant,
            created: at.time,
            asked: (at.generation.sequence, at.place),
            only_targets: created.only_targets.clone(),
            excluded_targets: created.excluded_targets.clone(),
            skipped_steps: created.skipped_steps.clone(),
            state: DeploymentState::Queued,
            why: None,
            ended: None,
            graph: Graph::default(),
            parts: imbl::OrdMap::new(),
            frozen: None,
            outputs: imbl::OrdMap::new(),
        };
        self.index_state(None, &deployment);
        self.deployments.insert(deployment.id, Arc::new(deployment));
    }

    fn start(&mut self, started: &DeploymentStarted) -> Result<(), Missing> {
        let id = started.deployment;
        let frozen = self.freeze(id)?;
        let mut parts = imbl::OrdMap::new();
        for (roles, targets) in &started.roles {
            let roles = Arc::new(roles.clone());
            for target in targets {
                let name = self.targets.get(*target).ok_or("no such target")?.name.clone();
                parts.insert(
                    *target,
                    Part { name, roles: Arc::clone(&roles), replaced: false, removed: None },
                );
            }
        }
        self.turn = Some((self.deployments.get(&id).ok_or("no such deployment")?.tenant,));
        let deployment = self.deployment_mut(id)?;
        deployment.frozen = Some(Arc::new(frozen));
        deployment.graph = Graph::new(started.nodes.iter().cloned());
        deployment.parts = parts;
        self.enter(id, DeploymentState::Running)?;
        let deployment = self.deployments.get(&id).cloned().ok_or("no such deployment")?;
        self.index_parts(&deployment, true);
        Ok(())
    }

    /// What a deployment that starts now is given.
    fn freeze(&self, id: DeploymentId) -> Result<Frozen, Missing> {
        let deployment = self.deployments.get(&id).ok_or("no such deployment")?;
        let environment = self.environments.get(deployment.environment).ok_or("no such environment")?;
        let project = self.projects.get(deployment.project).ok_or("no such project")?;
        let tenant = match deployment.tenant {
            None => None,
            Some(id) => {
                let tenant = self.tenants.get(id).ok_or("no such tenant")?;
                let called = Called { slug: tenant.slug.clone(), name: tenant.name.clone() };
                Some(FrozenTenant { id, called, tags: tenant.tags.clone(), values: tenant.values.clone() })
            }
        };
        Ok(Frozen {
            space: Called { slug: self.head.slug.clone(), name: self.head.name.clone() },
            environment: Called { slug: environment.slug.clone(), name: environment.name.clone() },
            project: Called { slug: project.slug.clone(), name: project.name.clone() },
            tenant,
        })
    }

    fn assign(&mut self, at: At, id: DeploymentId, node: usize, expires: Timestamp) -> Result<(), Missing> {
        self.settle(id, &Settled::Assigned { node, generation: at.generation, since: at.time, expires })?;
        let graph = &self.deployments.get(&id).ok_or("no such deployment")?.graph;
        let targets = graph.node(node).map(|node| graph.left(node)).unwrap_or_default();
        for target in targets {
            self.index_work(id, node, target);
            self.remember_run(id, node, target);
            self.note_generation(target, at.generation);
        }
        Ok(())
    }

    fn end_run(
        &mut self,
        id: DeploymentId,
        node: usize,
        target: TargetId,
        end: &RunEnd,
        outputs: &BTreeMap<String, StoredValue>,
    ) -> Result<(), Missing> {
        // A step may outlive its deployment for as long as it likes. Which deployments are remembered then is a matter of
        // memory, and no history may depend on it.
        if !self.deployments.contains_key(&id) {
            return Ok(());
        }
        self.drop_run(id, node, target);
        self.settle(id, &Settled::Ended { node, target, end })?;
        let step = self.step_of(id, node)?;
        let deployment = self.deployment_mut(id)?;
        for (name, value) in outputs {
            let step = step.ok_or("fetching sets nothing")?;
            deployment.outputs.insert((step, target, name.clone()), value.clone());
        }
        let (key, release) = (deployment.key(), deployment.release());
        if end.outcome != RunOutcome::Succeeded {
            return Ok(());
        }
        let Some(step) = step else {
            self.note_handed(id, target);
            return Ok(());
        };
        let package = self.releases.get(&release).and_then(|release| release.packages.get(&step));
        if let Some(manifest) = package.map(|package| package.manifest) {
            self.history.holds(target, key, step, Held { release, manifest, deployment: id });
        }
        Ok(())
    }

    fn end(&mut self, at: At, id: DeploymentId, end: DeploymentEnd, why: &EndReason) -> Result<(), Missing> {
        let deployment = self.deployments.get(&id).cloned().ok_or("no such deployment")?;
        for (node, target) in deployment.graph.open() {
            self.drop_run(id, *node, *target);
            self.note_generation(*target, at.generation);
        }
        self.returned.remove(&id);
        // Its turn came, and nothing came of it. Nobody's turn came where somebody had it end.
        let is_ended = matches!(why, EndReason::Cancelled | EndReason::TenantDisabled);
        if deployment.state == DeploymentState::Queued && !is_ended {
            self.turn = Some((deployment.tenant,));
        }
        self.history.ended(at.generation.sequence, &deployment, end);
        let changed = self.deployment_mut(id)?;
        changed.graph.stop();
        changed.why = Some(why.clone());
        changed.ended = Some(at.time);
        // Nothing reads these any more, and a customer's values are kept no longer than they are needed.
        changed.frozen = None;
        changed.outputs = imbl::OrdMap::new();
        self.enter(id, DeploymentState::Ended(end))?;
        self.index_parts(&deployment, false);
        let exists = self.has_flow(deployment.tenant);
        self.finished.push(deployment.tenant, exists, id);
        self.forget_finished();
        Ok(())
    }

    /// Whether there is somebody whose the deployments of a flow are.
    pub(super) fn has_flow(&self, flow: Flow) -> bool {
        flow.is_none_or(|tenant| self.tenants.get(tenant).is_some())
    }

    /// Forgets the finished deployments that there is no more room for.
    pub(super) fn forget_finished(&mut self) {
        while let Some(id) = self.finished.pop() {
            if let Some(forgotten) = self.deployments.remove(&id) {
                self.forget_assignments(&forgotten);
            }
        }
    }

    /// Puts a deployment into a state, and its turn right.
    fn enter(&mut self, id: DeploymentId, state: DeploymentState) -> Result<(), Missing> {
        let deployment = self.deployment_mut(id)?;
        let before = std::mem::replace(&mut deployment.state, state);
        let deployment = self.deployments.get(&id).cloned().ok_or("no such deployment")?;
        self.index_state(Some(before), &deployment);
        Ok(())
    }

    fn settle(&mut self, id: DeploymentId, what: &Settled<'_>) -> Result<(), Missing> {
        let settled = self.deployment_mut(id)?.graph.settle(what);
        settled.map_err(|_| "what happened does not fit the deployment's graph")
    }

    fn step_of(&self, id: DeploymentId, node: usize) -> Result<Option<StepId>, Missing> {
        let node = self.deployments.get(&id).and_then(|deployment| deployment.graph.node(node));
        Ok(match node.ok_or("no such node in the deployment")?.plot.work {
            WorkKind::Run(step) => Some(step),
            WorkKind::Fetch => None,
        })
    }

    /// A newer generation of a target's work; one that was deleted has none.
    fn note_generation(&mut self, target: TargetId, generation: Generation) {
        if self.targets.get(target).is_some() {
            self.generations.insert(target, generation);
        }
    }

    fn drop_run(&mut self, id: DeploymentId, node: usize, target: TargetId) {
        let deployment = self.deployments.get(&id);
        let run = deployment.and_then(|deployment| {
            Some((deployment.graph.node(node)?.plot.work, deployment.graph.run(node, target)?.attempt))
        });
        if let Some((work, attempt)) = run {
            self.drop_work(target, assignment_id(id, target, work, attempt));
        }
    }

    /// Takes all that a target has to do for a deployment off its work.
    fn drop_all_work(&mut self, id: DeploymentId, target: TargetId) {
        let items = self.work_of(target).filter(|(_, item)| item.deployment == id);
        for assignment in items.map(|(assignment, _)| *assignment).collect::<Vec<_>>() {
            self.drop_work(target, assignment);
        }
    }

    /// What is handed out for open work is remembered; a journal may hold readings of work that was over by then.
    fn hand_out(&mut self, id: DeploymentId, target: TargetId, kind: WorkKind, digest: Digest) {
        let graph = self.deployments.get(&id).map(|deployment| &deployment.graph);
        let run = graph.and_then(|graph| graph.run(graph.place_of(kind)?, target));
        if let Some(run) = run.filter(|run| !matches!(run.state, RunState::Ended(_))) {
            let assignment = assignment_id(id, target, kind, run.attempt);
            self.handed_out.insert((target, assignment, digest));
        }
    }

    /// From here on the target may hold what is this deployment's tenant's.
    fn note_handed(&mut self, id: DeploymentId, target: TargetId) {
        if let Some(tenant) = self.deployments.get(&id).and_then(|deployment| deployment.tenant) {
            self.history.is_handed(target, tenant);
        }
    }

    fn deployment_mut(&mut self, id: DeploymentId) -> Result<&mut Deployment, Missing> {
        self.deployments.get_mut(&id).map(Arc::make_mut).ok_or("no such deployment")
    }
}
