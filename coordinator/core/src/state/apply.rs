//! `apply`: how a record changes state. No decisions here: what an event says, happens.

use std::sync::Arc;

use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Generation;
use windlass_protocol::{Digest, Timestamp};

use super::definitions::Indexed;
use super::{Space, SpaceHead, State};
use crate::event::{
    Definition, DefinitionEvent, DefinitionId, EnrolmentEvent, Event, InstallationEvent, Record,
    ReleaseEvent, Stream, TargetEvent, TokenCreated,
};
use crate::model::{Ahead, ApiToken, Enrolment, Lifecycle, Package, Release, Target};

/// A record that does not fit the state before it: the journal is not this state's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {number} does not fit the state before it: {what}")]
pub struct DoesNotFit {
    pub number: u64,
    /// What is missing or too much.
    pub what: String,
}

/// What an event refers to and is not there.
pub(super) type Missing = &'static str;

/// Where an event stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The epoch, and the place of its record in its stream.
    pub(super) generation: Generation,
    /// Its place in that record.
    pub(super) place: u32,
    pub(super) time: Timestamp,
}

impl State {
    /// The state after `record`.
    pub fn apply(&mut self, record: &Record) -> Result<(), DoesNotFit> {
        let does_not_fit = |what: &str| DoesNotFit { number: record.number, what: what.to_owned() };
        if record.number != self.number + 1 {
            return Err(does_not_fit(&format!("the record before was {}", self.number)));
        }
        let before = self.sequence(record.stream);
        if record.sequence != before + 1 {
            return Err(does_not_fit(&format!("the record before in {} was {before}", record.stream)));
        }
        self.begin(record.stream, record.epoch, record.time);
        for (place, event) in record.events.iter().enumerate() {
            self.apply_event(record.stream, place, event).map_err(does_not_fit)?;
        }
        if let Some(answered) = &record.header.answered {
            self.requests.remember(record.time, answered);
        }
        Ok(())
    }

    /// Goes on to the next record: one of this stream.
    pub(crate) fn begin(&mut self, stream: Stream, epoch: u64, time: Timestamp) {
        self.reach_epoch(epoch);
        self.number += 1;
        self.streams.insert(stream, self.sequence(stream) + 1);
        self.time = time;
    }

    /// Begins an epoch, if it is later than this one: what was given in this one ends here. A record that was decided in
    /// an earlier one, beside the one that began this, is of this one.
    fn reach_epoch(&mut self, epoch: u64) {
        if epoch <= self.epoch {
            return;
        }
        let spaces: Vec<_> = self.spaces.keys().copied().collect();
        for id in spaces {
            let last = self.sequence(Stream::Space(id));
            if let Some(space) = self.spaces.get_mut(&id) {
                space.ended_epochs.insert(self.epoch, last);
            }
        }
        self.epoch = epoch;
    }

    /// The state after one event, at this place of a record that is being made or applied.
    pub(crate) fn apply_event(&mut self, stream: Stream, place: usize, event: &Event) -> Result<(), Missing> {
        let generation = Generation { epoch: self.epoch, sequence: self.sequence(stream) };
        let place = u32::try_from(place).map_err(|_| "a record with too many events")?;
        let at = At { generation, place, time: self.time };
        match (stream, event) {
            (Stream::Installation, Event::Installation(event)) => self.apply_to_installation(event),
            (Stream::Space(id), event) => {
                self.spaces.get_mut(&id).ok_or("no such space")?.apply_event(at, event)?;
                if let Event::Target(TargetEvent::Confirmed { epoch, .. }) = event {
                    self.reach_epoch(*epoch);
                }
                Ok(())
            }
            (Stream::Observations(_), Event::Observation(_)) => Ok(()),
            (Stream::Installation | Stream::Observations(_), _) => Err("an event of another stream"),
        }
    }

    fn apply_to_installation(&mut self, event: &InstallationEvent) -> Result<(), Missing> {
        match event {
            InstallationEvent::Initialised { authority, space, token } => {
                self.authority = Some(*authority);
                self.add_token(token);
                let (id, slug, name, key) = (space.id, space.slug.clone(), space.name.clone(), space.key);
                let mut first = Space::new(SpaceHead { id, slug, name, key });
                let (slug, name) = Lifecycle::default_names();
                first.lifecycles.put(Lifecycle { id: space.lifecycle, slug, name, phases: Vec::new() });
                self.spaces.insert(id, first);
            }
            InstallationEvent::TokenCreated { token } => self.add_token(token),
            InstallationEvent::TokenDeleted { token } => {
                self.tokens.remove(token).ok_or("no such token")?;
            }
        }
        Ok(())
    }

