//! The one function that decides what an agent or a person may get, and the permits that it returns (ARCHITECTURE,
//! "The agent's conversation"; THREATS A3, A4, C2).
//!
//! A permit's fields are private to this module: holding one is the proof that the check was made, on the state that
//! it was made on. It is asked for again at every read, never kept. Whatever falls off the end is denied, and denied
//! is the same answer as for what does not exist.

use std::collections::BTreeSet;

use windlass_protocol::Timestamp;
use windlass_protocol::digest::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, SpaceId, StepId, TargetId, TokenId};
use windlass_protocol::message::{PullRequest, Report, Request};

use crate::matching::{self, Question};
use crate::model::{Deployment, DeploymentState, Role, Target};
use crate::plan::{step_rule, target_reason};
use crate::state::{Space, State, WorkItem, WorkKind};

/// Who a TLS connection proved to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The target that its certificate names.
    pub target: TargetId,
    /// SHA-256 of its public key.
    pub public_key: Digest,
    /// When its certificate expires.
    pub expires: Timestamp,
}

/// No, and nothing more: what is not one's own does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

/// A session may go on: the target exists, has this key, is neither disabled nor revoked.
#[derive(Debug, Clone, Copy)]
pub struct SessionPermit {
    space: SpaceId,
    target: TargetId,
    may: May,
}

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Everything,
    RenewOnly,
}

impl SessionPermit {
    /// The target.
    pub const fn target(&self) -> TargetId {
        self.target
    }

    /// Its space.
    pub const fn space(&self) -> SpaceId {
        self.space
    }

    /// Whether its certificate has expired, so that renewing is all that it may do.
    pub fn renews_only(&self) -> bool {
        self.may == May::RenewOnly
    }
}

/// The target that a peer is: it exists, has this very key, is neither disabled nor revoked. Between asking and
/// deciding, a target may be enrolled again with another key: what the old one asked for is then nobody's.
pub fn identity<'a>(state: &'a State, peer: &Peer) -> Result<(&'a Space, &'a Target), Denied> {
    let space = state.space_of(peer.target).ok_or(Denied)?;
    let target = space.targets.get(peer.target).ok_or(Denied)?;
    if !target.enabled || target.revoked || target.key.public_key != peer.public_key {
        return Err(Denied);
    }
    Ok((space, target))
}

/// Whether a peer may have a session.
pub fn session(state: &State, peer: &Peer, now: Timestamp) -> Result<SessionPermit, Denied> {
    let (space, target) = identity(state, peer)?;
    let may = if peer.expires < now { May::RenewOnly } else { May::Everything };
    Ok(SessionPermit { space: space.head.id, target: target.id, may })
}

/// What a request may do. One for each kind of request: a new kind does not compile without its rule.
pub enum RequestPermit {
    /// Its own work.
    Assignments(SessionPermit),
    /// A package.
    Pull(PullPermit),
    /// The variables of a step.
    Variables(VariablesPermit),
    /// Reports, those of this target's own work.
    Report(ReportPermit),
    /// Output of a step.
    Output(OutputPermit),
    /// A new certificate for the same key.
    Renew(SessionPermit),
}

/// A package may be pulled.
pub struct PullPermit {
    target: TargetId,
    assignment: AssignmentId,
    manifest: Digest,
}

impl PullPermit {
    /// The target.
    pub const fn target(&self) -> TargetId {
        self.target
    }

    /// What it is pulled for.
    pub const fn assignment(&self) -> AssignmentId {
        self.assignment
    }

    /// The package's manifest.
    pub const fn manifest(&self) -> Digest {
        self.manifest
    }
}

/// The variables of a step may be read.
pub struct VariablesPermit {
    space: SpaceId,
    target: TargetId,
    assignment: AssignmentId,
    deployment: DeploymentId,
    step: StepId,
}

impl VariablesPermit {
    /// The space.
    pub const fn space(&self) -> SpaceId {
        self.space
    }

    /// The target.
    pub const fn target(&self) -> TargetId {
        self.target
    }

    /// What they are read for.
    pub const fn assignment(&self) -> AssignmentId {
        self.assignment
    }

    /// The deployment.
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The step.
    pub const fn step(&self) -> StepId {
        self.step
    }
}

/// Reports may be taken, each if its assignment is or was this target's.
pub struct ReportPermit {
    session: SessionPermit,
    own: BTreeSet<AssignmentId>,
}

impl ReportPermit {
    /// The target.
    pub const fn target(&self) -> TargetId {
        self.session.target
    }

    /// Its space.
    pub const fn space(&self) -> SpaceId {
        self.session.space
    }

    /// Whether reports of this assignment may be taken.
    pub fn admits(&self, assignment: AssignmentId) -> bool {
        self.own.contains(&assignment)
    }
}

/// Output of a step may be stored.
pub struct OutputPermit {
    deployment: DeploymentId,
    step: StepId,
    target: TargetId,
}

impl OutputPermit {
    /// The deployment.
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The step.
    pub const fn step(&self) -> StepId {
        self.step
    }

