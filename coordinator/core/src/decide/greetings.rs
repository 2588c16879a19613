//! What agents say when they come: what is new in it is recorded as they said it (SEMANTICS 3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{Advertised, Isolation};

use super::{Draft, Reply, identified, reports};
use crate::authorise::Peer;
use crate::event::TargetEvent;
use crate::model::Advertisement;
use crate::scope;

/// Claims of one target that are told in the journal: a machine that makes up more has made its point, and must not
/// fill the journal or the memory of the coordinator.
const MOST_TOLD_CLAIMS: usize = 1000;

/// What an agent says when it comes.
#[derive(Debug, Clone)]
pub struct Greeting {
    pub peer: Peer,
    pub advertised: Advertised,
    pub isolation: Isolation,
    pub agent_version: String,
    /// What it holds unfinished; none where there is more than it can say.
    pub unfinished: Option<BTreeSet<AssignmentId>>,
    /// Whether it may say something else than before: it has not done so too often lately.
    pub may_change: bool,
}

/// What came of a greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greeted {
    /// It says what it said before.
    Known,
    /// It says something new, and that is recorded.
    Changed,
    /// It says something new too often: nothing is recorded, and nothing rests on it.
    TooOften,
}

pub(super) fn greet(draft: &mut Draft<'_>, greeting: &Greeting) -> Result<Reply, Problem> {
    let id = identified(draft, &greeting.peer)?;
    let said = Advertisement::new(&greeting.advertised, greeting.isolation, &greeting.agent_version);
    let is_news = draft.space().targets.get(id).is_some_and(|target| target.advertised != said);
    if is_news && !greeting.may_change {
        return Ok(Reply::Greeted(Greeted::TooOften));
    }
    advertise(draft, id, said);
    if let Some(unfinished) = &greeting.unfinished {
        reports::end_lost(draft, id, unfinished);
    }
    Ok(Reply::Greeted(if is_news { Greeted::Changed } else { Greeted::Known }))
}

/// Records what an agent says, if that is something else than before, and what of it is outside its grant.
pub(super) fn advertise(draft: &mut Draft<'_>, id: TargetId, said: Advertisement) {
    if draft.space().targets.get(id).is_some_and(|target| target.advertised != said) {
        draft.emit(TargetEvent::Advertised { target: id, advertised: said });
    }
    tell_claims(draft, id);
}

/// Records what a target's agent claims outside its grant and was not told before.
pub(super) fn tell_claims(draft: &mut Draft<'_>, id: TargetId) {
    let space = draft.space();
    let Some(target) = space.targets.get(id) else { return };
    let room = MOST_TOLD_CLAIMS.saturating_sub(target.told_claims.len());
    let untold = scope::over_claims(space, target).filter(|claim| !target.told_claims.contains(claim));
    let claims: BTreeSet<_> = untold.take(room).collect();
    if !claims.is_empty() {
        draft.emit(TargetEvent::OverClaimed { target: id, claims });
    }
}
