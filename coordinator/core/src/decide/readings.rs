//! What agents read and pull, and what happened again: the first time is recorded before the answer, the rest counted.

use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, DeploymentId, EnrolmentId, StepId, TargetId, TokenId};
use windlass_protocol::{Digest, Timestamp};

use windlass_protocol::message::EnrolRefusal;

use super::{Draft, Reply, identified};
use crate::authorise::Peer;
use crate::event::{Counted, DeploymentEvent, Observation, StrangerReason};
use crate::state::{WorkItem, WorkKind};

/// Something that is in the journal and happened again, counted where it happens and recorded now and then, so that
/// nobody can fill the journal by asking again (SEMANTICS 11: who read what, when first, how often, when last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    pub what: Repeated,
    pub count: u64,
    /// Bytes that travelled, of all times.
    pub bytes: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What happened again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeated {
    /// Variables were read, or a package pulled to its end.
    Read {
        /// By whom.
        target: TargetId,
        assignment: AssignmentId,
        /// The digest of the variables, or the package's manifest.
        digest: Digest,
    },
    /// A pull ended before its end.
    PullBroken { target: TargetId, assignment: AssignmentId, manifest: Digest },
    /// Two live sessions had one certificate.
    Clone {
        target: TargetId,
        /// Where the older ones came from.
        older: String,
        /// Where the newer ones came from.
        newer: String,
    },
    /// The use of an enrolment token was refused.
    EnrolmentRefused { enrolment: EnrolmentId, rule: EnrolRefusal, origin: String },
}

pub(super) fn variables_read(
    draft: &mut Draft<'_>,
    peer: &Peer,
    assignment: AssignmentId,
    names: &[String],
    digest: Digest,
) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let item = draft.space().work_item(target, assignment).copied();
    let Some(WorkItem { deployment, kind: WorkKind::Run(step), .. }) = item else {
        return Err(Problem::not_found("there is no such assignment"));
    };
    if draft.space().was_handed_out(target, assignment, digest) {
        return Ok(Reply::ReadBefore);
    }
    draft.emit(DeploymentEvent::VariablesRead { deployment, step, target, names: names.to_vec(), digest });
    Ok(Reply::Done)
}

/// A pull begins: recorded before a byte of it leaves, once for an assignment. How it ends is told when it does.
pub(super) fn pull_begun(
    draft: &mut Draft<'_>,
    peer: &Peer,
    assignment: AssignmentId,
    manifest: Digest,
    bytes: u64,
) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let (deployment, step) = pulling(draft, target, assignment, manifest)?;
    if draft.space().was_handed_out(target, assignment, manifest) {
        return Ok(Reply::ReadBefore);
    }
    let names = names_of(draft, deployment, manifest);
    draft.emit(DeploymentEvent::PullBegun { deployment, step, target, names, manifest, bytes });
    Ok(Reply::Done)
}

/// The deployment that is pulled for, and the step, where its package is pulled again.
fn pulling(
    draft: &Draft<'_>,
    target: TargetId,
    assignment: AssignmentId,
    manifest: Digest,
) -> Result<(DeploymentId, Option<StepId>), Problem> {
    let item = draft.space().work_item(target, assignment).filter(|item| {
        // A step pulls its own package again, and no other.
        item.kind.step().is_none_or(|step| draft.space().package_of(item.deployment, step) == Some(manifest))
    });
    let item = item.ok_or_else(|| Problem::not_found("there is no such assignment"))?;
    Ok((item.deployment, item.kind.step()))
}

/// What a deployment calls a package.
fn names_of(draft: &Draft<'_>, deployment: DeploymentId, manifest: Digest) -> Vec<String> {
    let space = draft.space();
    let release = space.deployments.get(&deployment).and_then(|found| space.releases.get(&found.release()));
    let packages = release.iter().flat_map(|release| release.packages.values());
    let names = packages.filter(|package| package.manifest == manifest);
    names
        .map(|package| format!("{} {}", package.id, package.version))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// A pull has come to its end: recorded where the target did not have this package whole before.
pub(super) fn pulled(
    draft: &mut Draft<'_>,
    peer: &Peer,
    assignment: AssignmentId,
    manifest: Digest,
    bytes: u64,
) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let (deployment, step) = pulling(draft, target, assignment, manifest)?;
    if draft.space().pulled.contains(&(target, manifest)) {
        return Ok(Reply::ReadBefore);
    }
    draft.emit(DeploymentEvent::PackagePulled { deployment, step, target, manifest, bytes });
    Ok(Reply::Done)
}

/// Who was refused before anything was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// Somebody whom nobody knows, and why.
    Stranger(StrangerReason),
    /// Whoever holds this token, which may not do what was asked for.
    Token(TokenId),
}

/// Requests that were refused, counted where that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    pub refused: Refused,
    pub origin: String,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Records refusals.
pub(super) fn refusals(draft: &mut Draft<'_>, counts: &[Refusals]) -> Result<Reply, Problem> {
    for Refusals { refused, origin, count, first, last } in counts.iter().cloned() {
        let counted = Counted { count, first, last };
        draft.emit(match refused {
            Refused::Stranger(reason) => Observation::StrangerRefused { reason, origin, counted },
            Refused::Token(token) => Observation::TokenRefused { token, origin, counted },
        });
    }
    Ok(Reply::Done)
}

/// Records what happened again. What it was for may be over by now; who asks later finds it all the same.
pub(super) fn repeats(draft: &mut Draft<'_>, repeats: &[Repeat]) -> Result<Reply, Problem> {
    for repeat in repeats {
        if let Some(event) = event(draft, repeat) {
            draft.emit(event);
        }
    }
    Ok(Reply::Done)
}

/// None where nobody knows any more what it was about.
fn event(draft: &Draft<'_>, repeat: &Repeat) -> Option<Observation> {
    let Repeat { what, count, bytes, first, last } = repeat.clone();
    let counted = Counted { count, first, last };
    Some(match what {
        Repeated::Read { target, assignment, digest } => {
            let assigned = draft.space().assigned(target, assignment)?;
            // A step that pulled its package again read no variables by that.
            let package = |step| draft.space().package_of(assigned.deployment, step);
            let step = assigned.kind.step().filter(|step| package(*step) != Some(digest));
            let deployment = assigned.deployment;
            Observation::ReadAgain { deployment, step, target, digest, bytes, counted }
        }
        Repeated::PullBroken { target, assignment, manifest } => {
            let deployment = draft.space().assigned(target, assignment)?.deployment;
            Observation::PullBroken { deployment, target, manifest, bytes, counted }
        }
        Repeated::Clone { target, older, newer } => {
            Observation::CloneSuspectedAgain { target, older, newer, counted }
        }
        Repeated::EnrolmentRefused { enrolment, rule, origin } => {
            Observation::EnrolmentRefusedAgain { enrolment, rule, origin, counted }
        }
    })
}
