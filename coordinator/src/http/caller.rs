//! Who asks: the one extractor through which every handler learns it, authorised anew each time.
//!
//! A handler that reads takes a [`Reader`], one that changes something a [`Changer`]. Only the latter can submit a
//! command, and the decision asks for the token's right once more, so that one taken back during a long upload changes
//! nothing any more.

mod right;
mod shown;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use windlass_api::error::Problem;
use windlass_api::requests::{ReleaseRequest, TenantRequest};
use windlass_coordinator_core::authorise::{Action, PersonDenied, PersonPermit};
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::decide::{Command, Refused, Reply, SpaceCommand, decide_while};
use windlass_coordinator_core::event::{Actor, Request, StrangerReason};
use windlass_coordinator_core::sight::Sight;
use windlass_protocol::Digest;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::token::{Token, TokenKind};

use right::TokenRight;
pub(super) use shown::Showings;

use super::Context;
use super::connection_state::ConnectionState;
use super::cost::{self, Cost, Reserved};
use super::extract::Asker;
use super::refusal::Refusal;
use crate::engine::Engine;

/// The header with which a request that changes something may be repeated: the same key gets the same answer.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest such key.
pub const LONGEST_KEY: usize = 200;

/// Somebody who may read, or also change.
pub struct Caller<const CHANGES: bool> {
    /// The parts of the coordinator.
    pub context: Context,
    /// What it may ask for, and its answer be sent with.
    right: Arc<TokenRight>,
    origin: Option<String>,
    space: Option<String>,
    /// The key that the request may be repeated with.
    key: Option<String>,
    /// A digest of what is asked for, where the command alone does not tell ([`Caller::asks`]).
    asked: Option<Digest>,
    /// What the route says that it costs.
    pub(super) cost: Cost,
}

/// Somebody who may read everything that is not secret.
pub type Reader = Caller<false>;
/// Somebody who may change things.
pub type Changer = Caller<true>;

/// What decides. Only what is here asks it for a state, so that whoever answers sees what its caller may see.
#[derive(Clone)]
pub struct Decider(Engine);

impl Decider {
    /// The engine.
    pub const fn new(engine: Engine) -> Self {
        Self(engine)
    }
}

impl<const CHANGES: bool> Caller<CHANGES> {
    /// Whether it still holds what the request was admitted for. Asked again wherever time has passed.
    pub fn authorise(&self) -> Result<(), Refusal> {
        self.ask().map(drop).map_err(refusal)
    }

    fn ask(&self) -> Result<PersonPermit, PersonDenied> {
        self.right.permit(&self.context.decider.0.state())
    }

    /// What the caller sees now of the space that is asked about: everything in an answer is of the same moment.
    pub fn sight(&self) -> Result<Sight, Refusal> {
        let state = self.context.decider.0.state();
        let permit = self.right.permit(&state).map_err(refusal)?;
        let opened = Sight::open(state, &permit, self.space.as_deref());
        let sight = opened.map_err(|names| {
            let names = names.iter().map(String::as_str);
            Problem::not_found(unknown("space", self.space.as_deref().unwrap_or_default(), names))
        })?;
        self.right.shows(&sight);
        Ok(sight)
    }

    /// Whether everything is seen, and not only what is of some tenants.
    pub fn sees_all(&self) -> Result<bool, Refusal> {
        Ok(self.ask().map_err(refusal)?.limits().is_empty())
    }

    /// Records what was looked at: whoever may read may do that, and no decision rests on it.
    pub async fn observe(&self, command: SpaceCommand) -> Result<(), Refusal> {
        let space = self.sight()?.space_id();
        let envelope = Engine::envelope(Actor::Token(self.token()), self.origin.clone());
        self.context.decider.0.submit(envelope, Command::Space(space, command)).await?;
        Ok(())
    }

    /// The token that asks.
    pub fn token(&self) -> TokenId {
        self.right.token()
    }
}

/// A request in which no value can be sensitive: a bare digest of it stands in the journal (SEMANTICS 11).
pub trait Plain: serde::Serialize {}

impl Plain for ReleaseRequest {}
impl Plain for TenantRequest {}

impl Changer {
    /// Says what is asked for, where the command that comes of it depends on what is there as well: a repetition is
    /// known by what was asked. Tells the answer that it had the first time, if this is one.
    pub fn asks(&mut self, what: &str, request: &impl Plain) -> Result<Option<Reply>, Refusal> {
        if self.key.is_none() {
            return Ok(None);
        }
        let sight = self.sight()?;
        let digest = Digest::of(serde_json::json!([sight.space_id(), what, request]).to_string());
        self.asked = Some(digest);
        self.answered(digest)
    }

    /// Whether this is a repetition of a command in the space, which has its answer already.
    pub fn repeats_in_space(&self, command: SpaceCommand) -> Result<bool, Refusal> {
        let command = Command::Space(self.sight()?.space_id(), command);
        let answered = command.request_digest().map(|digest| self.answered(digest)).transpose()?;
        Ok(answered.flatten().is_some())
    }

    /// The answer that a request with this digest had the first time, if this is a repetition.
    fn answered(&self, digest: Digest) -> Result<Option<Reply>, Refusal> {
        let Some(key) = self.key.clone() else { return Ok(None) };
        let request = Request { token: self.token(), key, digest };
        let envelope = Engine::envelope(Actor::Token(self.token()), self.origin.clone());
        let state = self.context.decider.0.state();
        Ok(state.requests.answer(&request, envelope.moment(&state))?)
    }

