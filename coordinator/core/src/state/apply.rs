//! `apply`: how a record changes state. No decisions here: what an event says, happens.

use std::sync::Arc;

use windlass_protocol::Digest;
use windlass_protocol::ids::{DeploymentId, SpaceId, TargetId};
use windlass_protocol::message::Generation;

use super::{Space, State, WorkKind, assignment_id};
use crate::event::{Definition, DefinitionId, Event, Record, Stream};
use crate::model::Target;

/// A record that does not fit the state before it: the journal is not this state's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} does not fit the state before it: {what}")]
pub struct DoesNotFit {
    /// The record's number.
    pub sequence: u64,
    /// What is missing or too much.
    pub what: String,
}

/// What an event refers to and is not there.
pub(super) type Missing = &'static str;

impl State {
    /// The state after `record`.
    pub fn apply(&mut self, record: &Record) -> Result<(), DoesNotFit> {
        let does_not_fit = |what: &str| DoesNotFit { sequence: record.sequence, what: what.to_owned() };
        if record.sequence != self.sequence + 1 {
            return Err(does_not_fit(&format!("the record before was {}", self.sequence)));
        }
        self.sequence = record.sequence;
        self.epoch = record.epoch;
        self.time = record.time;
        for event in &record.events {
            self.apply_event(record.stream, event).map_err(does_not_fit)?;
        }
        Ok(())
    }

    /// The state after one event of a record that is being made or applied.
    pub fn apply_event(&mut self, stream: Stream, event: &Event) -> Result<(), Missing> {
        let generation = Generation { epoch: self.epoch, sequence: self.sequence };
        match event {
            Event::Initialised { authority, space, lifecycle, token } => {
                self.authority = Some(*authority);
                self.tokens.insert(token.id, token.clone());
                let mut first = Space::new(space.clone());
                first.lifecycles.put(lifecycle.clone());
                self.spaces.insert(space.id, first);
            }
            Event::SnapshotTaken { .. } => {}
            Event::TokenCreated { token } => {
                self.tokens.insert(token.id, token.clone());
            }
            Event::TokenDeleted { token } => {
                self.tokens.remove(token).ok_or("no such token")?;
            }
            _ => {
                let Stream::Space(id) = stream else { return Err("an event of a space in another stream") };
                self.space_mut(id)?.apply_event(generation, event)?;
            }
        }
        Ok(())
    }

    fn space_mut(&mut self, id: SpaceId) -> Result<&mut Space, Missing> {
        self.spaces.get_mut(&id).ok_or("no such space")
    }
}

impl Space {
    fn apply_event(&mut self, generation: Generation, event: &Event) -> Result<(), Missing> {
        match event {
            Event::Defined { definition } => self.define(definition),
            Event::Deleted { definition, .. } => self.delete(*definition)?,
            Event::EnrolmentCreated { enrolment } => {
                self.enrolments.insert(enrolment.id, Arc::new(enrolment.clone()));
            }
            Event::KeyDestroyed { key, .. } => {
                self.destroyed_keys.insert(*key);
            }
            Event::EnrolmentDeleted { enrolment } | Event::EnrolmentForgotten { enrolment } => {
                self.enrolments.remove(enrolment).ok_or("no such enrolment token")?;
            }
            Event::TargetEnrolled { enrolment, target } => {
                let token = self.enrolments.get_mut(enrolment).ok_or("no such enrolment token")?;
                Arc::make_mut(token).used_by.push((target.id, target.key.public_key));
                self.put_target(target.clone());
                self.generations.insert(target.id, generation);
            }
            Event::TargetEnrolledAgain { enrolment, target, key } => {
                let token = self.enrolments.get_mut(enrolment).ok_or("no such enrolment token")?;
                Arc::make_mut(token).used_by.push((*target, key.public_key));
                // Another key is another machine, as far as anybody can know: what the old one holds does not count.
                self.forget_pulls(*target);
                self.forget_handed_out(*target, None);
                self.change_target(*target, |target| {
                    target.key = key.clone();
                    target.revoked = false;
                })?;
            }
            Event::CertificateRenewed { target, expires } => {
                self.change_target(*target, |target| target.key.certificate_expires = *expires)?;
            }
            Event::TargetAdvertised { target, advertised } => {
                self.change_target(*target, |target| target.advertised = advertised.clone())?;
            }
            Event::OverClaimed { target, claims } => {
                self.change_target(*target, |target| {
                    target.told_claims.extend(claims.iter().cloned());
                    target.advertised.over_claims.extend(claims.iter().cloned());
                })?;
            }
            Event::TargetGranted { target, granted } => {
                self.change_target(*target, |target| target.granted = granted.clone())?;
            }
            Event::TargetEnabled { target } => self.change_target(*target, |target| target.enabled = true)?,
            Event::TargetDisabled { target } => {
                self.change_target(*target, |target| target.enabled = false)?
            }
            Event::TargetRevoked { target } => self.change_target(*target, |target| target.revoked = true)?,
            Event::TargetDeleted { target, .. } => self.delete_target(*target)?,
            Event::PackageUploaded { package } => {
                self.packages.insert(package.key.clone(), Arc::new(package.clone()));
            }
            Event::ReleaseCreated { release } => {
                self.indexes.releases.insert((release.project, release.version.clone()), release.id);
                self.releases.insert(release.id, Arc::new(release.clone()));
            }
            Event::PackagePulled { deployment, step, target, manifest, .. } => {
                self.pulled.insert((*target, *manifest));
                let kind = step.map_or(WorkKind::Fetch, WorkKind::Run);
                self.hand_out(*deployment, *target, kind, *manifest);
            }
            Event::VariablesRead { deployment, step, target, digest, .. } => {
                self.hand_out(*deployment, *target, WorkKind::Run(*step), *digest);
            }
            Event::EnrolmentRefused { enrolment, reason } => {
                if let Some(token) = self.enrolments.get_mut(enrolment) {
                    Arc::make_mut(token).refused.insert(reason.clone());
                }
            }
            // What these tell is for the record alone.
            Event::EnrolmentRefusedAgain { .. }
            | Event::CloneSuspected { .. }
            | Event::CloneSuspectedAgain { .. }
            | Event::ReadAgain { .. }
            | Event::PullBroken { .. }
            | Event::Denied { .. } => {}
            Event::Initialised { .. }
            | Event::SnapshotTaken { .. }
            | Event::TokenCreated { .. }
            | Event::TokenDeleted { .. } => {
                return Err("an event of the installation in a space");
            }
            Event::DeploymentCreated { .. }
            | Event::DeploymentStarted { .. }
            | Event::StepStarted { .. }
            | Event::Fetched { .. }
            | Event::FetchFailed { .. }
            | Event::RunStarted { .. }
            | Event::RunEnded { .. }
            | Event::ScopeRemoved { .. }
            | Event::DeploymentEnded { .. } => self.apply_to_deployment(generation, event)?,
        }
        Ok(())
    }

    fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Environment(environment) => self.environments.put(environment.clone()),
            Definition::TagSet(tag_set) => {
                let before = self.tag_sets.share(tag_set.id);
                self.reindex_tags(before.as_deref(), Some(tag_set));
                self.tag_sets.put(tag_set.clone());
            }
            Definition::Lifecycle(lifecycle) => self.lifecycles.put(lifecycle.clone()),
            Definition::LibrarySet(set) => self.library_sets.put(set.clone()),
            Definition::Project(project) => self.projects.put(project.clone()),
            Definition::Tenant(tenant) => {
                let before = self.tenants.share(tenant.id);
                self.reindex_tenant(before.as_deref(), Some(tenant));
                self.tenants.put(tenant.clone());
            }
        }
    }

    fn delete(&mut self, id: DefinitionId) -> Result<(), Missing> {
        let gone = match id {
            DefinitionId::Environment(id) => self.environments.remove(id).is_some(),
            DefinitionId::TagSet(id) => {
                let gone = self.tag_sets.remove(id);
                self.reindex_tags(gone.as_deref(), None);
                gone.is_some()
            }
            DefinitionId::Lifecycle(id) => self.lifecycles.remove(id).is_some(),
            DefinitionId::LibrarySet(id) => self.library_sets.remove(id).is_some(),
            DefinitionId::Project(id) => self.projects.remove(id).is_some(),
            DefinitionId::Tenant(id) => {
                let gone = self.tenants.remove(id);
                self.reindex_tenant(gone.as_deref(), None);
                gone.is_some()
            }
        };
        gone.then_some(()).ok_or("no such thing to delete")
    }

    fn put_target(&mut self, target: Target) {
        let before = self.targets.share(target.id);
        self.reindex_target(before.as_deref(), Some(&target));
        self.targets.put(target);
    }

    fn change_target(&mut self, id: TargetId, change: impl FnOnce(&mut Target)) -> Result<(), Missing> {
        let mut target = self.targets.get(id).ok_or("no such target")?.clone();
        change(&mut target);
        self.put_target(target);
        Ok(())
    }

    fn delete_target(&mut self, id: TargetId) -> Result<(), Missing> {
        let before = self.targets.remove(id).ok_or("no such target")?;
        self.reindex_target(Some(&before), None);
        self.forget_pulls(id);
        self.forget_handed_out(id, None);
        self.generations.remove(&id);
        Ok(())
    }

    /// What is handed out for open work is remembered; a journal may hold readings of work that was over by then.
    fn hand_out(&mut self, deployment: DeploymentId, target: TargetId, kind: WorkKind, digest: Digest) {
        let assignment = assignment_id(deployment, target, kind);
        if self.work_item(target, assignment).is_some() {
            self.handed_out.insert((target, assignment, digest));
        }
    }

    fn forget_pulls(&mut self, id: TargetId) {
        let lowest = Digest::from_bytes([0; 32]);
        let pulled: Vec<_> =
            self.pulled.range((id, lowest)..).take_while(|(of, _)| *of == id).copied().collect();
        for pull in pulled {
            self.pulled.remove(&pull);
        }
    }
}
