//! What somebody sees of the record: for who is limited, what concerns their tenants alone (SEMANTICS 10).
//!
//! Event by event it is said who is concerned and what of it is told; what is not said here is told to nobody who is
//! limited, and a new event does not compile before it is said. What concerns others too (a shared thing's edit, a
//! machine's coming and going, what it pulled) is not told at all. One command may have done something for several
//! tenants: of its record the events are left that are theirs.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_protocol::ids::{DeploymentId, EnvironmentId, TargetId, TenantId};

use super::Sight;
use crate::event::{
    Actor, Definition, DefinitionEvent, DeploymentCreated, DeploymentEvent, DeploymentStarted, Event, Header,
    Observation, Record, ReleaseCreated, ReleaseEvent, TargetEvent, TenantPatch, ValuesPatch,
};
use crate::model::Subject;
use crate::state::Space;

/// What is left of records for who sees them.
pub struct SeenRecords<'a> {
    sight: &'a Sight,
    /// Deployments of tenants that are seen, by the record so far: it outlives what the space remembers.
    deployments: BTreeSet<DeploymentId>,
    /// Records that were told so far.
    told: u64,
}

impl<'a> SeenRecords<'a> {
    pub(super) const fn new(sight: &'a Sight) -> Self {
        Self { sight, deployments: BTreeSet::new(), told: 0 }
    }

    /// What is seen of the next record, if anything is. For who is limited it has a number of its own, from 1: the
    /// record's would tell how much others do.
    pub fn see(&mut self, record: Record) -> Option<Record> {
        if self.sight.is_whole() {
            return Some(record);
        }
        // The installation's and other spaces' things are not theirs.
        record.stream.space().filter(|space| *space == self.sight.space_id())?;
        let events: Vec<Event> = record.events.iter().filter_map(|event| self.event(event)).collect();
        if events.is_empty() {
            return None;
        }
        self.told += 1;
        let Record { number: _, stream, sequence: _, epoch, format, time, header, events: _ } = record;
        let header = self.header(header);
        let (number, sequence) = (self.told, self.told);
        Some(Record { number, stream, sequence, epoch, format, time, header, events })
    }

    /// From where others came is theirs, and what they wrote for their reason may be about anybody.
    fn header(&self, header: Header) -> Header {
        let Header { actor, origin, reason, cause: _, reads: _, answered: _ } = header;
        let own = actor == Actor::Token(self.sight.permit.token());
        let actor = match actor {
            // The token of a machine is its owner's; what came of it for deployments, the coordinator did.
            Actor::Enrolment(_) => Actor::Coordinator,
            Actor::Installer | Actor::Coordinator | Actor::Token(_) | Actor::Target(_) => actor,
        };
        Header {
            actor,
            origin: origin.filter(|_| own),
            reason: reason.filter(|_| own),
            cause: None,
            reads: Vec::new(),
            answered: None,
        }
    }

    fn event(&mut self, event: &Event) -> Option<Event> {
        match event {
            // Tokens and spaces are the installation's; who may enrol a machine is its owner's.
            Event::Installation(_) | Event::Enrolment(_) => None,
            Event::Definition(event) => self.definition(event).map(Event::from),
            Event::Target(event) => self.target(event).then(|| event.clone().into()),
            Event::Release(event) => self.release(event).map(Event::from),
            Event::Deployment(event) => self.deployment(event).map(Event::from),
            Event::Observation(event) => self.observation(event).then(|| event.clone().into()),
        }
    }

