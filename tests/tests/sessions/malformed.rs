//! Clients that do not keep to the protocol: each gets a clear end, and the coordinator goes on.

use std::time::Duration;

use quinn::{Connection, Endpoint};
use windlass_protocol::message::{
    Answer, Denied, ENROLMENT_ALPN, FromCoordinator, Goodbye, Hello, Request, SESSION_ALPN,
};
use windlass_tests::client::{hello, runtime, session};
use windlass_tests::raw::{self, Caller, frame};

use super::{enrolled, installation};

const SCRIPT: &str = "script: {body: 'echo hello'}";

async fn opened(
    state: &std::path::Path,
    bytes: &[u8],
) -> (Endpoint, Connection, quinn::SendStream, quinn::RecvStream) {
    tokio::time::sleep(super::PAUSE).await;
    let caller = Caller::of(state).expect("enrolled");
    let (endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
    let (mut send, receive) = connection.open_bi().await.expect("a stream");
    send.write_all(bytes).await.expect("sent");
    (endpoint, connection, send, receive)
}

/// Bytes that are no message where a `what` should be.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let with_length =
        |body: &[u8]| [&u32::try_from(body.len()).expect("short").to_be_bytes()[..], body].concat();
    let trailing = {
        let mut bytes = frame(&hello());
        let length = u32::from_be_bytes(*bytes.first_chunk().expect("a length")) + 1;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.push(0);
        bytes
    };
    vec![
        ("a frame longer than any", vec![0xff; 4]),
        ("a frame longer than its kind", (2_u32 << 20 | 1).to_be_bytes().to_vec()),
        ("an unknown variant", with_length(&[99])),
        ("a string of 2^63 bytes", with_length(&[1, 1, 253, 0, 0, 0, 0, 0, 0, 0, 128])),
        ("random bytes", with_length(&[0x5a; 300])),
        ("an empty frame", with_length(&[])),
        ("a byte too many", trailing),
    ]
}

#[test]
fn an_unknown_protocol_is_refused_in_the_handshake() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        for alpn in [&b"windlass/9"[..], b"h3", b"WINDLASS/1"] {
            let caller = Caller::of(&agent.state()).expect("enrolled");
            let why = match caller.connect(alpn).await {
                Err(why) => format!("{why:#}"),
                Ok((_endpoint, connection)) => {
                    raw::closed(&connection).await.expect("it is ended").to_string()
                }
            };
            assert!(why.contains("protocol") || why.contains("closed"), "{alpn:?}: {why}");
        }
        session(&agent.state()).await.expect("the coordinator goes on");
    });
}

#[test]
fn versions_without_an_overlap_are_answered_with_those_that_the_coordinator_speaks() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        for (lowest, highest, common) in
            [(2, 9, false), (0, 0, false), (u16::MAX, u16::MAX, false), (1, 9, true), (0, 1, true)]
        {
            let said = frame(&Hello { lowest, highest, ..hello() });
            let (_endpoint, connection, _send, mut receive) = opened(&agent.state(), &said).await;
            match raw::read::<FromCoordinator>(&mut receive).await.expect("an answer") {
                FromCoordinator::Welcome(welcome) => {
                    assert!(common && welcome.version == 1, "{lowest} to {highest}")
                }
                FromCoordinator::Goodbye(goodbye) => {
                    assert!(!common, "{lowest} to {highest}");
                    assert_eq!(goodbye, Goodbye::Version { lowest: 1, highest: 1 });
                    raw::closed(&connection).await.expect("it is ended");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn what_is_no_hello_ends_the_connection() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        for (what, bytes) in garbage() {
            let (_endpoint, connection, _send, _receive) = opened(&agent.state(), &bytes).await;
            let why = raw::closed(&connection).await.unwrap_or_else(|why| panic!("{what}: {why}"));
            assert!(matches!(why, quinn::ConnectionError::ApplicationClosed(_)), "{what}: {why}");
        }
        session(&agent.state()).await.expect("the coordinator goes on");
    });
}

#[test]
fn what_is_no_message_of_the_control_stream_ends_the_session_with_a_goodbye() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        for (what, bytes) in garbage() {
            let said = [frame(&hello()), bytes].concat();
            let (_endpoint, connection, _send, mut receive) = opened(&agent.state(), &said).await;
            let welcome = raw::read::<FromCoordinator>(&mut receive).await.expect("an answer");
            assert!(matches!(welcome, FromCoordinator::Welcome(_)), "{what}");
            let end = raw::read::<FromCoordinator>(&mut receive).await.expect("an answer");
            assert_eq!(end, FromCoordinator::Goodbye(Goodbye::Protocol), "{what}");
            raw::closed(&connection).await.unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        session(&agent.state()).await.expect("the coordinator goes on");
    });
}

#[test]
fn what_is_no_request_is_answered_as_malformed_and_harms_nothing_else() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        let (_endpoint, connection, _send, mut receive) = opened(&agent.state(), &frame(&hello())).await;
        raw::read::<FromCoordinator>(&mut receive).await.expect("a welcome");
        for (what, bytes) in garbage() {
            let (mut question, mut answer) = connection.open_bi().await.expect("a stream");
            question.write_all(&bytes).await.expect("sent");
            let answer = raw::read::<Answer>(&mut answer).await.expect("an answer");
            assert!(matches!(answer, Answer::Denied(Denied::Malformed)), "{what}");
        }
        let (mut question, mut answer) = connection.open_bi().await.expect("a stream");
        question.write_all(&frame(&Request::Assignments { since: None, after: None })).await.expect("sent");
        let answer = raw::read::<Answer>(&mut answer).await.expect("an answer");
        assert!(matches!(answer, Answer::Assignments(_)), "the session stands");
    });
}

/// Whoever says nothing is there for so long and no longer: without a message to enrol with, and without a hello.
#[test]
fn who_says_nothing_is_sent_away() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let silent = async |caller: Caller, protocol: &[u8], seconds: u64| {
        // Its keep-alives say that it is there: nothing but the coordinator ends this.
        let (_endpoint, connection) = caller.connect(protocol).await.expect("connected");
        let closed = tokio::time::timeout(Duration::from_secs(seconds), connection.closed()).await;
        let why = closed.unwrap_or_else(|_| panic!("it is there after {seconds} s: {protocol:?}"));
        assert!(matches!(why, quinn::ConnectionError::ApplicationClosed(_)), "{protocol:?}: {why}");
    };
    runtime().block_on(async {
        let caller = || Caller::of(&agent.state()).expect("enrolled");
        let stranger = Caller { chain: Vec::new(), ..caller() };
        tokio::join!(silent(stranger, ENROLMENT_ALPN, 9), silent(caller(), SESSION_ALPN, 18));
    });
}

#[test]
fn what_is_no_enrolment_ends_the_connection_and_a_session_needs_a_certificate() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    runtime().block_on(async {
        for (what, bytes) in garbage() {
            let stranger = Caller { chain: Vec::new(), ..Caller::of(&agent.state()).expect("enrolled") };
            let (_endpoint, connection) = stranger.connect(ENROLMENT_ALPN).await.expect("connected");
            let (mut send, _receive) = connection.open_bi().await.expect("a stream");
            send.write_all(&bytes).await.expect("sent");
            raw::closed(&connection).await.unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        let stranger = Caller { chain: Vec::new(), ..Caller::of(&agent.state()).expect("enrolled") };
        let (_endpoint, connection) = stranger.connect(SESSION_ALPN).await.expect("connected");
        let why = raw::closed(&connection).await.expect("it is ended").to_string();
        assert!(why.contains("a session needs an agent's certificate"), "{why}");
    });
}
