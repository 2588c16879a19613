//! Answers that nobody takes: they end, hold no more than their token's share, and come in parts that fit.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;
use windlass_coordinator_core::decide::WorkReportKind;
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{OutputLine, OutputStream};

use super::api::ApiFixture;
use super::door::{HEADERS, LIMITS, LONG, OK, PATIENCE, PREFACE, SHORT, TestServer, frame, headers_of};
use super::flow::{released, report, request};
use crate::http::answer::Patience;
use crate::http::caller::Reader;
use crate::http::cost::Cost;
use crate::http::limits::Limits;
use crate::http::pages::PART_BYTES;
use crate::output::Logs;

const LINES: u64 = 600;
const LINE_BYTES: usize = 16_000;

/// An API, and the path of the logs of a deployment that has printed ten megabytes.
async fn printed() -> (ApiFixture, String) {
    let api = ApiFixture::new();
    let target = released(&api).await;
    let made = api.post("/deployments", request()).await;
    let id = made["deployments"][0]["id"].as_str().unwrap().to_owned();
    let fetched = api.work(target).into_iter().find(|(_, kind)| *kind == WorkKind::Fetch).unwrap();
    report(&api, target, fetched.0, vec![WorkReportKind::Fetched { moved: 0, saved: 0 }]).await;
    let (assignment, _) = api.work(target).into_iter().find(|(_, kind)| *kind != WorkKind::Fetch).unwrap();
    report(&api, target, assignment, vec![WorkReportKind::Started]).await;
    for first in (1..LINES).step_by(100) {
        print(&api, assignment, first..first + 100).await;
    }
    (api, format!("/api/v1/deployments/{id}/logs"))
}

async fn print(api: &ApiFixture, assignment: AssignmentId, numbers: std::ops::Range<u64>) {
    let line = |number: u64| {
        let text = format!("{number:0width$}", width = LINE_BYTES);
        OutputLine { time: Timestamp::from_milliseconds(0), stream: OutputStream::Out, text }
    };
    let target = windlass_protocol::ids::TargetId::from_bytes([1; 16]);
    api.logs.append(target, assignment, numbers.start, numbers.map(line).collect()).await.unwrap();
}