    /// The target.
    pub const fn target(&self) -> TargetId {
        self.target
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
    if !matches!(deployment.state, DeploymentState::Running(_)) || item.deadline < now {
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
    if item.kind != WorkKind::Fetch {
        return Err(Denied);
    }
    let release = space.releases.get(&deployment.release).ok_or(Denied)?;
    let mut needed = deployment.steps.iter().filter(|step| step.targets.contains(&session.target));
    let of_step = |step: StepId| release.packages.get(&step).map(|package| package.manifest);
    if needed.any(|step| of_step(step.step) == Some(wanted.manifest)) {
        let (target, assignment) = (session.target, wanted.assignment);
        Ok(PullPermit { target, assignment, manifest: wanted.manifest })
    } else {
        Err(Denied)
    }
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
fn output(state: &State, session: &SessionPermit, assignment: AssignmentId) -> Result<OutputPermit, Denied> {
    let assigned = space_of(state, session)?.assigned(session.target, assignment).ok_or(Denied)?;
    match assigned.kind {
        WorkKind::Run(step) => {
            Ok(OutputPermit { deployment: assigned.deployment, step, target: session.target })
        }
        WorkKind::Fetch => Err(Denied),
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

/// Whether a target still belongs to a deployment that runs; if not, the sentence why (SEMANTICS 3, "While it runs").
pub fn still_qualifies(
    space: &Space,
    deployment: &Deployment,
    target: TargetId,
    now: Timestamp,
) -> Result<(), String> {
    let work = deployment.work.get(&target).ok_or("it has no part in the deployment")?;
    if let Some(reason) = &work.removed {
        return Err(reason.clone());
    }
    let target: &Target = space.targets.get(target).ok_or("the target was deleted")?;
    let tenant = match deployment.tenant {
        None => None,
        Some(id) => Some(space.tenants.get(id).ok_or("the tenant was deleted")?),
    };
    if tenant.is_some_and(|tenant| !tenant.is_connected(deployment.project, deployment.environment)) {
        return Err("the tenant was disconnected".to_owned());
    }
    let release = space.releases.get(&deployment.release).ok_or("the release was deleted")?;
    let steps = deployment.steps.iter().filter(|step| step.targets.contains(&target.id));
    let none = BTreeSet::new();
    for step in steps {
        let known = release.snapshot.steps.iter().find(|known| known.id == step.step);
        let known = known.ok_or("the step was deleted")?;
        // The step is as the release froze it, but the tenant's tags are live.
        if step_rule(known, deployment.environment, tenant).is_some() {
            return Err(format!("the step `{}` no longer runs for the tenant", known.name));
        }
        let question = Question {
            environment: deployment.environment,
            tenant,
            roles: &known.roles,
            only: None,
            excluded: &none,
            now,
        };
        if let Some(rule) = matching::refusals(target, &question).first() {
            return Err(format!("the target {}", target_reason(*rule, space, target)));
        }
    }
    Ok(())
}

/// What a person wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read anything that is not secret.
    Read,
    /// Change anything.
    Change,
}

/// A person may do it.
#[derive(Debug, Clone, Copy)]
pub struct PersonPermit {
    token: TokenId,
}

impl PersonPermit {
    /// The token that it was granted to.
    pub const fn token(&self) -> TokenId {
        self.token
    }
}

/// Why a person may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonDenied {
    /// No such token, or its secret is wrong, or it has expired.
    Unknown,
    /// The token is good, but not for this.
    NotAllowed,
}

/// Whether the holder of a token may do something.
pub fn person(
    state: &State,
    id: TokenId,
    secret: Digest,
    action: Action,
    now: Timestamp,
) -> Result<PersonPermit, PersonDenied> {
    state.tokens.get(&id).filter(|token| token.secret == secret).ok_or(PersonDenied::Unknown)?;
    let role = role_at(state, id, now).ok_or(PersonDenied::Unknown)?;
    if role_admits(role, action) { Ok(PersonPermit { token: id }) } else { Err(PersonDenied::NotAllowed) }
}

/// Whether who made something that acts for its maker may do it now. What the installer or the coordinator made has
/// no maker to be weaker than.
pub fn maker_may(state: &State, maker: Option<TokenId>, action: Action, now: Timestamp) -> bool {
    maker.is_none_or(|maker| role_at(state, maker, now).is_some_and(|role| role_admits(role, action)))
}

const fn role_admits(role: Role, action: Action) -> bool {
    match (action, role) {
        (Action::Read, Role::Auditor | Role::Administrator) | (Action::Change, Role::Administrator) => true,
        (Action::Change, Role::Auditor) => false,
    }
}

/// What a token may do at this moment: no more than any of those that made it may (SEMANTICS 10). `None` where it, or
/// one of them, is gone or expired.
pub fn role_at(state: &State, id: TokenId, now: Timestamp) -> Option<Role> {
    let mut current = state.tokens.get(&id)?;
    let mut role = current.role;
    // Tokens are made by older ones, so the chain ends; the bound is against a journal that says otherwise.
    for _ in 0..=state.tokens.len() {
        if current.expires.is_some_and(|expires| expires < now) {
            return None;
        }
        role = role.min(current.role);
        match current.made_by {
            None => return Some(role),
            Some(maker) => current = state.tokens.get(&maker)?,
        }
    }
    None
}
