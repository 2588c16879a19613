//! Enrolment: tokens are made, used atomically with the registration, and taken back (SEMANTICS 3, THREATS C1).

use std::sync::Arc;

use windlass_api::error::Problem;
use windlass_api::requests::EnrolmentRequest;
use windlass_protocol::ids::{EnrolmentId, TargetId};
use windlass_protocol::message::{Advertised, EnrolRefusal, Isolation};
use windlass_protocol::names::fold;
use windlass_protocol::{Digest, DisplayName, Slug};

use super::{Draft, Reply, greetings, targets};
use crate::authorise::{self, Action};
use crate::catalogue::unknown;
use crate::event::{EnrolmentCreated, EnrolmentEvent, TargetEnrolled, TargetEvent};
use crate::model::{Advertisement, Enrolment, TargetKey};
use crate::state::Space;

/// Seconds that an enrolment token is good for where nobody says.
const TOKEN_SECONDS: u64 = 3600;
/// Seconds that an enrolment token may be good for: a month is enough to set machines up ahead, and what is found in
/// an old file or a copied image is worth nothing.
const MOST_TOKEN_SECONDS: u64 = 30 * 24 * 3600;
/// Uses of one token: more machines are enrolled with more tokens.
const MOST_USES: u32 = 10_000;

/// A machine that wants to be a target.
#[derive(Debug, Clone)]
pub struct EnrolmentUse {
    pub enrolment: EnrolmentId,
    /// SHA-256 of the secret that the machine sent.
    pub secret: Digest,
    /// Its key, with the expiry of the certificate that it gets if it is enrolled.
    pub key: TargetKey,
    /// The name that it would like to have.
    pub name: String,
    pub advertised: Advertised,
    pub isolation: Isolation,
}

pub(super) fn create(
    draft: &mut Draft<'_>,
    request: &EnrolmentRequest,
    (id, secret): (EnrolmentId, Digest),
) -> Result<Reply, Problem> {
    let uses = request.uses.unwrap_or(1);
    if !(1..=MOST_USES).contains(&uses) {
        return Err(Problem::usage(format!("a token is for 1 to {MOST_USES} uses")));
    }
    let seconds = request.ttl_seconds.unwrap_or(TOKEN_SECONDS);
    if !(1..=MOST_TOKEN_SECONDS).contains(&seconds) {
        let text = "an enrolment token is good for 1s to 30d; make another one when it is needed";
        return Err(Problem::usage(text));
    }
    let name = request.name.as_deref().map(str::parse::<DisplayName>).transpose();
    let name = name.map_err(|why| Problem::usage(format!("the target's name: {why}")))?;
    if name.is_some() && uses > 1 {
        return Err(Problem::usage("a token with a name is for one target; leave out the name or the uses"));
    }
    let (target, granted) = match &request.target {
        Some(text) => {
            if request.grant != windlass_api::requests::GrantText::default() {
                return Err(Problem::usage("enrolling a target again keeps its grant; name no scope"));
            }
            let target = draft.space().targets.find(text)?;
            (Some(target.id), target.granted.clone())
        }
        None => (None, targets::granted(draft.space(), &request.grant, None)?),
    };
    if let Some(name) = &name
        && let Some(taken) = draft.space().targets.named(name.as_str())
    {
        return Err(Problem::conflict(format!("there is a target `{}` already", taken.name)));
    }
    let expires = draft.now().plus_seconds(seconds);
    let made_by = draft.envelope().actor.token();
    let enrolment = EnrolmentCreated { id, secret, uses, expires, granted, name, target, made_by };
    draft.emit(EnrolmentEvent::Created { enrolment });
    Ok(Reply::EnrolmentCreated(id))
}

/// Takes a token back: it enrols nobody from now on. Who has enrolled with it stays.
pub(super) fn delete(draft: &mut Draft<'_>, text: &str) -> Result<Reply, Problem> {
    let enrolment = find(draft.space(), text)?;
    draft.emit(EnrolmentEvent::Deleted { enrolment });
    Ok(Reply::Done)
}

/// Characters of an id, behind its kind, by which one token is told from another.
const PREFIX: usize = 8;

/// The token that `text` names: by its id, by the name that its target gets, or by the beginning of its id, where one token
/// alone has that. It is a person who chooses here, and nothing that anybody may do (SEMANTICS 1).
fn find(space: &Space, text: &str) -> Result<EnrolmentId, Problem> {
    let tokens = &space.enrolments;
    if let Some(id) = text.parse().ok().filter(|id| tokens.contains_key(id)) {
        return Ok(id);
    }
    let folded = fold(text);
    let named = |token: &&Arc<Enrolment>| token.name.as_ref().is_some_and(|name| name.folded() == folded);
    let start = text.strip_prefix("enrolment-").unwrap_or(text);
    let begins = |token: &&Arc<Enrolment>| {
        start.len() >= PREFIX && token.id.to_string().trim_start_matches("enrolment-").starts_with(start)
    };
    let mut found: Vec<_> = tokens.values().filter(named).collect();
    if found.is_empty() {
        found = tokens.values().filter(begins).collect();
    }
    match (found.first(), found.len()) {
        (Some(token), 1) => Ok(token.id),
        (Some(_), _) => Err(Problem::conflict(format!(
            "several enrolment tokens are called `{text}`; give the whole id of the one you mean"
        ))),
        (None, _) => {
            let names = tokens.values().filter_map(|token| token.name.as_ref()).map(DisplayName::as_str);
            Err(Problem::not_found(unknown("enrolment token", text, names)))
        }
    }
}