fn question(token: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_ends_its_connection_in_a_part_and_in_a_stream() {
    let (api, path) = printed().await;
    let token = api.token.clone();
    let patience = Patience { answer: SHORT, stream: SHORT };
    let server = TestServer::open_on(api, Limits { patience, drain: LONG, ..LIMITS }).await;
    // More than the kernel takes for who does not.
    let many = question(&token, &format!("{path}?limit=2000")).repeat(20);
    for asked in [many, question(&token, &format!("{path}/follow"))] {
        let mut first = server.connect(b"http/1.1").await;
        first.write_all(asked.as_bytes()).await.unwrap();
        gone(&mut first, question(&token, "/api/v1/whoami").as_bytes()).await;
    }
    for asked in [format!("{path}?limit=2000"), format!("{path}/follow")] {
        let mut second = server.connect(b"h2").await;
        second.write_all(PREFACE).await.unwrap();
        second.write_all(&headers_of(1, &asked, Some(&token))).await.unwrap();
        // A ping, which asks for nothing.
        gone(&mut second, &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await;
    }
}

/// Waits until the other side has ended the connection, without taking anything of what it sends.
async fn gone(stream: &mut TlsStream<TcpStream>, said: &[u8]) {
    let saying = async {
        while stream.write_all(said).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(SHORT).await;
        }
    };
    timeout(PATIENCE, saying).await.expect("the connection stays");
}

/// Asks for the same on as many streams of a connection of HTTP/2 whose window nobody makes larger: of each answer its
/// head comes, and next to nothing else.
async fn ask(server: &TestServer, token: &str, path: &str, times: u8) -> TlsStream<TcpStream> {
    let mut stream = server.connect(b"h2").await;
    stream.write_all(PREFACE).await.unwrap();
    for number in 0..times {
        stream.write_all(&headers_of(2 * number + 1, path, Some(token))).await.unwrap();
    }
    stream
}

/// How many of these are answered, and with what status, when no more comes.
async fn answered(stream: &mut TlsStream<TcpStream>) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut statuses = Vec::new();
    loop {
        let mut head = [0; 9];
        match timeout(25 * SHORT, stream.read_exact(&mut head)).await {
            Err(_) => return statuses,
            Ok(read) => read.map(drop).unwrap(),
        }
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        timeout(PATIENCE, stream.read_exact(&mut body)).await.expect("in time").unwrap();
        if head[3] == HEADERS {
            statuses.push(body[0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_none_of_its_answers_gets_no_more_of_them_and_others_get_theirs() {
    let api = ApiFixture::new();
    let much = |number| (format!("Much{number}"), json!([{"value": "much".repeat(15_000)}]));
    let variables: serde_json::Map<_, _> = (0..25).map(much).collect();
    let steps = json!([{"name": "Only", "roles": ["web"], "script": {"body": "true"}}]);
    api.apply(&[json!({"kind": "project", "name": "Ballast", "variables": variables, "steps": steps})]).await;
    let made = api.post("/tokens", json!({"name": "audit", "role": "auditor"})).await;
    let (token, path) = (api.token.clone(), "/api/v1/definitions/project/Ballast".to_owned());
    let server = TestServer::open_on(api, LIMITS).await;
    let (mut one, mut two) = tokio::join!(ask(&server, &token, &path, 15), ask(&server, &token, &path, 15));
    let (first, second) = tokio::join!(answered(&mut one), answered(&mut two));
    let all = first.len() + second.len();
    // Of one and a half megabytes each; the token's share is 32, and what is being made.
    assert!((18..=26).contains(&all), "{all} of 30 are answered");
    let mut small = ask(&server, &token, "/api/v1/whoami", 1).await;
    assert_eq!(frame(&mut small, HEADERS, 1).await.unwrap()[0], OK, "what is small has a share of its own");
    let mut other = ask(&server, made["token"].as_str().unwrap(), &path, 1).await;
    assert_eq!(frame(&mut other, HEADERS, 1).await.unwrap()[0], OK);
    drop(one);
    let rest = answered(&mut two).await;
    assert_eq!(second.len() + rest.len(), 15, "there is room again");
    assert!(second.iter().chain(&rest).all(|status| *status == OK));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_follows_so_much_at_once_and_no_more() {
    let (api, path) = printed().await;
    let (token, path) = (api.token.clone(), format!("{path}/follow"));
    let server = TestServer::open_on(api, LIMITS).await;
    let mut many = ask(&server, &token, &path, 30).await;
    let mut more = ask(&server, &token, &path, 5).await;
    let (many_answered, more_answered) = tokio::join!(answered(&mut many), answered(&mut more));
    let ok = many_answered.iter().chain(&more_answered).filter(|status| **status == OK).count();
    assert_eq!((ok, many_answered.len() + more_answered.len()), (32, 35), "three are refused at once");
    drop((many, more));
    // Their places are free as soon as the coordinator notices.
    for _ in 0..100 {
        let mut next = ask(&server, &token, &path, 1).await;
        if frame(&mut next, HEADERS, 1).await.unwrap()[0] == OK {
            return;
        }
        tokio::time::sleep(SHORT).await;
    }
    panic!("the places of who has gone are not free");
}

#[tokio::test]
async fn parts_and_pieces_of_output_have_so_many_bytes_and_no_line_is_lost_between_them() {
    let (api, path) = printed().await;
    let (mut after, mut numbers) = (String::new(), Vec::new());
    loop {
        let (status, bytes) =
            api.raw(Method::GET, &format!("{path}?limit=2000{after}"), Some(&api.token), Body::empty()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(bytes.len() < PART_BYTES + 1000, "{} bytes", bytes.len());
        let part: Value = serde_json::from_slice(&bytes).unwrap();
        numbers.extend(part["items"].as_array().unwrap().iter().map(|line| line["number"].as_u64().unwrap()));
        let Some(next) = part["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(numbers, (1..=LINES).collect::<Vec<_>>());
    let request = Request::get(format!("{path}/follow"))
        .header(header::AUTHORIZATION, format!("Bearer {}", api.token))
        .body(Body::empty());
    let answer = api.router.clone().oneshot(request.unwrap()).await.unwrap();
    let mut pieces = answer.into_body().into_data_stream();
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'\n').count() < LINES as usize {
        let piece = pieces.next().await.unwrap().unwrap();
        assert!(piece.len() < 512 << 10, "{} bytes", piece.len());
        text.extend(piece);
    }
    let lines = String::from_utf8(text).unwrap();
    let number = |line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap();
    assert_eq!(lines.lines().map(number).collect::<Vec<_>>(), numbers);
}

#[tokio::test]
async fn a_route_that_does_not_say_what_it_costs_answers_nobody() {
    let api = ApiFixture::new();
    let heavy = async |caller: Reader| {
        let reads = &caller.context.quotas.reads;
        caller.read_heavily(reads, "reading", |_, _| Ok(())).await.map(|()| "read")
    };
    for (route, wanted) in [
        (get(async |_: Reader| "small"), StatusCode::INTERNAL_SERVER_ERROR),
        (get(async |_: Reader| "small").route_layer(Extension(Cost::Small)), StatusCode::OK),
        (get(heavy).route_layer(Extension(Cost::Small)), StatusCode::INTERNAL_SERVER_ERROR),
        (get(heavy).route_layer(Extension(Cost::Reads)), StatusCode::OK),
    ] {
        let router = Router::new().route("/new", route).with_state(api.context.clone());
        let request = Request::get("/new")
            .header(header::AUTHORIZATION, format!("Bearer {}", api.token))
            .body(Body::empty());
        assert_eq!(router.oneshot(request.unwrap()).await.unwrap().status(), wanted);
    }
}
