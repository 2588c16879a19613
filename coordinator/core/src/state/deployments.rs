//! How events change deployments, and the work and lanes that follow from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::Generation;

use super::Space;
use super::apply::Missing;
use super::indexes::{Lane, WorkItem, WorkKind};
use crate::event::Event;
use crate::model::{Deployment, DeploymentEnd, DeploymentState, FetchState, RunState, Stage, TargetWork};

/// Finished deployments that stay in memory to be looked at. Older ones are in the journal alone.
const FINISHED_IN_MEMORY: usize = 10_000;

impl Deployment {
    /// What may run once at a time.
    pub fn lane(&self) -> Lane {
        (self.project, self.environment, self.tenant)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.state, DeploymentState::Ended(_))
    }
}

impl Space {
    pub(super) fn apply_to_deployment(
        &mut self,
        generation: Generation,
        event: &Event,
    ) -> Result<(), Missing> {
        match event {
            Event::DeploymentCreated { deployment } => {
                self.indexes.lanes.entry(deployment.lane()).or_default().push_back(deployment.id);
                self.deployments.insert(deployment.id, Arc::new(deployment.clone()));
            }
            Event::DeploymentStarted { .. } => self.start(generation, event)?,
            Event::StepStarted { deployment, index, expires } => {
                self.start_step(generation, *deployment, *index, *expires)?;
            }
            Event::Fetched { deployment, target, moved, saved } => {
                self.end_fetch(*deployment, *target, FetchState::Done { moved: *moved, saved: *saved })?;
            }
            Event::FetchFailed { deployment, target, reason } => {
                self.end_fetch(*deployment, *target, FetchState::Failed(reason.clone()))?;
            }
            Event::RunStarted { deployment, step, target, deadline } => {
                let kind = WorkKind::Run(*step);
                let id = super::assignment_id(*deployment, *target, kind);
                let item = *self.work_item(*target, id).ok_or("no such assignment")?;
                self.add_work(*target, WorkItem { deadline: *deadline, started: true, ..item });
                let state = RunState::Started {
                    generation: item.generation,
                    expires: item.expires,
                    deadline: *deadline,
                };
                self.change_work(*deployment, *target, |work| work.runs.insert(*step, state))?;
            }
            Event::RunEnded { deployment, step, target, outcome, lines, outputs } => {
                self.drop_work(*target, *deployment, WorkKind::Run(*step));
                let state = RunState::Ended { outcome: outcome.clone(), lines: *lines };
                self.change_work(*deployment, *target, |work| work.runs.insert(*step, state))?;
                let changed = self.deployment_mut(*deployment)?;
                for (name, value) in outputs {
                    changed.outputs.insert((*step, *target, name.clone()), value.clone());
                }
                changed.pending.remove(target);
            }
            Event::ScopeRemoved { deployment, target, reason } => {
                self.change_work(*deployment, *target, |work| {
                    work.removed = Some(reason.clone());
                    // What is no longer its work must not come back as such from a snapshot.
                    if let FetchState::Assigned { .. } = work.fetch {
                        work.fetch = FetchState::Failed(reason.clone());
                    }
                })?;
                let runs = self.drop_all_work(*deployment, *target)?;
                self.generations.insert(*target, generation);
                let changed = self.deployment_mut(*deployment)?;
                changed.pending.remove(target);
                for step in runs {
                    let work = changed.work.get_mut(target).ok_or("no such target in the deployment")?;
                    let outcome = windlass_protocol::message::Outcome::Stopped;
                    work.runs.insert(step, RunState::Ended { outcome, lines: 0 });
                }
            }
            Event::DeploymentEnded { deployment, end, reason } => {
                self.end(generation, *deployment, *end, reason)?;
            }
            _ => return Err("not an event of a deployment"),
        }
        Ok(())
    }

    fn start(&mut self, generation: Generation, event: &Event) -> Result<(), Missing> {
        let Event::DeploymentStarted { deployment: id, steps, roles, fetch, expires } = event else {
            return Err("not the start of a deployment");
        };
        let tenant = self.deployments.get(id).ok_or("no such deployment")?.tenant;
        let tenant_values = match tenant {
            Some(tenant) => self.tenants.get(tenant).ok_or("no such tenant")?.values.clone(),
            None => imbl::OrdMap::new(),
        };
        let deployment = self.deployment_mut(*id)?;
        deployment.tenant_values = tenant_values;
        deployment.steps.clone_from(steps);
        deployment.state = DeploymentState::Running(Stage::Fetching);
        for (roles, targets) in roles {
            let roles = Arc::new(roles.clone());
            for target in targets {
                let fetch = if fetch.contains(target) {
                    FetchState::Assigned { generation, expires: *expires }
                } else {
                    FetchState::NotNeeded
                };
                let work =
                    TargetWork { roles: Arc::clone(&roles), removed: None, fetch, runs: BTreeMap::new() };
                deployment.work.insert(*target, work);
            }
        }
        deployment.pending = fetch.iter().copied().collect();
        self.indexes.running.insert((tenant, *id));
        for target in fetch {
            let kind = WorkKind::Fetch;
            let item = WorkItem {
                deployment: *id,
                kind,
                generation,
                expires: *expires,
                deadline: *expires,
                started: false,
            };
            self.remember_assignment(*id, *target, kind);
            self.add_work(*target, item);
            self.generations.insert(*target, generation);
        }
        Ok(())
    }