    /// Decides a command of the installation; the answer comes when it is durable.
    pub async fn submit(&self, command: Command, reason: Option<String>) -> Result<Reply, Refusal> {
        let mut envelope = Engine::envelope(Actor::Token(self.token()), self.origin.clone());
        envelope.reason = reason;
        envelope.request = match (&self.key, self.asked.or_else(|| command.request_digest())) {
            (Some(key), Some(digest)) => Some(Request { token: self.token(), key: key.clone(), digest }),
            _ => None,
        };
        Ok(self.context.decider.0.submit(envelope, command).await?)
    }

    /// Decides a command in the space that is asked about.
    pub async fn submit_in_space(
        &self,
        command: SpaceCommand,
        reason: Option<String>,
    ) -> Result<Reply, Refusal> {
        let space = self.sight()?.space_id();
        self.submit(Command::Space(space, command), reason).await
    }

    /// Keys that were made for a command have their record, or will have none. Where the journal did not take it, that is
    /// certain with the next record.
    pub fn answered_with(&self, keys: impl IntoIterator<Item = KeyId>, answer: &Result<Reply, Refusal>) {
        let is_certain = answer.as_ref().err().is_none_or(Refusal::is_of_the_decision);
        let after = if is_certain { 0 } else { self.context.decider.0.state().number };
        self.context.services.vault.answered(keys, after);
    }

    /// Who took back its own right is told that it is done, and nothing else.
    pub fn tells_that_it_is_done(&self) {
        if self.authorise().is_err() {
            self.right.tells_nothing();
        }
    }

    /// What a command in the space would answer, without doing it; as long as who asks waits for it.
    pub async fn rehearse_in_space(&self, command: SpaceCommand) -> Result<Reply, Refusal> {
        let space = self.sight()?.space_id();
        let state = self.context.decider.0.state();
        let envelope = Engine::envelope(Actor::Token(self.token()), self.origin.clone());
        let (wanted, _ends_with_the_asker) = self.context.wanted();
        let deciding =
            move || decide_while(&state, &envelope, &Command::Space(space, command), &|| wanted.expect());
        let decided = tokio::task::spawn_blocking(deciding).await;
        Ok(decided.map_err(|why| Refusal::internal("deciding", &why))??.reply)
    }
}

impl<const CHANGES: bool> FromRequestParts<Context> for Caller<CHANGES> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refusal> {
        let origin = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = origin.map(|ConnectInfo(address)| address.ip());
        let refused = |who| context.services.strangers.refused(who, address);
        let stranger = || refused(Refused::Stranger(StrangerReason::UnknownToken));
        let Some(token) = bearer(parts) else {
            // Who shows nothing has not tried anything.
            if parts.headers.contains_key(AUTHORIZATION) {
                stranger();
            }
            return Err(Refusal::unknown_caller());
        };
        let action = if CHANGES { Action::Change } else { Action::Read };
        let holder = (TokenId::from_bytes(token.id), token.secret_digest());
        let mut caller = Self {
            context: context.clone(),
            right: Arc::new(TokenRight::new(context, holder, action)),
            origin: origin.map(|ConnectInfo(address)| address.to_string()),
            space: named_space(parts)?,
            key: idempotency_key(parts)?,
            asked: None,
            cost: Cost::Small,
        };
        match caller.ask() {
            Err(PersonDenied::Unknown) => stranger(),
            Err(PersonDenied::NotAllowed) => refused(Refused::Token(caller.token())),
            Ok(_) => {}
        }
        caller.authorise()?;
        if let Some(state) = parts.extensions.get::<ConnectionState>() {
            state.admit(caller.token());
        }
        parts.extensions.insert(Asker(caller.token()));
        caller.cost = cost::reserve(parts, context, caller.token()).await?;
        if let Some(reserved) = parts.extensions.get::<Reserved>() {
            reserved.rests_on(caller.right.clone());
        }
        // It may have waited for who it is to take what was asked for before.
        caller.authorise()?;
        Ok(caller)
    }
}

fn refusal(denied: PersonDenied) -> Refusal {
    match denied {
        PersonDenied::Unknown => Refusal::unknown_caller(),
        PersonDenied::NotAllowed => Refusal::not_allowed(),
    }
}

fn bearer(parts: &Parts) -> Option<Token> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Token::parse(TokenKind::Api, token).ok()
}

/// The space that the request names, if it names any.
fn named_space(parts: &Parts) -> Result<Option<String>, Refusal> {
    #[derive(serde::Deserialize)]
    struct InQuery {
        space: Option<String>,
    }
    let query = axum::extract::Query::<InQuery>::try_from_uri(&parts.uri)
        .map_err(|why| Problem::usage(format!("the query of the address: {why}")))?;
    Ok(query.0.space.filter(|space| !space.is_empty()))
}

/// The key that the request may be repeated with, if it has one.
fn idempotency_key(parts: &Parts) -> Result<Option<String>, Refusal> {
    let Some(header) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match header.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::usage("an Idempotency-Key has 1 to 200 visible ASCII characters").into()),
    }
}
