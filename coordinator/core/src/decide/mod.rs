//! `decide`: what a command does, as events, or why it does nothing (ARCHITECTURE, "One idea").
//!
//! One file a kind of command. Everything that differs from call to call (time, fresh ids) comes in with the command;
//! the same state, envelope and command always give the same decision.

mod deploy;
mod documents;
mod draft;
mod enrol;
mod fresh;
mod greetings;
mod progress;
mod readings;
mod recheck;
mod releases;
mod reports;
mod targets;
mod tokens;

use std::collections::BTreeMap;

use windlass_api::error::{Problem, ProblemKind};
use windlass_api::requests::{
    ApplyRequest, DeployRequest, EnrolmentRequest, GrantText, ReleaseRequest, TokenRequest,
};
use windlass_protocol::ids::{
    AssignmentId, DeploymentId, EnrolmentId, KeyId, ReleaseId, SpaceId, TargetId, TokenId,
};
use windlass_protocol::message::{EnrolRefusal, Outcome, Refusal};
use windlass_protocol::{Digest, Timestamp};

pub use draft::Decision;
use draft::Draft;
pub use enrol::EnrolmentUse;
pub use greetings::{Greeted, Greeting};
pub use progress::outcome_in_words;
pub use readings::{Repeat, Repeated};
pub use releases::{PackageNames, ReadNames, choose_packages};

use crate::authorise::{self, Action, Peer, maker_may};
use crate::event::{Actor, Stream};
use crate::model::{Package, StoredValue};
use crate::state::State;

/// Who asks for what, when, and why.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Now, by the coordinator's clock.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// 32 random bytes, from which all fresh ids of the decision are made.
    pub seed: [u8; 32],
}

/// Everything that can be asked to be done. Who may ask for it is [`crate::authorise`]'s business.
pub enum Command {
    /// Makes the installation.
    Initialise {
        /// SHA-256 of the CA's certificate.
        authority: Digest,
        /// The first administrator's token.
        token: (TokenId, Digest),
        /// The data key of the first space.
        key: KeyId,
    },
    /// Makes a token of the API.
    CreateToken {
        /// What it should be.
        request: TokenRequest,
        /// Its id and the digest of its secret.
        token: (TokenId, Digest),
    },
    /// Makes a token of an administrator for who has the coordinator's machine. It has no maker, so that it holds
    /// whatever becomes of other tokens, and does not expire.
    CreateAdministrator {
        /// The token's name.
        name: String,
        /// Its id and the digest of its secret.
        token: (TokenId, Digest),
    },
    /// Takes a token of the API back, by name or id.
    DeleteToken(String),
    /// Records that a snapshot was written.
    RecordSnapshot {
        /// The last record that it holds.
        record: u64,
        /// The digest of its file.
        digest: Digest,
    },
    /// A command in a space.
    Space(SpaceId, SpaceCommand),
}

/// Everything that can be asked to be done in a space.
pub enum SpaceCommand {
    /// Applies documents, all or nothing.
    Apply {
        /// The documents. Secrets in them are sealed already.
        request: ApplyRequest,
        /// The data keys for tenants that the documents make, by place in the list.
        keys: BTreeMap<usize, KeyId>,
    },
    /// Deletes something that documents define, by kind and name.
    Delete {
        /// The kind, as documents write it.
        kind: String,
        /// Id, slug or name.
        name: String,
    },
    /// Makes an enrolment token.
    CreateEnrolment {
        /// What it grants.
        request: EnrolmentRequest,
        /// Its id and the digest of its secret.
        token: (EnrolmentId, Digest),
    },
    /// Takes an enrolment token back, by id, or by the name of the target that it is for.
    DeleteEnrolment(String),
    /// Lets go of enrolment tokens that expired long ago.
    ForgetEnrolments,
    /// Uses an enrolment token.
    Enrol(Box<EnrolmentUse>),
    /// Renews a certificate.
    Renew {
        /// Who it is, by the certificate that it has.
        peer: Peer,
        /// Seconds that certificates are good for.
        life_seconds: u64,
    },
    /// What an agent's `Hello` says.
    Greet(Box<Greeting>),
    /// Changes a target, by id, slug or name.
    ChangeTarget {
        /// The target.
        target: String,
        /// How.
        change: TargetChange,
    },
    /// Records that two sessions had one certificate.
    RecordClone {
        /// The target.
        target: TargetId,
        /// Where the older session came from.
        older: String,
        /// Where the newer one comes from.
        newer: String,
    },
    /// Records requests of a target that were denied.
    RecordDenials {
        /// The target.
        target: TargetId,
        /// How many, by kind of request.
        counts: BTreeMap<String, u64>,
    },
    /// Records what happened again.
    RecordRepeats(Vec<Repeat>),
    /// Registers an uploaded package, whose content is stored already.
    AddPackage(Package),
    /// Makes a release.
    CreateRelease {
        /// What it should be.
        request: ReleaseRequest,
        /// What packages' hooks and named files do with variables, by step and manifest.
        package_names: PackageNames,
    },
    /// Deploys a release.
    Deploy(DeployRequest),
    /// Cancels a deployment.
    Cancel(DeploymentId),
    /// What an agent reports of its work.
    Report {
        /// Who it is.
        peer: Peer,
        /// The reports, in order.
        reports: Vec<WorkReport>,
    },
    /// Records that variables were read for an assignment.
    RecordVariablesRead {
        /// Who read them.
        peer: Peer,
        /// The assignment.
        assignment: AssignmentId,
        /// Their names.
        names: Vec<String>,
        /// Their digest.
        digest: Digest,
    },
    /// Records that a package was pulled for an assignment.
    RecordPulled {
        /// Who pulled it.
        peer: Peer,
        /// The assignment.
        assignment: AssignmentId,
        /// The package's manifest.
        manifest: Digest,
        /// Bytes of content that travelled.
        bytes: u64,
    },
    /// Gives up work that cannot be made into an assignment.
    GiveUpUndeliverable {
        /// The target.
        target: TargetId,
        /// The assignments, each with why not, as a sentence without a secret.
        reasons: Vec<(AssignmentId, String)>,
    },
    /// Gives up what is over its deadline.
    GiveUpOverdue,
}

