//! What agents read and pull, and what happened again: the first time is recorded before the answer, the rest counted.

use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, EnrolmentId, TargetId};
use windlass_protocol::{Digest, Timestamp};

use super::{Draft, Reply, identified};
use crate::authorise::Peer;
use crate::event::Event;
use crate::state::{WorkItem, WorkKind};

/// Something that is in the journal and happened again, counted where it happens and recorded now and then, so that
/// nobody can fill the journal by asking again (SEMANTICS 11: who read what, when first, how often, when last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// What.
    pub what: Repeated,
    /// How often.
    pub count: u64,
    /// Bytes that travelled, of all times.
    pub bytes: u64,
    /// The first of these times.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// What happened again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeated {
    /// Variables were read, or a package pulled to its end.
    Read {
        /// By whom.
        target: TargetId,
        /// For what.
        assignment: AssignmentId,
        /// The digest of the variables, or the package's manifest.
        digest: Digest,
    },
    /// A pull ended before its end.
    PullBroken {
        /// Whose.
        target: TargetId,
        /// For what.
        assignment: AssignmentId,
        /// The package's manifest.
        manifest: Digest,
    },
    /// Two live sessions had one certificate.
    Clone {
        /// Whose.
        target: TargetId,
        /// Where the older ones came from.
        older: String,
        /// Where the newer ones came from.
        newer: String,
    },
    /// The use of an enrolment token was refused.
    EnrolmentRefused {
        /// The token.
        enrolment: EnrolmentId,
        /// Why.
        reason: String,
        /// From where.
        origin: String,
    },
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
    draft.emit(Event::VariablesRead { deployment, step, target, names: names.to_vec(), digest });
    Ok(Reply::Done)
}

pub(super) fn pulled(
    draft: &mut Draft<'_>,
    peer: &Peer,
    assignment: AssignmentId,
    manifest: Digest,
    bytes: u64,
) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let item = draft.space().work_item(target, assignment).copied();
    let Some(WorkItem { deployment, kind, .. }) = item else {
        return Err(Problem::not_found("there is no such assignment"));
    };
    if draft.space().was_handed_out(target, assignment, manifest) {
        return Ok(Reply::ReadBefore);
    }
    draft.emit(Event::PackagePulled { deployment, step: kind.step(), target, manifest, bytes });
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
fn event(draft: &Draft<'_>, repeat: &Repeat) -> Option<Event> {
    let Repeat { what, count, bytes, first, last } = repeat.clone();
    Some(match what {
        Repeated::Read { target, assignment, digest } => {
            let assigned = draft.space().assigned(target, assignment)?;
            // A step that pulled its package again read no variables by that.
            let package = |step| draft.space().package_of(assigned.deployment, step);
            let step = assigned.kind.step().filter(|step| package(*step) != Some(digest));
            Event::ReadAgain {
                deployment: assigned.deployment,
                step,
                target,
                digest,
                bytes,
                count,
                first,
                last,
            }
        }
        Repeated::PullBroken { target, assignment, manifest } => {
            let deployment = draft.space().assigned(target, assignment)?.deployment;
            Event::PullBroken { deployment, target, manifest, bytes, count, first, last }
        }
        Repeated::Clone { target, older, newer } => {
            Event::CloneSuspectedAgain { target, older, newer, count, first, last }
        }
        Repeated::EnrolmentRefused { enrolment, reason, origin } => {
            Event::EnrolmentRefusedAgain { enrolment, reason, origin, count, first, last }
        }
    })
}