    fn space(&self) -> &'a Space {
        self.sight.space()
    }

    fn sees_tenant(&self, tenant: TenantId) -> bool {
        self.space().tenants.get(tenant).is_some()
    }

    fn sees_environment(&self, environment: EnvironmentId) -> bool {
        self.space().environments.get(environment).is_some()
    }

    fn definition(&self, event: &DefinitionEvent) -> Option<DefinitionEvent> {
        match event {
            DefinitionEvent::Defined { definition } => {
                let definition = match definition {
                    Definition::Tenant(patch) => Definition::Tenant(self.tenant(patch)?),
                    // They are everybody's.
                    Definition::Environment(_)
                    | Definition::TagSet(_)
                    | Definition::Lifecycle(_)
                    | Definition::LibrarySet(_)
                    | Definition::Project(_) => return None,
                };
                Some(DefinitionEvent::Defined { definition })
            }
            // A tenant that was deleted is seen by nobody who is limited.
            DefinitionEvent::Deleted { .. }
            | DefinitionEvent::CapsSet { .. }
            | DefinitionEvent::KeyDestroyed { .. } => None,
        }
    }

    /// What is new of a tenant that is seen, as far as it names what is seen.
    fn tenant(&self, patch: &TenantPatch) -> Option<TenantPatch> {
        let space = self.space();
        space.tenants.get(patch.id)?;
        let TenantPatch { id, slug, name, enabled, key: _, mut tags, mut projects, values } = patch.clone();
        if let Some(tags) = &mut tags {
            tags.retain(|tag| space.indexes.tag_names.contains_key(tag));
        }
        if let Some(projects) = &mut projects {
            projects.retain(|project, _| space.projects.get(*project).is_some());
            for environments in projects.values_mut() {
                environments.retain(|environment| self.sees_environment(*environment));
            }
        }
        let ValuesPatch { mut set, mut removed } = values;
        let asked = |id| {
            let of_projects = space.projects.iter().flat_map(|project| &project.templates);
            let of_sets = space.library_sets.iter().flat_map(|set| &set.templates);
            of_projects.chain(of_sets).any(|template| template.id == id)
        };
        let place =
            |environment: Option<EnvironmentId>| environment.is_none_or(|id| self.sees_environment(id));
        set.retain(|(template, environment, _)| asked(*template) && place(*environment));
        removed.retain(|(template, environment)| asked(*template) && place(*environment));
        let values = ValuesPatch { set, removed };
        let left = TenantPatch { id, slug, name, enabled, key: None, tags, projects, values };
        let nothing = TenantPatch {
            id,
            slug: None,
            name: None,
            enabled: None,
            key: None,
            tags: None,
            projects: None,
            values: ValuesPatch::default(),
        };
        (left != nothing).then_some(left)
    }

    /// What a target's view shows of it as well. All else is said of its other users too: that it was lost tells that it
    /// had work, what it was granted, for whom.
    fn target(&self, event: &TargetEvent) -> bool {
        let sees = |target: TargetId| {
            self.space().targets.get(target).is_some_and(|target| !target.is_only_remembered())
        };
        match event {
            TargetEvent::Enabled { target }
            | TargetEvent::Disabled { target }
            | TargetEvent::Revoked { target } => sees(*target),
            TargetEvent::Enrolled { .. }
            | TargetEvent::EnrolledAgain { .. }
            | TargetEvent::Renewed { .. }
            | TargetEvent::Advertised { .. }
            | TargetEvent::OverClaimed { .. }
            | TargetEvent::Granted { .. }
            | TargetEvent::Ahead { .. }
            | TargetEvent::Confirmed { .. }
            | TargetEvent::Deleted { .. }
            | TargetEvent::Lost { .. }
            | TargetEvent::Back { .. }
            | TargetEvent::CoordinatorBack => false,
        }
    }

    /// A release that is seen, with what is seen of it.
    fn release(&self, event: &ReleaseEvent) -> Option<ReleaseEvent> {
        match event {
            ReleaseEvent::PackageUploaded { .. } => None,
            ReleaseEvent::Created { release } => {
                let found = self.space().releases.get(&release.id)?;
                let release = ReleaseCreated {
                    id: found.id,
                    project: found.project,
                    version: found.version.clone(),
                    notes: found.notes.clone(),
                    snapshot: Arc::clone(&found.snapshot),
                    packages: found.packages.clone(),
                };
                Some(ReleaseEvent::Created { release })
            }
        }
    }

    fn deployment(&mut self, event: &DeploymentEvent) -> Option<DeploymentEvent> {
        let theirs = |deployment: &DeploymentId| self.deployments.contains(deployment).then(|| event.clone());
        match event {
            DeploymentEvent::Created { deployment } => self.created(deployment),
            DeploymentEvent::LeftOut { release, environment, tenant, rules: _ } => {
                let sees_release = self.space().releases.contains_key(release);
                let seen = self.sees_tenant(*tenant) && sees_release && self.sees_environment(*environment);
                seen.then(|| event.clone())
            }
            DeploymentEvent::Started(DeploymentStarted { deployment, nodes, roles: _ }) => {
                theirs(deployment)?;
                // What the machines are beside that is also said for others.
                let (deployment, nodes, roles) = (*deployment, nodes.clone(), Vec::new());
                Some(DeploymentEvent::Started(DeploymentStarted { deployment, nodes, roles }))
            }
            DeploymentEvent::Assigned { deployment, .. }
            | DeploymentEvent::RunStarted { deployment, .. }
            | DeploymentEvent::ScopeRemoved { deployment, .. }
            | DeploymentEvent::Ended { deployment, .. }
            | DeploymentEvent::VariablesRead { deployment, .. } => theirs(deployment),
            DeploymentEvent::RunEnded { deployment, node, work, target, end, outputs } => {
                theirs(deployment)?;
                let (deployment, node, work, target) = (*deployment, *node, *work, *target);
                let (end, outputs) = (end.without_traffic(), outputs.clone());
                Some(DeploymentEvent::RunEnded { deployment, node, work, target, end, outputs })
            }
            // That a machine was looked at again follows from what others changed, and that it pulled a package, or did not
            // have to, from what it holds of others: that all is there, the end of its fetching tells.
            DeploymentEvent::Reviewed { .. }
            | DeploymentEvent::PullBegun { .. }
            | DeploymentEvent::PackagePulled { .. } => None,
        }
    }

    /// A deployment of theirs, without targets that may be others'.
    fn created(&mut self, created: &DeploymentCreated) -> Option<DeploymentEvent> {
        created.tenant.filter(|tenant| self.sees_tenant(*tenant))?;
        self.deployments.insert(created.id);
        let DeploymentCreated {
            id,
            project,
            subject,
            environment,
            tenant,
            mut only_targets,
            mut excluded_targets,
            mut skipped_steps,
        } = created.clone();
        let space = self.space();
        let parts = space.deployments.get(&id).map(|found| &found.parts);
        let has_part = |target: &TargetId| parts.is_some_and(|parts| parts.contains_key(target));
        if let Some(targets) = &mut only_targets {
            targets.retain(has_part);
        }
        excluded_targets.retain(has_part);
        let Subject::Release(release) = subject;
        let steps = space.releases.get(&release).into_iter().flat_map(|release| &release.snapshot.steps);
        let steps: BTreeSet<_> = steps.map(|step| step.id).collect();
        skipped_steps.retain(|step| steps.contains(step));
        let deployment = DeploymentCreated {
            id,
            project,
            subject,
            environment,
            tenant,
            only_targets,
            excluded_targets,
            skipped_steps,
        };
        Some(DeploymentEvent::Created { deployment })
    }

    fn observation(&self, event: &Observation) -> bool {
        match event {
            // A plan for a tenant that is seen. What it was for beside that is in an event of its own.
            Observation::PlanNamed { release, tenant, digest: _ } => {
                self.sees_tenant(*tenant) && self.space().releases.contains_key(release)
            }
            // Variables; what a machine pulls again tells what it holds.
            Observation::ReadAgain { deployment, step, .. } => {
                step.is_some() && self.deployments.contains(deployment)
            }
            Observation::SnapshotTaken { .. }
            | Observation::PlanPrinted { .. }
            | Observation::StrangerRefused { .. }
            | Observation::TokenRefused { .. }
            | Observation::Denied { .. }
            | Observation::CloneSuspected { .. }
            | Observation::CloneSuspectedAgain { .. }
            | Observation::EnrolmentRefusedAgain { .. }
            | Observation::PullBroken { .. } => false,
        }
    }
}
