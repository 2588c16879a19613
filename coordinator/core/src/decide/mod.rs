//! `decide`: what a command does, as events, or why it does nothing (ARCHITECTURE, "One idea").
//!
//! One file a kind of command. Everything that differs from call to call (time, fresh ids) comes in with the command;
//! the same state, envelope and command always give the same decision.

mod command;
mod deploy;
mod documents;
mod draft;
mod enrol;
mod fresh;
mod greetings;
mod overdue;
mod progress;
mod readings;
mod releases;
mod reports;
mod schedule;
mod sweep;
mod targets;
mod tokens;

use serde::{Deserialize, Serialize};
use windlass_api::error::{Problem, ProblemKind};
use windlass_api::plan::TenantRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{
    DeploymentId, EnrolmentId, EnvironmentId, ReleaseId, SpaceId, TargetId, TenantId, TokenId,
};
use windlass_protocol::message::EnrolRefusal;

pub use command::{Command, SpaceCommand, TargetChange, WorkReport, WorkReportKind};
pub use draft::Decision;
use draft::Draft;
pub use enrol::EnrolmentUse;
pub use greetings::{Greeted, Greeting};
pub use readings::{Refusals, Refused, Repeat, Repeated};
pub use releases::{PackageNames, ReadNames, choose_packages};
pub use reports::{news, running_time};

use crate::authorise::{self, Action, Peer, maker_may};
use crate::event::{Actor, Request};
use crate::plan::Wanted;
use crate::state::State;

/// Who asks for what, when, and why.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Now, by the coordinator's clock.
    pub time: Timestamp,
    pub actor: Actor,
    pub origin: Option<String>,
    pub reason: Option<String>,
    /// The number of the record that it follows from, where the coordinator goes on with something by itself.
    pub cause: Option<u64>,
    /// The request, where it may be repeated.
    pub request: Option<Request>,
    /// 32 random bytes, from which all fresh ids of the decision are made.
    pub seed: [u8; 32],
}

impl Envelope {
    /// The one moment of a decision on `state`, for its record, rights, expiries and deadlines alike: never earlier than
    /// the record before.
    pub fn moment(&self, state: &State) -> Timestamp {
        self.time.max(state.time)
    }
}

/// What the asker is told when it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    Done,
    /// What an `apply` changed, in order.
    Applied(Vec<windlass_api::answers::AppliedChange>),
    Enrolled(TargetId),
    /// The enrolment was refused; that is recorded.
    EnrolmentRefused(EnrolRefusal),
    /// The enrolment was refused like one before it; that is to be counted.
    EnrolmentRefusedAgain(EnrolRefusal),
    /// The target read this before for the same work, or has pulled it whole before; that is to be counted.
    ReadBefore,
    /// The certificate may be renewed.
    Renewed {
        expires: Timestamp,
    },
    Greeted(Greeted),
    Release(ReleaseId),
    /// The deployments that were made, and who was left out.
    Deployments {
        made: Vec<DeploymentId>,
        /// Whom only a tag brought in, and who could not be deployed to.
        left_out: Vec<LeftOut>,
    },
    /// The token that was made. Its secret was shown once, to who asked first.
    TokenCreated(TokenId),
    /// The enrolment token that was made. Its secret was shown once, to who asked first.
    EnrolmentCreated(EnrolmentId),
}

/// A tenant that a request brought in and left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub environment: EnvironmentId,
    pub tenant: TenantId,
    /// Why: all rules, the first one first.
    pub rules: Vec<TenantRule>,
}

pub fn decide(state: &State, envelope: &Envelope, command: &Command) -> Result<Decision, Problem> {
    decide_while(state, envelope, command, &|| Ok(()))
}

/// The same for somebody who may go while it is decided: what takes long ends with an error then.
pub fn decide_while(
    state: &State,
    envelope: &Envelope,
    command: &Command,
    wanted: Wanted<'_>,
) -> Result<Decision, Problem> {
    refuse_lost_right(state, envelope, command)?;
    if let Some(request) = &envelope.request
        && let Some(reply) = state.requests.answer(request, envelope.moment(state))?
    {
        return Ok(Decision { record: None, state: state.clone(), reply });
    }
    let (stream, space) = command.stream();
    let mut draft = Draft::new(state, envelope, stream, space)?.wanted(wanted);
    let reply = match command {
        Command::Initialise { authority, token, key } => {
            tokens::initialise(&mut draft, *authority, *token, *key)
        }
        Command::CreateToken { request, token, .. } => tokens::create(&mut draft, request, *token),
        Command::CreateAdministrator { name, token } => {
            tokens::create_administrator(&mut draft, name, *token)
        }
        Command::DeleteToken(name) => tokens::delete(&mut draft, name),
        Command::RecordSnapshot { record, digest } => tokens::record_snapshot(&mut draft, *record, *digest),
        Command::RecordRefusals(counts) => readings::refusals(&mut draft, counts),
        Command::Space(_, command) => {
            let reply = decide_in_space(&mut draft, command);
            if draft.changes_space() {
                sweep::at_once(&mut draft);
            }
            reply
        }
    }?;
    draft.finish(reply)
}

