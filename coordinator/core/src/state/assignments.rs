//! Which assignments there were, and what was handed out for those that are open.
//!
//! Agents name assignments by id. Whether an id is theirs must cost the same whether it is, was, or never existed, so
//! it is a look-up and never a search.

use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};

use super::indexes::{WorkKind, assignment_id};
use super::space::Space;
use crate::model::{Deployment, FetchState};

/// What an assignment is for. One entry for each assignment of a deployment that is remembered, 100 bytes by measure:
/// less than the deployment itself holds about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Whose it is.
    pub target: TargetId,
    /// What is to be done.
    pub kind: WorkKind,
}

impl Space {
    /// What an assignment of this target is or was for, as long as its deployment is remembered. Another target's is
    /// like one that does not exist.
    pub fn assigned(&self, target: TargetId, assignment: AssignmentId) -> Option<&Assigned> {
        self.indexes.assignments.get(&assignment).filter(|assigned| assigned.target == target)
    }

    /// The manifest of the package that a step of a deployment deploys, if it is one that does.
    pub fn package_of(&self, deployment: DeploymentId, step: StepId) -> Option<Digest> {
        let release = self.releases.get(&self.deployments.get(&deployment)?.release)?;
        release.packages.get(&step).map(|package| package.manifest)
    }

    /// Whether this was handed out before for work of the target that is still open: variables by their digest, a
    /// package by its manifest's.
    pub fn was_handed_out(&self, target: TargetId, assignment: AssignmentId, digest: Digest) -> bool {
        self.handed_out.contains(&(target, assignment, digest))
    }

    /// Remembers whose an assignment is.
    pub(super) fn remember_assignment(&mut self, deployment: DeploymentId, target: TargetId, kind: WorkKind) {
        let id = assignment_id(deployment, target, kind);
        self.indexes.assignments.insert(id, Assigned { deployment, target, kind });
    }

    /// Remembers every assignment that a deployment made.
    pub(super) fn remember_assignments(&mut self, deployment: &Deployment) {
        for (target, kind) in assignments_of(deployment) {
            self.remember_assignment(deployment.id, target, kind);
        }
    }

    /// Forgets the assignments of a deployment that is forgotten.
    pub(super) fn forget_assignments(&mut self, deployment: &Deployment) {
        for (target, kind) in assignments_of(deployment) {
            self.indexes.assignments.remove(&assignment_id(deployment.id, target, kind));
        }
    }

    /// Forgets what was handed out for an assignment, or for all of a target: nobody can ask for it again, or it is
    /// another machine that asks.
    pub(super) fn forget_handed_out(&mut self, target: TargetId, assignment: Option<AssignmentId>) {
        let lowest = Digest::from_bytes([0; 32]);
        let from = (target, assignment.unwrap_or(AssignmentId::from_bytes([0; 16])), lowest);
        let about = |(of, named, _): &&(TargetId, AssignmentId, Digest)| {
            *of == target && assignment.is_none_or(|wanted| *named == wanted)
        };
        let gone: Vec<_> = self.handed_out.range(from..).take_while(about).copied().collect();
        for one in gone {
            self.handed_out.remove(&one);
        }
    }
}

/// Every assignment that a deployment made so far: a target that had nothing to fetch was never told to.
fn assignments_of(deployment: &Deployment) -> impl Iterator<Item = (TargetId, WorkKind)> + '_ {
    deployment.work.iter().flat_map(|(target, work)| {
        let fetch = (work.fetch != FetchState::NotNeeded).then_some(WorkKind::Fetch);
        let runs = work.runs.keys().map(|step| WorkKind::Run(*step));
        fetch.into_iter().chain(runs).map(|kind| (*target, kind))
    })
}
