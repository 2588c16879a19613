//! Tokens: of the API, and for enrolment. A token is answered once, when it is made.

use axum::Json;
use windlass_api::answers::{Done, EnrolmentItem, Page, TokenItem, TokenMade, Whoami};
use windlass_api::error::Problem;
use windlass_api::query::QueryText;
use windlass_api::requests::{EnrolmentRequest, TokenRequest};
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand};
use windlass_coordinator_core::model::{ApiToken, Enrolment, TenantLimit};
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{EnrolmentId, TokenId};
use windlass_protocol::token::{Token, TokenKind};
use zeroize::Zeroizing;

use super::caller::{Changer, Reader};
use super::extract::{Asked, Body, Named};
use super::pages::Paging;
use super::refusal::{Answer, Refusal};
use super::{Context, display, documents};
use crate::engine::random;

fn fresh(context: &Context, kind: TokenKind) -> Token {
    Token {
        kind,
        id: random(),
        secret: Zeroizing::new(random()),
        fingerprint: context.services.authority.fingerprint(),
    }
}

/// The answer to a request that is repeated: of the secret only a digest was kept, and the one that was made for this
/// request opens nothing. Whoever asks again has no use for an answer without it, so it is a refusal.
fn shown_before(what: &str, id: &dyn std::fmt::Display) -> Problem {
    Problem::conflict(format!(
        "the {what} {id} was made when this was asked for the first time, and its secret was shown once, then; if it \
         is lost, delete the {what} and make another one with another Idempotency-Key"
    ))
}

/// Who asks, and whom.
#[utoipa::path(get, path = "/whoami", tag = "tokens", responses((status = 200, body = Whoami)))]
pub async fn whoami(caller: Reader) -> Answer<Whoami> {
    let sight = caller.sight()?;
    let token = sight.token(caller.token()).ok_or_else(Refusal::unknown_caller)?;
    Ok(Json(Whoami {
        token: token.name.to_string(),
        role: Some(sight.permit().role()),
        expires: token.expires.map(display::time),
        space: sight.space().head.name.to_string(),
        authority: caller.context.services.authority.fingerprint().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Makes a token of the API. It is at most as strong as the token that made it, at every moment.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 200, body = TokenMade)))]
pub async fn create(caller: Changer, Body(request): Body<TokenRequest>) -> Answer<TokenMade> {
    let token = fresh(&caller.context, TokenKind::Api);
    let id = TokenId::from_bytes(token.id);
    let space = caller.sight()?.space_id();
    let command = Command::CreateToken { request, space, token: (id, token.secret_digest()) };
    match caller.submit(command, None).await? {
        Reply::TokenCreated(made) if made == id => {}
        Reply::TokenCreated(made) => return Err(shown_before("token", &made).into()),
        _ => return Err(Refusal::internal("making a token", &"the decision has another answer")),
    }
    let sight = caller.sight()?;
    let expires = sight.token(id).and_then(|made| made.expires).map(display::time);
    let (id, token) = (id.to_string(), token.to_text().to_string());
    Ok(Json(TokenMade { id, token, expires, warnings: Vec::new() }))
}

/// The tokens of the API, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(Paging),
    responses((status = 200, body = Page<TokenItem>)))]
pub async fn list(caller: Reader, Asked(paging): Asked<Paging>) -> Answer<Page<TokenItem>> {
    let sight = caller.sight()?;
    let mut tokens: Vec<_> = sight.tokens().filter(|token| paging.admits([token.name.as_str()])).collect();
    tokens.sort_by_key(|token| token.name.folded());
    let keyed = tokens.into_iter().map(|token| (token.name.folded(), token));
    Ok(Json(paging.page(keyed, |token| item(&sight, token))?))
}

fn item(sight: &Sight, token: &ApiToken) -> TokenItem {
    TokenItem {
        id: token.id.to_string(),
        name: token.name.to_string(),
        role: token.role,
        expires: token.expires.map(display::time),
        tenants: token.limit.as_ref().map(|limit| limited_to(sight, limit)),
        made_by: made_by(sight, token.made_by),
    }
}

/// Whose things a token sees. Who is limited is told whom it sees, not by what. A token of another space names its tenants by
/// their ids here.
fn limited_to(sight: &Sight, limit: &TenantLimit) -> QueryText {
    let space = sight.space();
    if sight.is_whole() {
        return documents::query_text(space, &limit.tenants);
    }
    let tenants = space.tenants.by_name().map(|tenant| tenant.name.to_string());
    QueryText { tenants: tenants.collect(), ..QueryText::default() }
}