/// Tokens that are let go of in one record; the rest is in the next ones.
const MOST_FORGOTTEN: usize = 1000;

/// Lets go of tokens that expired long ago, so that the state does not grow with every machine that there ever was.
pub(super) fn forget_expired(draft: &mut Draft<'_>) -> Result<Reply, Problem> {
    let now = draft.now();
    let tokens = draft.space().enrolments.values();
    let over = tokens.filter(|token| token.leaves() < now).map(|token| token.id);
    let over: Vec<_> = over.take(MOST_FORGOTTEN).collect();
    for enrolment in over {
        draft.emit(EnrolmentEvent::Forgotten { enrolment });
    }
    Ok(Reply::Done)
}

/// Uses a token. A refusal is a decision as well: who has the token's secret is told why, and the first one for a reason
/// is recorded. What repeats is counted by who asked for the decision.
pub(super) fn enrol(draft: &mut Draft<'_>, machine: &EnrolmentUse) -> Result<Reply, Problem> {
    let refused = |reason| Ok(Reply::EnrolmentRefused(reason));
    let Some(token) = draft.space().enrolments.get(&machine.enrolment).cloned() else {
        return refused(EnrolRefusal::Unknown);
    };
    // Without the secret nobody learns anything of the token, and nobody can fill the journal.
    if token.secret != machine.secret {
        return refused(EnrolRefusal::Unknown);
    }
    // The same agent asking again, with the same keys because the answer was lost, gets the same registration.
    let again = token.used_by.iter().find(|(_, key)| *key == machine.key.public_key);
    if let Some((target, _)) = again
        && draft.space().targets.get(*target).is_some_and(|known| known.key.is_same(&machine.key))
    {
        return Ok(Reply::Enrolled(*target));
    }
    match check(draft, &token, machine) {
        Err(reason) => {
            if token.refused.contains(&reason) {
                return Ok(Reply::EnrolmentRefusedAgain(reason));
            }
            draft.emit(EnrolmentEvent::Refused { enrolment: token.id, rule: reason });
            refused(reason)
        }
        Ok((name, slug)) => Ok(Reply::Enrolled(register(draft, &token, machine, name, slug))),
    }
}

fn check(
    draft: &Draft<'_>,
    token: &Enrolment,
    machine: &EnrolmentUse,
) -> Result<(DisplayName, Slug), EnrolRefusal> {
    if token.used_by.len() >= token.uses as usize {
        return Err(EnrolRefusal::Used);
    }
    if draft.now() > token.expires {
        return Err(EnrolRefusal::Expired);
    }
    if !authorise::maker_may(draft.state(), token.made_by, Action::Change, draft.now()) {
        return Err(EnrolRefusal::MakerGone);
    }
    if let Some(id) = token.target {
        let target = draft.space().targets.get(id).ok_or(EnrolRefusal::Unknown)?;
        return Ok((target.name.clone(), target.slug.clone()));
    }
    let name = match &token.name {
        Some(name) => name.clone(),
        None => machine.name.parse().map_err(|_| EnrolRefusal::BadName)?,
    };
    let slug = Slug::suggested_by(name.as_str()).ok_or(EnrolRefusal::BadName)?;
    let targets = &draft.space().targets;
    if targets.named(name.as_str()).is_some() || targets.named(slug.as_str()).is_some() {
        return Err(EnrolRefusal::NameTaken);
    }
    Ok((name, slug))
}

fn register(
    draft: &mut Draft<'_>,
    token: &Enrolment,
    machine: &EnrolmentUse,
    name: DisplayName,
    slug: Slug,
) -> TargetId {
    let key = machine.key.clone();
    let id = match token.target {
        Some(target) => {
            draft.emit(TargetEvent::EnrolledAgain { enrolment: token.id, target, key });
            target
        }
        None => {
            let id = TargetId::from_bytes(draft.fresh.bytes());
            let granted = token.granted.clone();
            let target = TargetEnrolled { id, slug, name, key, granted };
            draft.emit(TargetEvent::Enrolled { enrolment: token.id, target });
            id
        }
    };
    greetings::advertise(draft, id, Advertisement::new(&machine.advertised, machine.isolation, ""));
    id
}