    fn add_token(&mut self, made: &TokenCreated) {
        let TokenCreated { id, name, secret, role, expires, limit, made_by } = made.clone();
        self.tokens.insert(id, ApiToken { id, name, secret, role, expires, limit, made_by });
    }
}

impl Space {
    fn apply_event(&mut self, at: At, event: &Event) -> Result<(), Missing> {
        match event {
            Event::Definition(event) => self.apply_definition(event),
            Event::Enrolment(event) => self.apply_to_enrolment(event),
            Event::Target(event) => self.apply_to_target(at, event),
            Event::Release(event) => {
                self.apply_release(at, event);
                Ok(())
            }
            Event::Deployment(event) => self.apply_to_deployment(at, event),
            Event::Installation(_) | Event::Observation(_) => Err("an event of another stream"),
        }
    }

    fn apply_to_enrolment(&mut self, event: &EnrolmentEvent) -> Result<(), Missing> {
        match event {
            EnrolmentEvent::Created { enrolment } => {
                let made = enrolment.clone();
                let token = Enrolment {
                    id: made.id,
                    secret: made.secret,
                    uses: made.uses,
                    used_by: Vec::new(),
                    expires: made.expires,
                    granted: made.granted,
                    name: made.name,
                    target: made.target,
                    made_by: made.made_by,
                    refused: std::collections::BTreeSet::new(),
                };
                self.enrolments.insert(token.id, Arc::new(token));
            }
            EnrolmentEvent::Deleted { enrolment } | EnrolmentEvent::Forgotten { enrolment } => {
                self.enrolments.remove(enrolment).ok_or("no such enrolment token")?;
            }
            EnrolmentEvent::Refused { enrolment, rule } => {
                let token = self.enrolments.get_mut(enrolment).ok_or("no such enrolment token")?;
                Arc::make_mut(token).refused.insert(*rule);
            }
        }
        Ok(())
    }

    fn apply_to_target(&mut self, at: At, event: &TargetEvent) -> Result<(), Missing> {
        match event {
            TargetEvent::Enrolled { enrolment, target } => {
                let token = self.enrolments.get_mut(enrolment).ok_or("no such enrolment token")?;
                Arc::make_mut(token).used_by.push((target.id, target.key.public_key));
                self.put_target(Target::enrolled(target.clone()));
                self.generations.insert(target.id, at.generation);
            }
            TargetEvent::EnrolledAgain { enrolment, target, key } => {
                let token = self.enrolments.get_mut(enrolment).ok_or("no such enrolment token")?;
                Arc::make_mut(token).used_by.push((*target, key.public_key));
                // Another key is another machine, as far as anybody can know: what the old one holds does not count.
                if self.targets.get(*target).is_some_and(|known| known.key.public_key != key.public_key) {
                    self.forget_pulls(*target);
                    self.forget_handed_out(*target, None);
                    self.history.holds_nothing(*target);
                    self.replace_machine(*target);
                }
                self.change_target(*target, |target| {
                    target.key = key.clone();
                    target.revoked = false;
                    target.ahead = None;
                })?;
            }
            TargetEvent::Renewed { target, expires } => {
                self.change_target(*target, |target| target.key.certificate_expires = *expires)?;
            }
            TargetEvent::Advertised { target, advertised } => {
                self.change_target(*target, |target| target.advertised = advertised.clone())?;
                self.unsettle_target(*target);
            }
            TargetEvent::OverClaimed { target, claims } => {
                self.change_target(*target, |target| target.told_claims.extend(claims.iter().cloned()))?;
            }
            TargetEvent::Granted { target, granted } => {
                self.change_target(*target, |target| target.granted = granted.clone())?;
                self.unsettle_target(*target);
            }
            TargetEvent::Enabled { target } => self.change_target(*target, |target| target.enabled = true)?,
            TargetEvent::Disabled { target } => {
                self.change_target(*target, |target| target.enabled = false)?;
                self.unsettle_target(*target);
            }
            TargetEvent::Revoked { target } => {
                self.change_target(*target, |target| target.revoked = true)?;
                self.unsettle_target(*target);
            }
            TargetEvent::Ahead { target, generation } => {
                let ahead = Ahead { generation: *generation, confirmed: false };
                self.change_target(*target, |target| target.ahead = Some(ahead))?;
            }
            TargetEvent::Confirmed { target, generation, epoch } => {
                let ahead = Ahead { generation: *generation, confirmed: true };
                self.change_target(*target, |target| target.ahead = Some(ahead))?;
                // News to the agent: it asks what of its work still stands.
                self.generations.insert(*target, Generation { epoch: *epoch, ..at.generation });
            }
            TargetEvent::Deleted { target, .. } => self.delete_target(*target)?,
            TargetEvent::Lost { target } => self.see(*target, Some(at.time)),
            TargetEvent::Back { target } => self.see(*target, None),
            TargetEvent::CoordinatorBack => self.coordinator_is_back(at.time),
        }
        Ok(())
    }