/// Whether something is left to go on with in a space ([`SpaceCommand::GoOn`]).
pub fn has_more(state: &State, space: SpaceId) -> bool {
    state.space(space).is_some_and(|space| !space.unsettled.is_empty() || schedule::next(space).is_some())
}

/// A person's right was asked for when the command came; it has to hold at the moment of the decision too.
fn refuse_lost_right(state: &State, envelope: &Envelope, command: &Command) -> Result<(), Problem> {
    let Some(token) = envelope.actor.token() else { return Ok(()) };
    // Whoever may read may look at plans, and that is written down.
    let looks = matches!(command, Command::Space(_, SpaceCommand::RecordPlan(_)));
    let action = if looks { Action::Read } else { Action::Change };
    if maker_may(state, Some(token), action, envelope.moment(state)) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::NotAuthorised, "your token may not do this any more"))
}

/// The target that a peer is at the moment of the decision: meanwhile it may have another key.
fn identified(draft: &Draft<'_>, peer: &Peer) -> Result<TargetId, Problem> {
    let known = authorise::identity(draft.state(), peer);
    known.map(|(_, target)| target.id).map_err(|_| Problem::not_found("there is no such target"))
}

fn decide_in_space(draft: &mut Draft<'_>, command: &SpaceCommand) -> Result<Reply, Problem> {
    match command {
        SpaceCommand::Apply { request, keys } => documents::apply(draft, request, keys),
        SpaceCommand::Delete { kind, name } => documents::delete(draft, kind, name),
        SpaceCommand::ChangeTenants { tenants, change } => documents::change_tenants(draft, tenants, change),
        SpaceCommand::CreateEnrolment { request, token } => enrol::create(draft, request, *token),
        SpaceCommand::DeleteEnrolment(name) => enrol::delete(draft, name),
        SpaceCommand::ForgetEnrolments => enrol::forget_expired(draft),
        SpaceCommand::Enrol(enrolment) => enrol::enrol(draft, enrolment),
        SpaceCommand::Renew { peer, life_seconds } => targets::renew(draft, peer, *life_seconds),
        SpaceCommand::Greet(greeting) => greetings::greet(draft, greeting),
        SpaceCommand::RecordAhead { peer, generation } => targets::record_ahead(draft, peer, *generation),
        SpaceCommand::ChangeTarget { target, change } => targets::change(draft, target, change),
        SpaceCommand::RecordClone { target, older, newer } => {
            targets::record_clone(draft, *target, older, newer)
        }
        SpaceCommand::RecordDenials { target, counts } => targets::record_denials(draft, *target, counts),
        SpaceCommand::AddPackage(package) => releases::add_package(draft, package),
        SpaceCommand::CreateRelease { request, package_names } => {
            releases::create(draft, request, package_names)
        }
        SpaceCommand::Deploy(request) => deploy::deploy(draft, request, None),
        SpaceCommand::DeployPlanned(request, at) => deploy::deploy(draft, request, Some(*at)),
        SpaceCommand::Cancel(deployment) => progress::cancel(draft, *deployment),
        SpaceCommand::Report { peer, reports } => reports::report(draft, peer, reports),
        SpaceCommand::RecordVariablesRead { peer, assignment, names, digest } => {
            readings::variables_read(draft, peer, *assignment, names, *digest)
        }
        SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes } => {
            readings::pull_begun(draft, peer, *assignment, *manifest, *bytes)
        }
        SpaceCommand::RecordPulled { peer, assignment, manifest, bytes } => {
            readings::pulled(draft, peer, *assignment, *manifest, *bytes)
        }
        SpaceCommand::RecordRepeats(repeats) => readings::repeats(draft, repeats),
        SpaceCommand::GiveUpUndeliverable { target, reasons } => {
            overdue::undeliverable(draft, *target, reasons)
        }
        SpaceCommand::GiveUpOverdue => overdue::give_up(draft),
        SpaceCommand::RecordReturn => Ok(overdue::coordinator_back(draft)),
        SpaceCommand::RecordPresence { lost, back } => overdue::presence(draft, lost, back),
        SpaceCommand::SetCaps(caps) => schedule::set_caps(draft, *caps),
        SpaceCommand::RecordPlan(printed) => Ok(deploy::record_plan(draft, printed)),
        SpaceCommand::GoOn => {
            sweep::sweep(draft);
            schedule::start(draft);
            Ok(Reply::Done)
        }
    }
}
