//! Answers whose right goes while they are made, or on their way: nothing more of them comes (THREATS C2).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, Request, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use windlass_protocol::ids::TokenId;
use windlass_protocol::token::{Token, TokenKind};

use super::super::refusal::Refusal;
use super::api::{ApiFixture, sample};
use super::door::{LIMITS, LONG, PATIENCE, PREFACE, TestServer, ask, headers_of};
use crate::http::answer::{PIECE, Patience, attend};
use crate::http::caller::Reader;
use crate::http::connection_state::ConnectionState;
use crate::http::cost::Cost;
use crate::slots::Slots;

/// Bytes of an answer, of which a client that reads little has taken next to nothing.
const MUCH: usize = 12 << 20;
/// What the kernels of both sides may still hand out, of what was given to them before.
const ON_ITS_WAY: usize = 256 << 10;

async fn made(api: &ApiFixture, token: Value) -> String {
    api.post("/tokens", token).await["token"].as_str().unwrap().to_owned()
}

async fn delete(api: &ApiFixture, path: &str) {
    let (status, problem) = api.send(Method::DELETE, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{problem}");
}

/// Adds or removes the tag of tenants that limited tokens of these tests see.
async fn tag(api: &ApiFixture, verb: &str) {
    let change = json!({verb: ["Hosting/Shared 1"]});
    let change = json!({"tenants": {"tenants": ["Customer-2"]}, "change": change});
    let (status, problem) = api.send(Method::PATCH, "/tenants", change).await;
    assert_eq!(status, StatusCode::OK, "{problem}");
}

/// A token for what is of those tenants.
async fn limited(api: &ApiFixture, name: &str) -> String {
    let of_tag = json!({"tags": ["Hosting/Shared 1"]});
    made(api, json!({"name": name, "role": "auditor", "tenants": of_tag})).await
}

/// Asks for everything that the token sees, and takes next to nothing of it.
async fn begun(server: &TestServer, protocol: &str, token: &str) -> TlsStream<TcpStream> {
    let mut slow = server.connect_to_read_little(protocol.as_bytes()).await;
    if protocol == "h2" {
        slow.write_all(PREFACE).await.unwrap();
        slow.write_all(&headers_of(1, "/api/v1/export", Some(token))).await.unwrap();
        // Windows of a gigabyte, of the connection and of the stream: what holds it up is who does not read.
        for stream in [0, 1] {
            slow.write_all(&[0, 0, 4, 8, 0, 0, 0, 0, stream, 0x3f, 0, 0, 0]).await.unwrap();
        }
    } else {
        let asked =
            format!("GET /api/v1/export HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n");
        slow.write_all(asked.as_bytes()).await.unwrap();
    }
    let mut begin = vec![0; PIECE];
    timeout(PATIENCE, slow.read_exact(&mut begin)).await.expect("in time").unwrap();
    // Until nobody takes any more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    slow
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_of_an_export_is_sent_once_its_token_or_what_that_sees_is_taken_back() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let mut projects = json!({"Synergy": ["Staging", "Production"]});
    for number in 0..8 {
        let much = |number| (format!("Much{number}"), json!([{"value": "much".repeat(15_000)}]));
        let variables: serde_json::Map<_, _> = (0..26).map(much).collect();
        let name = format!("Ballast {number}");
        let project = json!({"kind": "project", "name": name, "tenancy": "tenanted", "lifecycle": "Default", "variables": variables});
        api.apply(&[project]).await;
        projects[name] = json!(["Production"]);
    }
    let mut tenant = sample().swap_remove(9);
    tenant["projects"] = projects;
    api.apply(&[tenant]).await;
    let server = TestServer::open_on(api, LIMITS).await;
    for (protocol, is_limited) in [("http/1.1", false), ("h2", false), ("http/1.1", true), ("h2", true)] {
        let name = format!("audit {protocol} {is_limited}");
        let token = match is_limited {
            true => limited(&server.api, &name).await,
            false => made(&server.api, json!({"name": "audit", "role": "auditor"})).await,
        };
        let mut slow = begun(&server, protocol, &token).await;
        match is_limited {
            true => tag(&server.api, "remove-tags").await,
            false => delete(&server.api, "/tokens/audit").await,
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (mut after, mut buffer) = (0, vec![0; PIECE]);
        // However it ends, it is no end of the answer.
        while let Ok(read @ 1..) = timeout(PATIENCE, slow.read(&mut buffer)).await.expect("it ends") {
            after += read;
            if after > ON_ITS_WAY {
                break;
            }
        }
        assert!(after <= ON_ITS_WAY, "{name}: {after} bytes and more of {MUCH} came after it was taken back");
        if is_limited {
            tag(&server.api, "add-tags").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_its_own_token_is_told_that_it_is_done() {
    let server = TestServer::open(LIMITS).await;
    let token = made(&server.api, json!({"name": "own", "role": "administrator"})).await;
    let mut stream = server.connect(b"http/1.1").await;
    let said = |method, path| {
        format!("{method} /api/v1/{path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    assert_eq!(ask(&mut stream, &said("DELETE", "tokens/own")).await, "200");
    assert_eq!(ask(&mut stream, &said("GET", "whoami")).await, "401");
}

/// Routes of large answers, behind what sends them: one that says what it has seen, one that waits to be let go, and
/// one that looks once more then.
fn routes(api: &ApiFixture, begun: &Arc<Notify>, go: &Arc<Notify>) -> Router {
    let twice = {
        let (begun, go) = (Arc::clone(begun), Arc::clone(go));
        async move |caller: Reader| {
            caller.sight()?;
            begun.notify_one();
            go.notified().await;
            // However often it looks.
            let (_, last) = (caller.sight()?, caller.sight()?);
            drop(last);
            Ok::<_, Refusal>("seen before")
        }
    };
    let (begun, go) = (Arc::clone(begun), Arc::clone(go));
    let seen = async |caller: Reader| caller.sight().map(|_| "seen".repeat(PIECE));
    let waits = async move |_: Reader| {
        begun.notify_one();
        go.notified().await;
        "made".repeat(PIECE)
    };
    let evicted = CancellationToken::new();
    let strangers = Slots::new(1, Duration::ZERO);
    let slot = strangers.admit(std::net::IpAddr::from([192, 0, 2, 1]).into(), &evicted).unwrap();
    let state = ConnectionState::new(slot, Slots::new(1, Duration::ZERO), evicted);
    let patience = Patience { answer: LONG, stream: LONG };
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    Router::new()
        .route("/seen", get(seen))
        .route("/waits", get(waits))
        .route("/twice", get(twice))
        .route_layer(Extension(Cost::Small))
        .with_state(api.context.clone())
        .layer(from_fn_with_state((peer, state, patience), attend))
}

async fn answer(router: Router, path: &str, token: &str) -> Response {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn piece(body: &mut BodyDataStream) -> Option<Result<usize, axum::Error>> {
    body.next().await.map(|piece| piece.map(|bytes| bytes.len()))
}

#[tokio::test]
async fn before_each_piece_of_an_answer_the_right_to_it_is_asked_for() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let router = routes(&api, &Arc::default(), &Arc::default());
    // Nothing that happens to others ends it.
    let whole = made(&api, json!({"name": "whole", "role": "auditor"})).await;
    let theirs = limited(&api, "theirs").await;
    for (token, is_limited) in [(&whole, false), (&theirs, true)] {
        let mut body = answer(router.clone(), "/seen", token).await.into_body().into_data_stream();
        assert_eq!(piece(&mut body).await.unwrap().unwrap(), PIECE);
        api.apply(&[json!({"kind": "tenant", "name": "Somebody else"})]).await;
        assert_eq!(piece(&mut body).await.unwrap().unwrap(), PIECE);
        // A permit of the same scope cannot be had any more by who is limited; who is not sees all as before.
        tag(&api, "remove-tags").await;
        assert_eq!(piece(&mut body).await.unwrap().is_err(), is_limited);
        tag(&api, "add-tags").await;
    }
    for (token, name) in [(&whole, "whole"), (&theirs, "theirs")] {
        let mut body = answer(router.clone(), "/seen", token).await.into_body().into_data_stream();
        assert_eq!(piece(&mut body).await.unwrap().unwrap(), PIECE);
        delete(&api, &format!("/tokens/{name}")).await;
        assert!(piece(&mut body).await.unwrap().is_err(), "{name}: another piece is given");
    }
}

#[tokio::test]
async fn whoever_is_shown_in_many_answers_is_held_as_for_one() {
    const MANY: usize = 40;
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let router = routes(&api, &Arc::default(), &Arc::default());
    let token = limited(&api, "theirs").await;
    let id = TokenId::from_bytes(Token::parse(TokenKind::Api, &token).unwrap().id);
    let mut bodies = Vec::new();
    for _ in 0..MANY {
        // Neither a change of anything else nor of somebody else makes another one of it.
        api.apply(&[json!({"kind": "environment", "name": format!("Elsewhere {}", bodies.len())})]).await;
        api.apply(&[json!({"kind": "tenant", "name": format!("Somebody {}", bodies.len())})]).await;
        bodies.push(answer(router.clone(), "/seen", &token).await.into_body().into_data_stream());
    }
    let showing = || api.context.showings.newest(id).unwrap();
    let held = showing();
    assert_eq!(Arc::strong_count(&held), MANY + 1);
    for changed in ["Customer-2", "Somebody else", ""] {
        match changed {
            "" => drop(api.apply(&[json!({"kind": "environment", "name": "Anywhere"})]).await),
            name => drop(
                api.apply(&[json!({"kind": "tenant", "name": name, "tags": ["Hosting/Shared 1"]})]).await,
            ),
        }
        for body in &mut bodies {
            assert_eq!(piece(body).await.unwrap().unwrap(), PIECE);
        }
    }
    // One more is seen now.
    let after = answer(router, "/seen", &token).await;
    assert!(!Arc::ptr_eq(&held, &showing()));
    let quota = &api.context.quotas.small_answers;
    let with_both = quota.held(id);
    drop(after);
    let answers = (MANY + 1) * 4 * PIECE;
    assert!(with_both > answers, "{with_both} of {answers}: what they rest on weighs something");
    assert_eq!(Arc::strong_count(&held), MANY + 1);
    tag(&api, "remove-tags").await;
    for body in &mut bodies {
        assert!(piece(body).await.unwrap().is_err());
    }
    drop((bodies, held));
    assert_eq!(quota.held(id), 0);
    assert!(api.context.showings.newest(id).is_none());
}

#[tokio::test]
async fn what_was_made_for_a_token_that_is_taken_back_meanwhile_is_not_answered() {
    let api = ApiFixture::new();
    let token = made(&api, json!({"name": "audit", "role": "auditor"})).await;
    let (begun, go) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let waiting = tokio::spawn({
        let (router, token) = (routes(&api, &begun, &go), token.clone());
        async move { answer(router, "/waits", &token).await }
    });
    begun.notified().await;
    delete(&api, "/tokens/audit").await;
    go.notify_one();
    let refused = waiting.await.unwrap();
    let (_, alike) = api.raw(Method::GET, "/api/v1/whoami", Some(&token), Body::empty()).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(axum::body::to_bytes(refused.into_body(), 1 << 20).await.unwrap(), alike);
}

#[tokio::test]
async fn an_answer_rests_on_all_that_was_seen_for_it_and_not_on_what_was_seen_last() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let (begun, go) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let router = routes(&api, &begun, &go);
    let token = limited(&api, "theirs").await;
    for (is_lost, status) in [(false, StatusCode::OK), (true, StatusCode::SERVICE_UNAVAILABLE)] {
        let (router, token) = (router.clone(), token.clone());
        let waiting = tokio::spawn(async move { answer(router, "/twice", &token).await });
        begun.notified().await;
        match is_lost {
            true => tag(&api, "remove-tags").await,
            false => drop(api.apply(&[json!({"kind": "tenant", "name": "Somebody else"})]).await),
        }
        go.notify_one();
        assert_eq!(waiting.await.unwrap().status(), status);
    }
}
