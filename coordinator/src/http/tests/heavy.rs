//! Reading what costs much, and bodies that do not come.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde_json::{Value, json};

use super::api::ApiFixture;
use crate::http::Context;
use crate::http::body::Incoming;
use crate::http::caller::Reader;
use crate::http::cost::Cost;
use crate::http::refusal::Refusal;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn reader(api: &ApiFixture) -> Reader {
    admitted(&api.context, &api.token).await.unwrap()
}

async fn admitted(context: &Context, token: &str) -> Result<Reader, Refusal> {
    let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (mut parts, ()) = request.extension(Cost::Reads).body(()).unwrap().into_parts();
    Reader::from_request_parts(&mut parts, context).await
}

#[tokio::test]
async fn a_token_that_is_taken_back_while_it_waits_for_room_is_not_admitted() {
    let api = ApiFixture::new();
    let made = api.post("/tokens", json!({"name": "Other", "role": "auditor"})).await;
    let (context, token) = (api.context.clone(), made["token"].as_str().unwrap().to_owned());
    let first = admitted(&context, &token).await.unwrap();
    let all = context.quotas.answers.take_weighing(first.token(), usize::MAX / 2).await.unwrap();
    let mut waiting = std::pin::pin!(admitted(&context, &token));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err(), "there is no room");
    let (status, _) = api.send(Method::DELETE, "/tokens/Other", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    drop(all);
    let refused = tokio::time::timeout(PATIENCE, waiting).await.expect("there is room").err().unwrap();
    assert_eq!(refused.into_response().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_ends_with_who_asks_for_it_and_then_its_place_is_free() {
    let api = ApiFixture::new();
    let (caller, reads) = (reader(&api).await, &api.context.quotas.reads);
    let (begun, has_begun) = std::sync::mpsc::channel();
    let for_ever = caller.read_heavily(reads, "reading", move |_, wanted| {
        begun.send(()).unwrap();
        while wanted.holds() {
            std::thread::sleep(Duration::from_millis(1));
        }
        wanted.expect()
    });
    let asked = tokio::time::timeout(Duration::from_millis(200), for_ever).await;
    assert!(asked.is_err(), "it would go on for ever");
    has_begun.recv().unwrap();
    let next = caller.read_heavily(reads, "reading", |_, _| Ok(()));
    tokio::time::timeout(PATIENCE, next).await.expect("its place is free").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_stops_answers_at_once_who_waits_and_who_is_read_for() {
    let api = ApiFixture::new();
    let (caller, reads) = (reader(&api).await, &api.context.quotas.reads);
    let wait = || {
        caller.read_heavily(reads, "reading", |_, wanted| {
            while wanted.holds() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        })
    };
    let stop = async { api.context.stopping.cancel() };
    let both = async { tokio::join!(wait(), wait(), stop) };
    let (one, other, ()) = tokio::time::timeout(PATIENCE, both).await.expect("an answer");
    assert!(one.is_err() && other.is_err());
}

#[tokio::test]
async fn only_documents_and_packages_may_be_large() {
    let api = ApiFixture::new();
    let large = format!("{{\"documents\": [], \"dry-run\": true{}}}", " ".repeat(2 << 20));
    for (method, path, wanted) in [
        (Method::POST, "apply", StatusCode::OK),
        (Method::POST, "plans", StatusCode::PAYLOAD_TOO_LARGE),
        (Method::POST, "deployments", StatusCode::PAYLOAD_TOO_LARGE),
        (Method::POST, "releases", StatusCode::PAYLOAD_TOO_LARGE),
        (Method::POST, "tokens", StatusCode::PAYLOAD_TOO_LARGE),
        (Method::POST, "tenants", StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (status, answer) =
            api.raw(method, &format!("/api/v1/{path}"), Some(&api.token), large.clone()).await;
        assert_eq!(status, wanted, "{path}: {}", String::from_utf8_lossy(&answer));
    }
}

/// A body of `pieces` of this size, one every fifty milliseconds.
fn body(pieces: usize, bytes: usize) -> Body {
    Body::from_stream(stream::unfold(0, move |come| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (come < pieces).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])), come + 1))
    }))
}

#[tokio::test]
async fn a_body_that_hardly_comes_is_waited_for_no_longer_and_one_that_comes_may_take_its_time() {
    let context = Context { pace: Duration::from_millis(500), ..ApiFixture::new().context };
    let receive = async |body| {
        let incoming = Incoming::new(&context, &HeaderMap::new(), body, 1 << 20).unwrap();
        tokio::time::timeout(PATIENCE, incoming.whole()).await.expect("an end")
    };
    let trickle = receive(body(usize::MAX, 1)).await.unwrap_err();
    assert_eq!(trickle.into_response().status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(
        receive(body(30, 16 << 10)).await.unwrap().len(),
        30 << 14,
        "three times the pace, at its end"
    );
    let much = receive(body(usize::MAX, 64 << 10)).await.unwrap_err();
    assert_eq!(much.into_response().status(), StatusCode::PAYLOAD_TOO_LARGE);
    for (length, is_read) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(length))]);
        let said = Incoming::new(&context, &headers, Body::empty(), 1 << 20);
        assert_eq!(
            said.is_ok(),
            is_read,
            "{length}: a body that says that it is too large is not read at all"
        );
    }
}
