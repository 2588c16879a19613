//! Everything that can be asked to be done, as one closed list. Who may ask for it is [`crate::authorise`]'s business.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use windlass_api::query::QueryText;
use windlass_api::requests::{
    ApplyRequest, DeployRequest, EnrolmentRequest, GrantText, ReleaseRequest, TenantChange, TokenRequest,
};
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, EnrolmentId, KeyId, SpaceId, TargetId, TokenId};
use windlass_protocol::message::{Generation, Outcome, Refusal};

use super::{EnrolmentUse, Greeting, PackageNames, Refusals, Repeat};
use crate::authorise::Peer;
use crate::event::Stream;
use crate::model::{Package, StoredValue};
use crate::plan::Printed;
use crate::state::Caps;

/// Everything that can be asked to be done. Who may ask for it is [`crate::authorise`]'s business.
// Commands are made one at a time, and live as long as their decision.
#[allow(clippy::large_enum_variant)]
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
        /// The space of the tenants that it is limited to.
        space: SpaceId,
        /// Its id and the digest of its secret.
        token: (TokenId, Digest),
    },
    /// Makes a token of an administrator for who has the coordinator's machine. It has no maker, so that it holds
    /// whatever becomes of other tokens, and does not expire.
    CreateAdministrator {
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
    /// Records how often strangers were refused.
    RecordRefusals(Vec<Refusals>),
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
    /// Changes the switch, connections and tags of all tenants that a query includes.
    ChangeTenants {
        tenants: QueryText,
        change: TenantChange,
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
    /// Records that an agent has seen later work than the journal knows, if it has: it is held.
    RecordAhead {
        peer: Peer,
        /// The highest generation that it has seen.
        generation: Generation,
    },
    /// Changes a target, by id, slug or name.
    ChangeTarget {
        target: String,
        change: TargetChange,
    },
    /// Records that two sessions had one certificate.
    RecordClone {
        target: TargetId,
        /// Where the older session came from.
        older: String,
        /// Where the newer one comes from.
        newer: String,
    },
    /// Records requests of a target that were denied.
    RecordDenials {
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
    /// The same of a request whose plan was the expected one when the space's stream was at this number: as long as it still
    /// is, that is not looked at again.
    DeployPlanned(DeployRequest, u64),
    Cancel(DeploymentId),
    /// What an agent reports of its work.
    Report {
        peer: Peer,
        reports: Vec<WorkReport>,
    },
    /// Records that variables were read for an assignment.
    RecordVariablesRead {
        peer: Peer,
        assignment: AssignmentId,
        names: Vec<String>,
        digest: Digest,
    },
    /// Records that a package is about to be pulled for an assignment.
    RecordPullBegun {
        peer: Peer,
        assignment: AssignmentId,
        manifest: Digest,
        /// Bytes of content that are to travel.
        bytes: u64,
    },
    /// Records that a package was pulled for an assignment, whole.
    RecordPulled {
        peer: Peer,
        assignment: AssignmentId,
        manifest: Digest,
        /// Bytes of content that travelled.
        bytes: u64,
    },
    /// Gives up work that cannot be made into an assignment.
    GiveUpUndeliverable {
        target: TargetId,
        /// The assignments, each with why not, as a sentence without a secret.
        reasons: Vec<(AssignmentId, String)>,
    },
    /// Gives up what is over its deadline, a part of it at a time.
    GiveUpOverdue,
    /// The coordinator serves again after it did not: the time since the last record counts for nobody's deadline.
    RecordReturn,
    /// Records which targets with work have had no session for half a minute, and which of those are back.
    RecordPresence {
        lost: Vec<TargetId>,
        back: Vec<TargetId>,
    },
    /// Sets how much may run at once.
    SetCaps(Caps),
    /// Records that somebody was shown what a deployment would do.
    RecordPlan(Printed),
    /// Goes on with what earlier commands left to do: looks again at what rests on what has changed, and starts what
    /// may start. A part of it at a time; it is asked again until it changes nothing.
    GoOn,
}

impl Command {
    /// The stream that it writes to, and the space that it is about.
    pub(super) const fn stream(&self) -> (Stream, Option<SpaceId>) {
        match self {
            Self::RecordSnapshot { .. } | Self::RecordRefusals(_) => (Stream::Observations(None), None),
            Self::Space(space, command) if command.is_observation() => {
                (Stream::Observations(Some(*space)), Some(*space))
            }
            Self::Space(space, _) => (Stream::Space(*space), Some(*space)),
            // What its names mean is a matter of the space.
            Self::CreateToken { request, space, .. } if request.tenants.is_some() => {
                (Stream::Installation, Some(*space))
            }
            Self::Initialise { .. }
            | Self::CreateToken { .. }
            | Self::CreateAdministrator { .. }
            | Self::DeleteToken(_) => (Stream::Installation, None),
        }
    }

    /// A digest of what a person asks for, by which a request that is repeated is known to be the same one. What differs
    /// from time to time without being asked for (fresh ids and keys) does not count; for a sensitive value its keyed
    /// digest counts. `None` for what no person asks for.
    pub fn request_digest(&self) -> Option<Digest> {
        let asked = match self {
            Self::CreateToken { request, space, .. } => {
                json!({"token": request, "space": request.tenants.is_some().then_some(space)})
            }
            Self::DeleteToken(name) => json!({"delete-token": name}),
            Self::Space(space, command) => json!({"space": space, "command": command.asked()?}),
            Self::Initialise { .. }
            | Self::CreateAdministrator { .. }
            | Self::RecordRefusals(_)
            | Self::RecordSnapshot { .. } => {
                return None;
            }
        };
        // A tenant that is only now made has another data key each time, and its values other digests.
        let fresh = match self {
            Self::Space(_, SpaceCommand::Apply { keys, .. }) => {
                keys.values().map(ToString::to_string).collect()
            }
            _ => BTreeSet::new(),
        };
        Some(Digest::of(without_ciphertexts(asked, &fresh).to_string()))
    }
}

/// A sealed value is another one each time that it is sealed; its digest is not.
fn without_ciphertexts(value: Value, fresh: &BTreeSet<String>) -> Value {
    match value {
        Value::Object(map) if map.contains_key("ciphertext") => {
            let key = map.get("key").and_then(Value::as_str).unwrap_or_default();
            if fresh.contains(key) { json!("sensitive") } else { json!({"digest": map.get("digest")}) }
        }
        Value::Object(map) => {
            let inner = map.into_iter().map(|(key, value)| (key, without_ciphertexts(value, fresh)));
            Value::Object(inner.collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| without_ciphertexts(item, fresh)).collect())
        }
        other => other,
    }
}

impl SpaceCommand {
    fn asked(&self) -> Option<Value> {
        Some(match self {
            Self::Apply { request, .. } => json!({"apply": request}),
            Self::Delete { kind, name } => json!({"delete": [kind, name]}),
            Self::ChangeTenants { tenants, change } => json!({"tenants": tenants, "change": change}),
            Self::CreateEnrolment { request, .. } => json!({"enrolment": request}),
            Self::DeleteEnrolment(name) => json!({"delete-enrolment": name}),
            Self::ChangeTarget { target, change } => json!({"target": target, "change": change.asked()}),
            Self::AddPackage(package) => json!({"package": [package.key, package.manifest]}),
            Self::CreateRelease { request, .. } => json!({"release": request}),
            Self::Deploy(request) | Self::DeployPlanned(request, _) => json!({"deploy": request}),
            Self::Cancel(deployment) => json!({"cancel": deployment}),
            Self::SetCaps(caps) => json!({"caps": caps}),
            Self::ForgetEnrolments
            | Self::Enrol(_)
            | Self::Renew { .. }
            | Self::Greet(_)
            | Self::RecordAhead { .. }
            | Self::RecordClone { .. }
            | Self::RecordDenials { .. }
            | Self::RecordRepeats(_)
            | Self::Report { .. }
            | Self::RecordVariablesRead { .. }
            | Self::RecordPullBegun { .. }
            | Self::RecordPulled { .. }
            | Self::GiveUpUndeliverable { .. }
            | Self::GiveUpOverdue
            | Self::RecordReturn
            | Self::RecordPresence { .. }
            | Self::RecordPlan(_)
            | Self::GoOn => return None,
        })
    }

    /// Whether it tells what was seen, and changes nothing.
    const fn is_observation(&self) -> bool {
        matches!(
            self,
            Self::RecordClone { .. }
                | Self::RecordDenials { .. }
                | Self::RecordRepeats(_)
                | Self::RecordPlan(_)
        )
    }
}

impl TargetChange {
    fn asked(&self) -> Value {
        match self {
            Self::Grant(grant) => json!({"grant": grant}),
            Self::Enable => json!("enable"),
            Self::Disable => json!("disable"),
            Self::Revoke => json!("revoke"),
            Self::Confirm => json!("confirm"),
            Self::Delete => json!("delete"),
        }
    }
}

pub enum TargetChange {
    /// Sets its grant.
    Grant(GrantText),
    /// Lets it take part.
    Enable,
    /// Does not let it take part, and ends its session.
    Disable,
    /// Revokes its key, and ends its session.
    Revoke,
    /// Lets it take part again though its agent has seen later work than the journal knows.
    Confirm,
    Delete,
}

/// A report of an agent, with sensitive output sealed to its tenant's key.
pub struct WorkReport {
    pub assignment: AssignmentId,
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
        outcome: Outcome,
        /// What it set for later steps.
        outputs: BTreeMap<String, StoredValue>,
        /// Lines of output.
        lines: u64,
    },
}
