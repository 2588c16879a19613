//! Which assignments there were, and what was handed out for those that are open.
//!
//! Agents name assignments by id. Whether an id is theirs must cost the same whether it is, was, or never existed, so
//! it is a look-up and never a search.

use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};

use super::indexes::Assigned;
use super::space::Space;
use crate::model::Deployment;

impl Space {
    /// What an assignment of this target is or was for, as long as its deployment is remembered. Another target's is
    /// like one that does not exist.
    pub fn assigned(&self, target: TargetId, assignment: AssignmentId) -> Option<&Assigned> {
        self.indexes.assignments.get(&assignment).filter(|assigned| assigned.target == target)
    }

    /// The manifest of the package that a step of a deployment deploys, if it is one that does.
    pub fn package_of(&self, deployment: DeploymentId, step: StepId) -> Option<Digest> {
        let release = self.releases.get(&self.deployments.get(&deployment)?.release())?;
        release.packages.get(&step).map(|package| package.manifest)
    }

    /// Whether this was handed out before for work of the target that is still open: variables by their digest, a
    /// package by its manifest's.
    pub fn was_handed_out(&self, target: TargetId, assignment: AssignmentId, digest: Digest) -> bool {
        self.handed_out.contains(&(target, assignment, digest))
    }

    /// Remembers whose the newest run of a node is.
    pub(super) fn remember_run(&mut self, id: DeploymentId, node: usize, target: TargetId) {
        let graph = self.deployments.get(&id).map(|deployment| &deployment.graph);
        let run =
            graph.and_then(|graph| Some((graph.node(node)?.plot.work, graph.run(node, target)?.attempt)));
        let Some((kind, attempt)) = run else { return };
        self.remember(Assigned { deployment: id, target, kind, node, attempt });
    }

    fn remember(&mut self, assigned: Assigned) {
        self.indexes.assignments.insert(assigned.id(), assigned);
    }

    /// Remembers every assignment that a deployment made.
    pub(super) fn remember_assignments(&mut self, deployment: &Deployment) {
        for assigned in assignments_of(deployment) {
            self.remember(assigned);
        }
    }

    /// Forgets the assignments of a deployment that is forgotten.
    pub(super) fn forget_assignments(&mut self, deployment: &Deployment) {
        for assigned in assignments_of(deployment) {
            self.indexes.assignments.remove(&assigned.id());
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

/// Every assignment that a deployment made so far, those of earlier attempts too.
fn assignments_of(deployment: &Deployment) -> impl Iterator<Item = Assigned> + '_ {
    deployment.graph.runs().flat_map(move |(node, target, run)| {
        let kind = deployment.graph.node(node).map(|node| node.plot.work);
        let of = move |attempt, kind| Assigned { deployment: deployment.id, target, kind, node, attempt };
        kind.into_iter().flat_map(move |kind| (1..=run.attempt).map(move |attempt| of(attempt, kind)))
    })
}
