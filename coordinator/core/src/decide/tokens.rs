//! The installation and the tokens of its API.

use std::sync::Arc;

use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_protocol::ids::{KeyId, LifecycleId, SpaceId, TokenId};
use windlass_protocol::{Digest, DisplayName};

use super::{Draft, Reply};
use crate::authorise::role_at;
use crate::event::{InstallationEvent, Observation, SpaceMade, TokenCreated};
use crate::model::{ApiToken, Role, TenantLimit};
use crate::names::{self, PendingTenants};
use crate::state::State;

/// Seconds that a token is good for where nobody says: long enough for a pipeline, short enough to be forgotten.
const TOKEN_SECONDS: u64 = 90 * 24 * 3600;

/// Seconds that a token may be good for: a forgotten one ends by itself.
const MOST_TOKEN_SECONDS: u64 = 366 * 24 * 3600;

pub(super) fn initialise(
    draft: &mut Draft<'_>,
    authority: Digest,
    (token_id, secret): (TokenId, Digest),
    key: KeyId,
) -> Result<Reply, Problem> {
    if draft.state().authority.is_some() {
        return Err(Problem::conflict("this data folder holds an installation already"));
    }
    let slug = "default".parse().expect("a literal slug is one");
    let named = |text: &str| text.parse::<DisplayName>().expect("a literal name is one");
    let id = SpaceId::from_bytes(draft.fresh.bytes());
    let lifecycle = LifecycleId::from_bytes(draft.fresh.bytes());
    let space = SpaceMade { id, slug, name: named("Default"), key, lifecycle };
    let token = administrator(token_id, named("First administrator"), secret);
    draft.emit(InstallationEvent::Initialised { authority, space, token });
    Ok(Reply::TokenCreated(token_id))
}

/// A token that no other made, and that does not expire.
const fn administrator(id: TokenId, name: DisplayName, secret: Digest) -> TokenCreated {
    TokenCreated { id, name, secret, role: Role::Administrator, expires: None, limit: None, made_by: None }
}

pub(super) fn create(
    draft: &mut Draft<'_>,
    request: &windlass_api::requests::TokenRequest,
    (id, secret): (TokenId, Digest),
) -> Result<Reply, Problem> {
    let name = new_name(draft, &request.name)?;
    let role = match request.role.as_str() {
        "administrator" => Role::Administrator,
        "auditor" => Role::Auditor,
        other => {
            let text = format!("`{other}` is no role of a token; a role is `administrator` or `auditor`");
            return Err(Problem::usage(text));
        }
    };
    let limit = request.tenants.as_ref().map(|tenants| limit(draft, role, tenants)).transpose()?;
    let seconds = request.ttl_seconds.unwrap_or(TOKEN_SECONDS);
    if seconds > MOST_TOKEN_SECONDS {
        return Err(Problem::usage("a token is good for at most 366d; make another one before it ends"));
    }
    let expires = Some(draft.now().plus_seconds(seconds));
    let made_by = draft.envelope().actor.token();
    draft.emit(InstallationEvent::TokenCreated {
        token: TokenCreated { id, name, secret, role, expires, limit, made_by },
    });
    Ok(Reply::TokenCreated(id))
}

/// Whose things a token sees. Who changes something changes it for everybody that it is shared with, so that only who
/// reads is limited (SEMANTICS 10).
fn limit(draft: &Draft<'_>, role: Role, tenants: &QueryText) -> Result<TenantLimit, Problem> {
    if role != Role::Auditor {
        return Err(Problem::usage("only a token of an `auditor` is limited to tenants"));
    }
    let space = draft.space();
    let tenants = names::query(space, tenants, &PendingTenants::default())?;
    if tenants.includes_nothing() {
        return Err(Problem::usage("a token is limited to tenants that are named, or to tags; name one"));
    }
    Ok(TenantLimit { space: space.head.id, tenants: Arc::new(tenants) })
}

/// For who has the coordinator's machine, and needs nobody's leave: the way back in where the first token was never
/// seen or has to go.
pub(super) fn create_administrator(
    draft: &mut Draft<'_>,
    name: &str,
    (id, secret): (TokenId, Digest),
) -> Result<Reply, Problem> {
    if draft.state().authority.is_none() {
        return Err(Problem::conflict("there is no installation yet"));
    }
    let name = new_name(draft, name)?;
    draft.emit(InstallationEvent::TokenCreated { token: administrator(id, name, secret) });
    Ok(Reply::TokenCreated(id))
}

fn new_name(draft: &Draft<'_>, name: &str) -> Result<DisplayName, Problem> {
    let name: DisplayName = name.parse().map_err(|why| Problem::usage(format!("token `{name}`: {why}")))?;
    if draft.state().tokens.values().any(|token| token.name.folded() == name.folded()) {
        return Err(Problem::conflict(format!("there is a token `{name}` already")));
    }
    Ok(name)
}

pub(super) fn delete(draft: &mut Draft<'_>, name: &str) -> Result<Reply, Problem> {
    let folded = windlass_protocol::names::fold(name);
    let named = |token: &&ApiToken| token.name.folded() == folded || token.id.to_string() == name;
    let tokens = &draft.state().tokens;
    let token = tokens.values().find(named).map(|token| token.id).ok_or_else(|| {
        let names = tokens.values().map(|token| token.name.as_str());
        Problem::not_found(crate::catalogue::unknown("token", name, names))
    })?;
    refuse_last_administrator(draft, token)?;
    draft.emit(InstallationEvent::TokenDeleted { token });
    Ok(Reply::Done)
}

/// Without an administrator nobody could ever make one again. With a token go all that it made.
fn refuse_last_administrator(draft: &Draft<'_>, token: TokenId) -> Result<(), Problem> {
    let administers =
        |state: &State, id: &TokenId| role_at(state, *id, draft.now()) == Some(Role::Administrator);
    let mut after = draft.state().clone();
    let Some(gone) = after.tokens.remove(&token) else { return Ok(()) };
    if after.tokens.keys().any(|id| administers(&after, id)) || !administers(draft.state(), &token) {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "the token `{}` cannot be deleted: no administrator would be left, for the tokens that it made end with it; \
         `windlass-coordinator administrator` makes one that does not",
        gone.name
    )))
}

pub(super) fn record_snapshot(draft: &mut Draft<'_>, record: u64, digest: Digest) -> Result<Reply, Problem> {
    draft.emit(Observation::SnapshotTaken { record, digest });
    Ok(Reply::Done)
}
