//! What a connection of operators may take in time and in size, row by row.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::door::{
    LIMITS, LONG, PATIENCE, PREFACE, SHORT, TestServer, ask, connect_from, ended, frame, headers_of, listens,
    upload,
};
use crate::http::answer::{Outgoing, PIECE};
use crate::http::connection::builder;
use crate::http::connection_state::ConnectionState;
use crate::http::limits::Limits;
use crate::slots::Slots;

const SETTINGS: u8 = 4;
const PING: u8 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_shake_hands_or_does_not_end_a_head_has_to_go() {
    let server = TestServer::open(Limits { handshake: SHORT, ..LIMITS }).await;
    let mut raw = connect_from([127, 0, 0, 1], server.server.address()).await;
    assert_eq!(timeout(PATIENCE, raw.read(&mut [0])).await.expect("it stays").unwrap_or(0), 0);
    let server = TestServer::open(Limits { head: 5 * SHORT, ..LIMITS }).await;
    for asks_first in [false, true] {
        let mut half = server.connect(b"http/1.1").await;
        if asks_first {
            assert_eq!(ask(&mut half, &server.question(true)).await, "200");
        }
        half.write_all(b"GET /api/v1/whoami HTTP/1.1\r\nHost:").await.unwrap();
        // Sooner than what speaks HTTP would end it by itself.
        timeout(PATIENCE / 3, ended(&mut half)).await.expect("half a head is waited for");
    }
    let mut second = server.connect(b"h2").await;
    second.write_all(PREFACE).await.unwrap();
    timeout(PATIENCE, frame(&mut second, PING, 0)).await.expect("it is asked whether it is there").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_so_many_bytes_and_a_connection_so_many_requests_at_once() {
    let server = TestServer::open(LIMITS).await;
    for (kibibytes, is_answered) in [(48, true), (72, false)] {
        let mut stream = server.connect(b"http/1.1").await;
        let long = format!("X-Long: {}\r\n\r\n", "x".repeat(kibibytes << 10));
        let question = server.question(true).replacen("\r\n\r\n", &format!("\r\n{long}"), 1);
        // Who is refused may be cut off while it still says more.
        let _ = stream.write_all(question.as_bytes()).await;
        let mut status = [0; 12];
        let answered = timeout(PATIENCE, stream.read_exact(&mut status)).await.expect("an end").is_ok();
        assert_eq!(answered && status == *b"HTTP/1.1 200", is_answered, "{kibibytes} KiB");
    }
    let mut stream = server.connect(b"h2").await;
    stream.write_all(PREFACE).await.unwrap();
    let settings = frame(&mut stream, SETTINGS, 0).await.unwrap();
    let settings: BTreeMap<u16, u32> = settings
        .chunks(6)
        .map(|one| {
            (u16::from_be_bytes([one[0], one[1]]), u32::from_be_bytes([one[2], one[3], one[4], one[5]]))
        })
        .collect();
    // RFC 9113, 6.5.2: streams at once, the first window of each, bytes of a head.
    let told = [3, 4, 6].map(|setting| settings.get(&setting).copied());
    assert_eq!(told, [Some(32), Some(512 << 10), Some(64 << 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_its_place_is_cut_off_whatever_is_being_answered() {
    let server = TestServer::open(Limits { known: 2, drain: LONG, ..LIMITS }).await;
    let made = server.api.post("/tokens", json!({"name": "ci", "role": "administrator"})).await;
    let mut uploading = Vec::new();
    for number in 0..2 {
        let mut stream = server.connect(b"http/1.1").await;
        let head = upload(made["token"].as_str().unwrap(), &format!("a.1.0.{number}.bin"));
        stream.write_all(head.as_bytes()).await.unwrap();
        listens(&mut stream).await;
        uploading.push(stream);
    }
    let mut operator = server.connect(b"http/1.1").await;
    assert_eq!(ask(&mut operator, &server.question(true)).await, "200");
    // Sooner than its body would have to come.
    timeout(PATIENCE / 3, ended(&mut uploading[0])).await.expect("its place is another's");
}

/// A body that counts how much of it is taken, piece by piece, and has no end.
fn counted(taken: Arc<AtomicUsize>) -> Body {
    Body::from_stream(stream::repeat_with(move || {
        taken.fetch_add(PIECE, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![0; PIECE]))
    }))
}

#[tokio::test]
async fn of_an_answer_that_waits_in_a_connection_little_is_in_memory() {
    let taken = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&taken);
    let router = Router::new().route("/", get(async move || counted(counting)));
    let (mut client, server) = tokio::io::duplex(4 << 10);
    let speaking = builder(LONG);
    let serving = speaking.serve_connection(TokioIo::new(server), TowerToHyperService::new(router));
    let asking = async {
        // With windows as large as they get: it is the connection that does not take it.
        let window = 0x7fff_ffff_u32.to_be_bytes();
        let mut said = PREFACE[..PREFACE.len() - 9].to_vec();
        said.extend([0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 4]);
        said.extend(window);
        said.extend([0, 0, 4, 8, 0, 0, 0, 0, 0]);
        said.extend((0x7fff_ffff_u32 - 65_535).to_be_bytes());
        said.extend(headers_of(1, "/", None));
        client.write_all(&said).await.unwrap();
        tokio::time::sleep(2 * SHORT).await;
    };
    tokio::select! {
        ended = serving => panic!("the connection ends: {ended:?}"),
        () = asking => {}
    }
    let taken = taken.load(Ordering::Relaxed);
    assert!((1..=8 * PIECE).contains(&taken), "{taken} bytes were taken");
}

#[tokio::test]
async fn a_piece_that_is_on_its_way_keeps_nothing_else_of_its_answer_in_memory() {
    let evicted = CancellationToken::new();
    let slot = Slots::new(1, SHORT).admit(IpAddr::from([192, 0, 2, 1]).into(), &evicted).unwrap();
    let state = ConnectionState::new(slot, Slots::new(1, Duration::ZERO), evicted);
    let whole = Bytes::from(vec![0; 3 * PIECE]);
    let mut outgoing = Outgoing::new(Body::from(whole.clone()), state.begin(), (None, None), LIMITS.patience);
    let coming = std::future::poll_fn(|context| Pin::new(&mut outgoing).poll_frame(context));
    let piece = coming.await.unwrap().unwrap().into_data().unwrap();
    drop(outgoing);
    assert_eq!(piece.len(), PIECE);
    assert!(whole.is_unique(), "the piece holds all of it");
}
