//! What an agent may get and tell: a permit for each kind of request.

use std::collections::BTreeSet;

use windlass_protocol::Timestamp;
use windlass_protocol::digest::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, SpaceId, StepId, TargetId, TenantId};
use windlass_protocol::message::{PullRequest, Report, Request};

use super::{Denied, Peer, SessionPermit, session, still_qualifies};
use crate::graph::RunState;
use crate::matching;
use crate::model::{Deployment, DeploymentState, Failure, RunEnd, RunOutcome};
use crate::state::{Assigned, Space, State, WorkItem, WorkKind};

/// What a request may do. One for each kind of request: a new kind does not compile without its rule.
pub enum RequestPermit {
    /// Its own work.
    Assignments(SessionPermit),
    Pull(PullPermit),
    Variables(VariablesPermit),
    /// Reports, those of this target's own work.
    Report(ReportPermit),
    Output(OutputPermit),
    /// A new certificate for the same key.
    Renew(SessionPermit),
}

/// A permit with a getter for each of its fields, which are private here: nobody else makes one.
macro_rules! permit {
    ($(#[$about:meta])* $permit:ident { $($(#[$of:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$about])*
        pub struct $permit {
            $($field: $type),+
        }

        impl $permit {
            $($(#[$of])* pub const fn $field(&self) -> $type {
                self.$field
            })+
        }
    };
}

permit! {
    /// A package may be pulled.
    PullPermit {
        space: SpaceId,
        /// The tenant whose deployment it is, if it is one's.
        tenant: Option<TenantId>,
        target: TargetId,
        /// What it is pulled for.
        assignment: AssignmentId,
        manifest: Digest,
    }
}

permit! {
    /// The variables of a step may be read.
    VariablesPermit {
        space: SpaceId,
        target: TargetId,
        /// What they are read for.
        assignment: AssignmentId,
        deployment: DeploymentId,
        step: StepId,
    }
}

permit! {
    /// Output of a step may be stored.
    OutputPermit {
        deployment: DeploymentId,
        step: StepId,
        target: TargetId,
        /// Lines that the step has in all, where its machine has said how it ended.
        lines: Option<u64>,
    }
}

/// Reports may be taken, each if its assignment is or was this target's.
pub struct ReportPermit {
    session: SessionPermit,
    own: BTreeSet<AssignmentId>,
}

impl ReportPermit {
    pub const fn target(&self) -> TargetId {
        self.session.target
    }

    pub const fn space(&self) -> SpaceId {
        self.session.space
    }

    /// Whether reports of this assignment may be taken.
    pub fn admits(&self, assignment: AssignmentId) -> bool {
        self.own.contains(&assignment)
    }
}

/// Decides a request of an agent on `state`. The session's own permit is decided anew with it.
pub fn request(
    state: &State,
    peer: &Peer,
    request: &Request,
    now: Timestamp,
) -> Result<RequestPermit, Denied> {
    let session = session(state, peer, now)?;
    if session.renews_only() && !matches!(request, Request::Renew { .. }) {
        return Err(Denied);
    }
    match request {
        Request::Assignments { .. } => Ok(RequestPermit::Assignments(session)),
        Request::Pull(wanted) => pull(state, &session, wanted, now).map(RequestPermit::Pull),
        Request::Variables { assignment } => {
            variables(state, &session, *assignment, now).map(RequestPermit::Variables)
        }
        Request::Report(reports) => report(state, session, reports).map(RequestPermit::Report),
        Request::Output { assignment, .. } => output(state, &session, *assignment).map(RequestPermit::Output),
        Request::Renew { .. } => Ok(RequestPermit::Renew(session)),
    }
}

fn space_of<'a>(state: &'a State, session: &SessionPermit) -> Result<&'a Space, Denied> {
    state.space(session.space).ok_or(Denied)
}

