//! Bodies, queries and path segments whose faults are answered as problems.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use windlass_api::error::Problem;
use windlass_protocol::ids::TokenId;

use super::Context;
use super::body::Incoming;
use super::quota::Permit;
use super::refusal::Refusal;

/// Bytes of a body in JSON: a deployment that names ten thousand tenants.
const SMALL: u64 = 1 << 20;
/// Bytes of a set of documents: those of a few thousand tenants.
const LARGE: u64 = 32 << 20;

/// Whose request it is: told by [`super::caller::Caller`], once it is known to be somebody's. Without it no body is
/// read.
#[derive(Clone, Copy)]
pub(super) struct Asker(pub(super) TokenId);

/// A body in JSON.
pub struct Body<T>(pub T);

/// A body in JSON that may be large. As long as it is worked with, it counts as one of the few that there may be.
pub struct LargeBody<T>(pub T, pub Permit);

impl<T: DeserializeOwned> FromRequest<Context> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Refusal> {
        let token = asker(&request)?;
        let _permit = context.until_stopped(context.quotas.bodies.take(token)).await??;
        received(request, context, SMALL).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Context> for LargeBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Refusal> {
        let token = asker(&request)?;
        let permit = context.until_stopped(context.quotas.applies.take(token)).await??;
        Ok(Self(received(request, context, LARGE).await?, permit))
    }
}

fn asker(request: &Request) -> Result<TokenId, Refusal> {
    let asker = request.extensions().get::<Asker>();
    asker.map(|Asker(token)| *token).ok_or_else(Refusal::unknown_caller)
}

async fn received<T: DeserializeOwned>(request: Request, context: &Context, most: u64) -> Result<T, Refusal> {
    let (parts, body) = request.into_parts();
    let says = parts.headers.get(CONTENT_TYPE).and_then(|says| says.to_str().ok()).unwrap_or_default();
    if !says.split(';').next().is_some_and(|says| says.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::usage("the body: it needs the header `Content-Type: application/json`").into());
    }
    let bytes = Incoming::new(context, &parts.headers, body, most)?.whole().await?;
    match Json::<T>::from_bytes(&bytes) {
        Ok(Json(value)) => Ok(value),
        Err(JsonRejection::JsonDataError(why)) => Err(Problem::usage(sentence(&why.body_text())).into()),
        Err(JsonRejection::JsonSyntaxError(why)) => Err(Problem::usage(sentence(&why.body_text())).into()),
        Err(other) => Err(Problem::usage(format!("the body: {}", other.body_text())).into()),
    }
}

fn sentence(text: &str) -> String {
    let cut = text.split_once(": ").map_or(text, |(_, rest)| rest);
    format!("the body: {cut}")
}

/// The parameters after the `?`.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(why) => Err(Problem::usage(format!("the query of the address: {}", why.body_text())).into()),
        }
    }
}

/// Segments of the path.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(why) => Err(Problem::usage(format!("the path of the address: {}", why.body_text())).into()),
        }
    }
}
