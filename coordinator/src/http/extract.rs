//! Bodies, queries and path segments whose faults are answered as problems.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use windlass_api::error::Problem;

use super::JSON_BYTES;
use super::refusal::Refusal;

/// A body in JSON.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(why)))
                if why.status() == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(Refusal::too_large(JSON_BYTES as u64))
            }
            Err(JsonRejection::JsonDataError(why)) => Err(Problem::usage(sentence(&why.body_text())).into()),
            Err(JsonRejection::JsonSyntaxError(why)) => {
                Err(Problem::usage(sentence(&why.body_text())).into())
            }
            Err(other) => Err(Problem::usage(format!("the body: {}", other.body_text())).into()),
        }
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