/// An assignment that is this target's work now, and rests on what still holds.
fn live<'a>(
    state: &'a State,
    session: &SessionPermit,
    assignment: AssignmentId,
    now: Timestamp,
) -> Result<(&'a Space, &'a Deployment, WorkItem), Denied> {
    let space = space_of(state, session)?;
    let item = *space.work_item(session.target, assignment).ok_or(Denied)?;
    let deployment = space.deployments.get(&item.deployment).ok_or(Denied)?;
    if deployment.state != DeploymentState::Running || item.deadline < now {
        return Err(Denied);
    }
    still_qualifies(space, deployment, session.target, now).map_err(|_| Denied)?;
    let target = space.targets.get(session.target).ok_or(Denied)?;
    if matching::waits(target, now).is_some() {
        return Err(Denied);
    }
    Ok((space, deployment, item))
}

fn pull(
    state: &State,
    session: &SessionPermit,
    wanted: &PullRequest,
    now: Timestamp,
) -> Result<PullPermit, Denied> {
    let (space, deployment, item) = live(state, session, wanted.assignment, now)?;
    let is_wanted = |step| space.package_of(deployment.id, step) == Some(wanted.manifest);
    let needed = match item.kind {
        WorkKind::Fetch => deployment.graph.steps_on(session.target).any(is_wanted),
        // Its own, which may be gone from the machine since it was fetched, and no other step's.
        WorkKind::Run(step) => is_wanted(step),
    };
    if !needed {
        return Err(Denied);
    }
    let (space, tenant) = (space.head.id, deployment.tenant);
    let (target, assignment) = (session.target, wanted.assignment);
    Ok(PullPermit { space, tenant, target, assignment, manifest: wanted.manifest })
}

fn variables(
    state: &State,
    session: &SessionPermit,
    assignment: AssignmentId,
    now: Timestamp,
) -> Result<VariablesPermit, Denied> {
    let (space, deployment, item) = live(state, session, assignment, now)?;
    let WorkKind::Run(step) = item.kind else { return Err(Denied) };
    let (space, deployment) = (space.head.id, deployment.id);
    Ok(VariablesPermit { space, target: session.target, assignment, deployment, step })
}

/// Output is taken of any step that was this target's, also after the deployment has ended: what it printed happened.
/// But it is no more than the machine said that it was.
fn output(state: &State, session: &SessionPermit, assignment: AssignmentId) -> Result<OutputPermit, Denied> {
    let space = space_of(state, session)?;
    let assigned = space.assigned(session.target, assignment).ok_or(Denied)?;
    let WorkKind::Run(step) = assigned.kind else { return Err(Denied) };
    let (deployment, target) = (assigned.deployment, session.target);
    Ok(OutputPermit { deployment, step, target, lines: said_lines(space, assigned) })
}

/// How many lines the machine said that a run has. Of one that was ended without its word (cancelled, overdue, its
/// machine out of scope) nobody knows: what it printed until then may still come.
fn said_lines(space: &Space, assigned: &Assigned) -> Option<u64> {
    let run = space.deployments.get(&assigned.deployment)?.graph.run(assigned.node, assigned.target)?;
    match &run.state {
        RunState::Ended(RunEnd { outcome, lines, .. }) if run.attempt == assigned.attempt => match outcome {
            RunOutcome::Succeeded | RunOutcome::Failed(Failure::Said(_)) => Some(*lines),
            RunOutcome::Failed(_)
            | RunOutcome::TimedOut
            | RunOutcome::Stopped
            | RunOutcome::UnknownForWhatever
            | RunOutcome::Unknown(_) => None,
        },
        _ => None,
    }
}

/// Reports are taken of any assignment that is or was this target's, and of no other. The permit says of which: an agent
/// may hold one for longer than the deployment is remembered, and sends what else it has with it.
fn report(state: &State, session: SessionPermit, reports: &[Report]) -> Result<ReportPermit, Denied> {
    let space = space_of(state, &session)?;
    let named = reports.iter().map(|report| report.assignment);
    let own = named.filter(|named| space.assigned(session.target, *named).is_some()).collect();
    Ok(ReportPermit { session, own })
}