    /// The coordinator was away until now: all work is given up at another time.
    fn coordinator_is_back(&mut self, at: Timestamp) {
        self.served_since = Some(at);
        for (target, items) in self.indexes.work.clone() {
            for item in items.values() {
                self.index_work(item.deployment, item.node, target);
            }
        }
    }

    /// A target was lost, or is back: its work is given up at another time.
    fn see(&mut self, target: TargetId, lost: Option<Timestamp>) {
        let (was, is) = (self.lost.contains_key(&target), lost.is_some());
        match lost {
            Some(since) => drop(self.lost.insert(target, since)),
            None => drop(self.lost.remove(&target)),
        }
        let items: Vec<_> = self.work_of(target).map(|(_, item)| (item.deployment, item.node)).collect();
        for (deployment, node) in items {
            self.index_work(deployment, node, target);
            match (was, is) {
                (false, true) => self.reach(deployment, -1),
                (true, false) => {
                    if !self.indexes.within_reach.contains_key(&deployment) {
                        self.returned.insert(deployment);
                    }
                    self.reach(deployment, 1);
                }
                _ => {}
            }
        }
    }

    fn apply_release(&mut self, at: At, event: &ReleaseEvent) {
        match event {
            ReleaseEvent::PackageUploaded { package } => {
                let made = package.clone();
                let package = Package {
                    key: made.key,
                    manifest: made.manifest,
                    original: made.original,
                    format: made.format,
                    size: made.size,
                    files: made.files,
                    uploaded: at.time,
                };
                self.packages.insert(package.key.clone(), Arc::new(package));
            }
            ReleaseEvent::Created { release } => {
                let made = release.clone();
                self.indexes.releases.insert((made.project, made.version.clone()), made.id);
                let release = Release {
                    id: made.id,
                    project: made.project,
                    version: made.version,
                    created: at.time,
                    notes: made.notes,
                    snapshot: made.snapshot,
                    packages: made.packages,
                };
                self.releases.insert(release.id, Arc::new(release));
            }
        }
    }

    fn apply_definition(&mut self, event: &DefinitionEvent) -> Result<(), Missing> {
        match event {
            DefinitionEvent::Defined { definition } => self.define(definition),
            DefinitionEvent::Deleted { definition, .. } => self.delete(*definition),
            DefinitionEvent::CapsSet { caps } => {
                self.set_caps(*caps);
                Ok(())
            }
            DefinitionEvent::KeyDestroyed { key, .. } => {
                self.destroyed_keys.insert(*key);
                Ok(())
            }
        }
    }

    /// Puts a thing in the place of what is there, and all that is computed from it right.
    fn put<T: Indexed>(
        &mut self,
        id: T::Id,
        after: impl FnOnce(Option<&T>) -> Option<T>,
    ) -> Result<(), Missing> {
        let before = T::of(self).share(id);
        let after = after(before.as_deref()).ok_or("a part of something that is not there")?;
        after.reindex(self, before.as_deref());
        T::of_mut(self).put(after);
        Ok(())
    }

    fn remove<T: Indexed>(&mut self, id: T::Id) -> Result<(), Missing> {
        let gone = T::of_mut(self).remove(id).ok_or("no such thing to delete")?;
        gone.forget(self);
        Ok(())
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
        self.unsettle_target(id);
        self.forget_pulls(id);
        self.forget_handed_out(id, None);
        self.history.holds_nothing(id);
        self.see(id, None);
        self.generations.remove(&id);
        Ok(())
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

macro_rules! definitions {
    ($($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        impl Space {
            fn define(&mut self, definition: &Definition) -> Result<(), Missing> {
                match definition {
                    $(Definition::$kind(patch) => self.put(patch.id, |before| patch.onto(before)),)+
                }
            }

            fn delete(&mut self, id: DefinitionId) -> Result<(), Missing> {
                match id {
                    $(DefinitionId::$kind(id) => self.remove::<crate::model::$kind>(id),)+
                }
            }
        }
    };
}
for_each_kind!(definitions);