/// How a target is changed.
pub enum TargetChange {
    /// Sets its grant.
    Grant(GrantText),
    /// Lets it take part.
    Enable,
    /// Does not let it take part, and ends its session.
    Disable,
    /// Revokes its key, and ends its session.
    Revoke,
    /// Deletes it.
    Delete,
}

/// A report of an agent, with sensitive output sealed to its tenant's key.
pub struct WorkReport {
    /// The assignment.
    pub assignment: AssignmentId,
    /// What happened.
    pub kind: WorkReportKind,
}

/// What happened.
pub enum WorkReportKind {
    /// The agent will not do it.
    Refused(Refusal),
    /// Every package is there.
    Fetched {
        /// Bytes that travelled.
        moved: u64,
        /// Bytes that did not have to.
        saved: u64,
    },
    /// Packages could not be fetched.
    FetchFailed(String),
    /// The step's process was started.
    Started,
    /// The step ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// What it set for later steps.
        outputs: BTreeMap<String, StoredValue>,
        /// Lines of output.
        lines: u64,
    },
}

/// What the asker is told when it is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// What an `apply` changed, in order.
    Applied(Vec<windlass_api::answers::AppliedChange>),
    /// The target that enrolled.
    Enrolled(TargetId),
    /// The enrolment was refused; that is recorded.
    EnrolmentRefused(EnrolRefusal),
    /// The enrolment was refused like one before it; that is to be counted.
    EnrolmentRefusedAgain(EnrolRefusal),
    /// The target read this before for the same work; that is to be counted.
    ReadBefore,
    /// The certificate may be renewed.
    Renewed {
        /// When the new one expires.
        expires: Timestamp,
    },
    /// What came of a greeting.
    Greeted(Greeted),
    /// The release that was made.
    Release(ReleaseId),
    /// The deployments that were made.
    Deployments(Vec<DeploymentId>),
}

/// Decides a command on a state.
pub fn decide(state: &State, envelope: &Envelope, command: &Command) -> Result<Decision, Problem> {
    refuse_lost_right(state, envelope)?;
    let mut draft = Draft::new(state, envelope);
    let reply = match command {
        Command::Initialise { authority, token, key } => {
            tokens::initialise(&mut draft, *authority, *token, *key)
        }
        Command::CreateToken { request, token } => tokens::create(&mut draft, request, *token),
        Command::CreateAdministrator { name, token } => {
            tokens::create_administrator(&mut draft, name, *token)
        }
        Command::DeleteToken(name) => tokens::delete(&mut draft, name),
        Command::RecordSnapshot { record, digest } => tokens::record_snapshot(&mut draft, *record, *digest),
        Command::Space(space, command) => {
            draft.enter(Stream::Space(*space))?;
            decide_in_space(&mut draft, command)
        }
    }?;
    Ok(draft.finish(reply))
}

/// A person's right was asked for when the command came; it has to hold at the moment of the decision too.
fn refuse_lost_right(state: &State, envelope: &Envelope) -> Result<(), Problem> {
    match envelope.actor {
        Actor::Token(token) if !maker_may(state, Some(token), Action::Change, envelope.time) => {
            Err(Problem::new(ProblemKind::NotAuthorised, "your token may not do this any more"))
        }
        _ => Ok(()),
    }
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
        SpaceCommand::CreateEnrolment { request, token } => enrol::create(draft, request, *token),
        SpaceCommand::DeleteEnrolment(name) => enrol::delete(draft, name),
        SpaceCommand::ForgetEnrolments => enrol::forget_expired(draft),
        SpaceCommand::Enrol(enrolment) => enrol::enrol(draft, enrolment),
        SpaceCommand::Renew { peer, life_seconds } => targets::renew(draft, peer, *life_seconds),
        SpaceCommand::Greet(greeting) => greetings::greet(draft, greeting),
        SpaceCommand::ChangeTarget { target, change } => targets::change(draft, target, change),
        SpaceCommand::RecordClone { target, older, newer } => {
            targets::record_clone(draft, *target, older, newer)
        }
        SpaceCommand::RecordDenials { target, counts } => targets::record_denials(draft, *target, counts),
        SpaceCommand::AddPackage(package) => releases::add_package(draft, package),
        SpaceCommand::CreateRelease { request, package_names } => {
            releases::create(draft, request, package_names)
        }
        SpaceCommand::Deploy(request) => deploy::deploy(draft, request),
        SpaceCommand::Cancel(deployment) => progress::cancel(draft, *deployment),
        SpaceCommand::Report { peer, reports } => reports::report(draft, peer, reports),
        SpaceCommand::RecordVariablesRead { peer, assignment, names, digest } => {
            readings::variables_read(draft, peer, *assignment, names, *digest)
        }
        SpaceCommand::RecordPulled { peer, assignment, manifest, bytes } => {
            readings::pulled(draft, peer, *assignment, *manifest, *bytes)
        }
        SpaceCommand::RecordRepeats(repeats) => readings::repeats(draft, repeats),
        SpaceCommand::GiveUpUndeliverable { target, reasons } => {
            reports::give_up_undeliverable(draft, *target, reasons)
        }
        SpaceCommand::GiveUpOverdue => reports::give_up_overdue(draft),
    }
}