/// The token that made one, if that is seen; its id where it was deleted.
fn made_by(sight: &Sight, id: Option<TokenId>) -> Option<String> {
    id.filter(|id| sight.is_whole() || sight.token(*id).is_some()).map(|id| display::token(sight, id))
}

/// Takes a token of the API back, and with it every token that it made. The last administrator's stays.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "tokens",
    params(("name" = String, Path, description = "Id or name.")),
    responses((status = 200, body = Done)))]
pub async fn delete(caller: Changer, Named(name): Named<String>) -> Answer<Done> {
    caller.submit(Command::DeleteToken(name), None).await?;
    caller.tells_that_it_is_done();
    Ok(Json(Done {}))
}

/// Makes an enrolment token. Who enrols with it is granted its scope and nothing more.
#[utoipa::path(post, path = "/enrolments", tag = "targets", request_body = EnrolmentRequest,
    responses((status = 200, body = TokenMade)))]
pub async fn create_enrolment(caller: Changer, Body(request): Body<EnrolmentRequest>) -> Answer<TokenMade> {
    let token = fresh(&caller.context, TokenKind::Enrolment);
    let id = EnrolmentId::from_bytes(token.id);
    let command = SpaceCommand::CreateEnrolment { request, token: (id, token.secret_digest()) };
    match caller.submit_in_space(command, None).await? {
        Reply::EnrolmentCreated(made) if made == id => {}
        Reply::EnrolmentCreated(made) => return Err(shown_before("enrolment token", &made).into()),
        _ => return Err(Refusal::internal("making a token", &"the decision has another answer")),
    }
    let sight = caller.sight()?;
    let made = sight.space().enrolments.get(&id);
    let expires = made.map(|made| display::time(made.expires));
    let lacks = made.map(|made| made.granted.lacks()).unwrap_or_default();
    let warnings = lacks.into_iter().map(str::to_owned).collect();
    Ok(Json(TokenMade { id: id.to_string(), token: token.to_text().to_string(), expires, warnings }))
}

/// Takes an enrolment token back: it enrols nobody from now on. Who has enrolled with it stays.
#[utoipa::path(delete, path = "/enrolments/{name}", tag = "targets",
    params(("name" = String, Path,
        description = "Id, the first 8 characters of it behind `enrolment-` or more, or the name that the target gets; where no \
                       other token has the same.")),
    responses((status = 200, body = Done)))]
pub async fn delete_enrolment(caller: Changer, Named(name): Named<String>) -> Answer<Done> {
    caller.submit_in_space(SpaceCommand::DeleteEnrolment(name), None).await?;
    Ok(Json(Done {}))
}

/// The enrolment tokens, without their secrets. They leave the list seven days after they have expired.
#[utoipa::path(get, path = "/enrolments", tag = "targets", params(Paging),
    responses((status = 200, body = Page<EnrolmentItem>)))]
pub async fn list_enrolments(caller: Reader, Asked(paging): Asked<Paging>) -> Answer<Page<EnrolmentItem>> {
    let sight = caller.sight()?;
    let space = sight.space();
    let keyed = space.enrolments.values().map(|token| (token.id.to_string(), token));
    let admitted = keyed.filter(|(id, token)| {
        paging.admits(token.name.as_ref().map(|name| name.as_str()).into_iter().chain([id.as_str()]))
    });
    Ok(Json(paging.page(admitted, |token| enrolment(&sight, space, token))?))
}

fn enrolment(sight: &Sight, space: &Space, token: &Enrolment) -> EnrolmentItem {
    EnrolmentItem {
        id: token.id.to_string(),
        uses: token.uses,
        used: u32::try_from(token.used_by.len()).unwrap_or(u32::MAX),
        expires: display::time(token.expires),
        name: token.name.as_ref().map(ToString::to_string),
        target: token.target.map(|id| display::name(&space.targets, id)),
        roles: token.granted.roles.iter().cloned().collect(),
        environments: display::environments(space, &token.granted.environments),
        tenants: documents::query_text(space, &token.granted.tenants),
        participation: display::participation(token.granted.participation),
        made_by: made_by(sight, token.made_by),
    }
}