    fn start_step(
        &mut self,
        generation: Generation,
        id: DeploymentId,
        index: usize,
        expires: windlass_protocol::Timestamp,
    ) -> Result<(), Missing> {
        let deployment = self.deployment_mut(id)?;
        let step = deployment.steps.get(index).ok_or("no such step in the deployment")?.clone();
        deployment.state = DeploymentState::Running(Stage::Step(index));
        let mut assigned = imbl::OrdSet::new();
        for target in &step.targets {
            let work = deployment.work.get_mut(target).ok_or("no such target in the deployment")?;
            if work.removed.is_none() {
                work.runs.insert(step.step, RunState::Assigned { generation, expires });
                assigned.insert(*target);
            }
        }
        deployment.pending = assigned.clone();
        for target in assigned {
            let kind = WorkKind::Run(step.step);
            let item =
                WorkItem { deployment: id, kind, generation, expires, deadline: expires, started: false };
            self.remember_assignment(id, target, kind);
            self.add_work(target, item);
            self.generations.insert(target, generation);
        }
        Ok(())
    }

    fn end_fetch(&mut self, id: DeploymentId, target: TargetId, state: FetchState) -> Result<(), Missing> {
        self.drop_work(target, id, WorkKind::Fetch);
        self.change_work(id, target, |work| work.fetch = state)?;
        self.deployment_mut(id)?.pending.remove(&target);
        Ok(())
    }

    fn end(
        &mut self,
        generation: Generation,
        id: DeploymentId,
        end: DeploymentEnd,
        reason: &str,
    ) -> Result<(), Missing> {
        let deployment = self.deployments.get(&id).ok_or("no such deployment")?.clone();
        for target in deployment.work.keys() {
            let before = self.indexes.work.get(target).map_or(0, imbl::OrdMap::len);
            self.drop_all_work(id, *target)?;
            if self.indexes.work.get(target).map_or(0, imbl::OrdMap::len) != before {
                self.generations.insert(*target, generation);
            }
        }
        self.indexes.running.remove(&(deployment.tenant, id));
        if let Some(lane) = self.indexes.lanes.get_mut(&deployment.lane()) {
            lane.retain(|waiting| *waiting != id);
            if lane.is_empty() {
                self.indexes.lanes.remove(&deployment.lane());
            }
        }
        if end == DeploymentEnd::Succeeded {
            self.successes.insert((deployment.release, deployment.environment, deployment.tenant));
        }
        let changed = self.deployment_mut(id)?;
        changed.state = DeploymentState::Ended(end);
        changed.reason = Some(reason.to_owned());
        changed.pending = imbl::OrdSet::new();
        // Nothing reads these any more, and a customer's values are kept no longer than they are needed.
        changed.tenant_values = imbl::OrdMap::new();
        changed.outputs = imbl::OrdMap::new();
        self.finished.push_back(id);
        if self.finished.len() > FINISHED_IN_MEMORY
            && let Some(oldest) = self.finished.pop_front()
            && let Some(forgotten) = self.deployments.remove(&oldest)
        {
            self.forget_assignments(&forgotten);
        }
        Ok(())
    }

    /// Takes all that a target has to do for a deployment off its work, and says which steps were on it.
    fn drop_all_work(&mut self, id: DeploymentId, target: TargetId) -> Result<Vec<StepId>, Missing> {
        let items: Vec<_> = self
            .work_of(target)
            .filter(|(_, item)| item.deployment == id)
            .map(|(_, item)| item.kind)
            .collect();
        for kind in &items {
            self.drop_work(target, id, *kind);
        }
        let steps = items.into_iter().filter_map(|kind| match kind {
            WorkKind::Run(step) => Some(step),
            WorkKind::Fetch => None,
        });
        Ok(steps.collect())
    }

    fn deployment_mut(&mut self, id: DeploymentId) -> Result<&mut Deployment, Missing> {
        self.deployments.get_mut(&id).map(Arc::make_mut).ok_or("no such deployment")
    }

    fn change_work<T>(
        &mut self,
        id: DeploymentId,
        target: TargetId,
        change: impl FnOnce(&mut TargetWork) -> T,
    ) -> Result<T, Missing> {
        let work =
            self.deployment_mut(id)?.work.get_mut(&target).ok_or("no such target in the deployment")?;
        Ok(change(work))
    }
}
