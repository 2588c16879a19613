//! The operators' door with real sockets: who may stay, for how long, and how many.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use windlass_trust::PinnedAuthority;

use super::api::ApiFixture;
use crate::http::Server;
use crate::http::answer::Patience;
use crate::http::limits::Limits;

/// Far more than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const SHORT: Duration = Duration::from_millis(200);
pub(super) const LONG: Duration = Duration::from_secs(3600);
const PATIENT: Patience = Patience { answer: LONG, stream: LONG };
pub(super) const LIMITS: Limits = Limits {
    strangers: 64,
    known: 64,
    handshake: LONG,
    head: LONG,
    first_request: LONG,
    idle: LONG,
    patience: PATIENT,
    drain: Duration::from_secs(2),
    renewal: LONG,
};

/// A serving door.
pub(super) struct TestServer {
    pub(super) api: ApiFixture,
    pub(super) server: Arc<Server>,
}

impl TestServer {
    pub(super) async fn open(limits: Limits) -> Self {
        Self::open_on(ApiFixture::new(), limits).await
    }

    pub(super) async fn open_on(api: ApiFixture, limits: Limits) -> Self {
        let services = api.context.services.clone();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Arc::new(
            Server::bind(any, api.engine.clone(), services, &[], limits.strangers)
                .await
                .unwrap()
                .with_limits(limits),
        );
        let serving = Arc::clone(&server);
        tokio::spawn(async move { serving.serve().await });
        Self { api, server }
    }

    /// A connection from there that speaks this protocol; none if the door does not take it.
    pub(super) async fn connect_from(&self, from: [u8; 4], protocol: &[u8]) -> Option<TlsStream<TcpStream>> {
        self.connect_over(connect_from(from, self.server.address()).await, protocol).await
    }

    /// A connection whose client has room for next to nothing that it does not read.
    pub(super) async fn connect_to_read_little(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(self.server.address()).await.expect("the kernel connects");
        self.connect_over(stream, protocol).await.expect("a connection")
    }

    async fn connect_over(&self, stream: TcpStream, protocol: &[u8]) -> Option<TlsStream<TcpStream>> {
        let provider = CryptoProvider::get_default().unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(PinnedAuthority::new(
                self.api.context.services.authority.fingerprint(),
                provider,
            ))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(windlass_protocol::message::COORDINATOR_NAME).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        timeout(PATIENCE, connecting).await.expect("a handshake takes no time").ok()
    }

    pub(super) async fn connect(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.connect_from([127, 0, 0, 1], protocol).await.expect("a connection")
    }

    pub(super) fn question(&self, token: bool) -> String {
        let token =
            if token { format!("Authorization: Bearer {}\r\n", self.api.token) } else { String::new() };
        format!("GET /api/v1/whoami HTTP/1.1\r\nHost: here\r\n{token}\r\n")
    }
}

pub(super) async fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(to).await.expect("the kernel connects")
}

/// Asks and reads the head and body of an answer that has a length; answers with its status.
pub(super) async fn ask(stream: &mut TlsStream<TcpStream>, question: &str) -> String {
    stream.write_all(question.as_bytes()).await.expect("the connection stands");
    answer(stream).await
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("in time").expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).expect("a length").split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    timeout(PATIENCE, stream.read_exact(&mut body)).await.expect("in time").expect("a body");
    head["http/1.1 ".len()..][..3].to_owned()
}

/// Reads until the other side ends the connection.
pub(super) async fn ended(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    // However it ends: in order, or cut off.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection stays");
}

/// The beginning of a connection of HTTP/2: the preface, and settings that change nothing.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A request of HTTP/2 as one frame of headers: literals that are in no table.
fn headers(stream: u8, token: Option<&str>) -> Vec<u8> {
    headers_of(stream, "/api/v1/whoami", token)
}

/// The same for any path.
pub(super) fn headers_of(stream: u8, path: &str, token: Option<&str>) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    let mut literal = |name: &[u8], value: &str| {
        block.extend(name);
        // A length of up to 126 fits its first byte, and a longer one goes on in the next.
        match value.len() {
            length @ ..127 => block.push(length as u8),
            length => block.extend([127, (length - 127) as u8]),
        }
        block.extend(value.bytes());
    };
    literal(&[0x04], path);
    literal(&[0x01], "here");
    if let Some(token) = token {
        literal(&[0x0f, 0x08], &format!("Bearer {token}"));
    }
    // Headers that are whole and end the stream.
    let mut frame = vec![0, (block.len() >> 8) as u8, block.len() as u8, 0x01, 0x05, 0, 0, 0, stream];
    frame.extend(block);
    frame
}

/// Reads frames of HTTP/2 until one of this kind for this stream.
pub(super) async fn frame(stream: &mut TlsStream<TcpStream>, kind: u8, of: u8) -> std::io::Result<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("in time")?;
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        timeout(PATIENCE, stream.read_exact(&mut body)).await.expect("in time")?;
        if head[3] == kind && head[8] == of {
            return Ok(body);
        }
    }
}

pub(super) const HEADERS: u8 = 1;
/// `:status: 200` in HPACK's own table.
pub(super) const OK: u8 = 0x88;

#[tokio::test(flavor = "multi_thread")]
async fn who_never_shows_a_token_is_sent_away_whatever_is_said() {
    let server = TestServer::open(Limits { first_request: SHORT, ..LIMITS }).await;
    let mut silent = server.connect(b"h2").await;
    ended(&mut silent).await;
    let mut silent = server.connect(b"http/1.1").await;
    ended(&mut silent).await;
    let mut second = server.connect(b"h2").await;
    second.write_all(PREFACE).await.unwrap();
    ended(&mut second).await;
    let mut asking = server.connect(b"h2").await;
    asking.write_all(PREFACE).await.unwrap();
    asking.write_all(&headers(1, Some("wlt_wrong"))).await.unwrap();
    assert_ne!(frame(&mut asking, HEADERS, 1).await.unwrap()[0], OK);
    ended(&mut asking).await;
    let mut asking = server.connect(b"http/1.1").await;
    assert_eq!(ask(&mut asking, &server.question(false)).await, "401");
    ended(&mut asking).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_showed_a_token_stays() {
    let server = TestServer::open(Limits { first_request: 5 * SHORT, ..LIMITS }).await;
    // A slow machine may not get to its request in so short a time; then it asks again.
    let (mut first, mut second) = loop {
        let (mut first, mut second) = (server.connect(b"http/1.1").await, server.connect(b"h2").await);
        let mut said = PREFACE.to_vec();
        said.extend(headers(1, Some(&server.api.token)));
        let both = async {
            first.write_all(server.question(true).as_bytes()).await?;
            second.write_all(&said).await?;
            let mut byte = [0];
            first.read_exact(&mut byte).await?;
            std::io::Result::Ok((byte[0], frame(&mut second, HEADERS, 1).await?[0]))
        };
        if both.await.is_ok_and(|answers| answers == (b'H', OK)) {
            break (first, second);
        }
    };
    // When a connection that began later has overstayed, these would have as well.
    let mut stranger = server.connect(b"h2").await;
    ended(&mut stranger).await;
    second.write_all(&headers(3, Some(&server.api.token))).await.unwrap();
    frame(&mut second, HEADERS, 3).await.unwrap();
    // What is left of the first answer, whose first letter was read.
    let mut rest = [0; 11];
    first.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"TTP/1.1 200");
    let mut buffer = vec![0; 64 << 10];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    first.write_all(server.question(true).as_bytes()).await.unwrap();
    assert!(first.read(&mut buffer).await.unwrap() > 0, "it is answered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends_and_one_that_is_being_served_does_not() {
    let server = TestServer::open(Limits { idle: SHORT, ..LIMITS }).await;
    let mut uploading = server.connect(b"http/1.1").await;
    uploading.write_all(upload(&server.api.token, "a.1.0.0.bin").as_bytes()).await.unwrap();
    listens(&mut uploading).await;
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let mut idle = server.connect(protocol).await;
        if protocol == b"h2" {
            idle.write_all(PREFACE).await.unwrap();
            idle.write_all(&headers(1, Some(&server.api.token))).await.unwrap();
            assert_eq!(frame(&mut idle, HEADERS, 1).await.unwrap()[0], OK);
        } else {
            assert_eq!(ask(&mut idle, &server.question(true)).await, "200");
        }
        ended(&mut idle).await;
    }
    assert_eq!(ask(&mut uploading, "four").await, "200", "it was not idle: the upload was awaited");
    ended(&mut uploading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_all_places_of_strangers_loses_them_to_who_comes_from_elsewhere() {
    let server = TestServer::open(Limits { strangers: 3, ..LIMITS }).await;
    // One that does not shake hands, one that asks for nothing, one whose request has no end.
    let mut raw = connect_from([127, 0, 0, 2], server.server.address()).await;
    let mut silent = server.connect_from([127, 0, 0, 2], b"h2").await.unwrap();
    let mut asking = server.connect_from([127, 0, 0, 2], b"http/1.1").await.unwrap();
    asking.write_all(b"POST /api/v1/apply HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n").await.unwrap();
    assert!(server.connect_from([127, 0, 0, 2], b"h2").await.is_none(), "its own are hardly there");
    let mut first = server.connect(b"http/1.1").await;
    let _ = timeout(PATIENCE, raw.read(&mut [0])).await.expect("the oldest goes");
    assert_eq!(ask(&mut first, &server.question(true)).await, "200");
    // Who is known takes no place of a stranger, however many there are.
    let mut known = vec![first];
    for _ in 0..10 {
        let mut next = server.connect(b"http/1.1").await;
        assert_eq!(ask(&mut next, &server.question(true)).await, "200");
        known.push(next);
    }
    let _third = server.connect_from([127, 0, 0, 3], b"h2").await.unwrap();
    let _fourth = server.connect_from([127, 0, 0, 4], b"h2").await.unwrap();
    ended(&mut silent).await;
    asking.write_all(b"\r\n123456789").await.unwrap();
    assert_eq!(answer(&mut asking).await, "401", "one is its share");
    for mut known in known {
        assert_eq!(ask(&mut known, &server.question(true)).await, "200");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_takes_all_places_loses_them_to_another() {
    let server = TestServer::open(Limits { known: 2, ..LIMITS }).await;
    let made = server.api.post("/tokens", serde_json::json!({"name": "audit", "role": "auditor"})).await;
    let auditor = format!(
        "GET /api/v1/whoami HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\r\n",
        made["token"].as_str().unwrap()
    );
    let (mut oldest, mut newer) = (server.connect(b"http/1.1").await, server.connect(b"http/1.1").await);
    assert_eq!(ask(&mut oldest, &auditor).await, "200");
    assert_eq!(ask(&mut newer, &auditor).await, "200");
    let mut operator = server.connect(b"http/1.1").await;
    assert_eq!(ask(&mut operator, &server.question(true)).await, "200");
    ended(&mut oldest).await;
    let mut newest = server.connect(b"http/1.1").await;
    assert_eq!(ask(&mut newest, &auditor).await, "200");
    assert_eq!(ask(&mut operator, &server.question(true)).await, "200", "one is its share");
}

/// The head of an upload whose body of four bytes is to follow, once the coordinator says that it listens.
pub(super) fn upload(token: &str, name: &str) -> String {
    format!(
        "POST /api/v1/packages?name={name} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
}

pub(super) async fn listens(stream: &mut TlsStream<TcpStream>) {
    let mut said = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    timeout(PATIENCE, stream.read_exact(&mut said)).await.expect("in time").expect("an answer");
    assert_eq!(said, *b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_hang_keep_only_their_own_token_waiting_and_only_while_they_are_connected() {
    let server = TestServer::open(LIMITS).await;
    let made = server.api.post("/tokens", serde_json::json!({"name": "ci", "role": "administrator"})).await;
    let mut hanging = Vec::new();
    for number in 0..4 {
        let mut stream = server.connect(b"http/1.1").await;
        let head = upload(&server.api.token, &format!("a.1.0.{number}.bin"));
        stream.write_all(head.as_bytes()).await.unwrap();
        listens(&mut stream).await;
        hanging.push(stream);
    }
    let mut waiting = server.connect(b"http/1.1").await;
    waiting.write_all(upload(&server.api.token, "b.1.0.0.bin").as_bytes()).await.unwrap();
    let mut other = server.connect(b"http/1.1").await;
    other.write_all(upload(made["token"].as_str().unwrap(), "c.1.0.0.bin").as_bytes()).await.unwrap();
    listens(&mut other).await;
    assert_eq!(ask(&mut other, "four").await, "200");
    assert!(timeout(SHORT, waiting.read_u8()).await.is_err(), "four of its token are under way");
    drop(hanging);
    listens(&mut waiting).await;
    assert_eq!(ask(&mut waiting, "four").await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_renewed_while_nobody_comes() {
    let server = TestServer::open(Limits { renewal: SHORT, ..LIMITS }).await;
    let mut only = server.connect(b"http/1.1").await;
    assert_eq!(ask(&mut only, &server.question(true)).await, "200");
    let before = server.server.presented();
    let begun = std::time::Instant::now();
    // Twice, because the first may have been under way when the place was taken.
    let mut seen = vec![before];
    while seen.len() < 3 {
        let now = server.server.presented();
        if !Arc::ptr_eq(&now, seen.last().unwrap()) {
            seen.push(now);
        }
        assert!(begun.elapsed() < PATIENCE, "the certificate stays the old one");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ask(&mut only, &server.question(true)).await, "200", "who is connected notices nothing");
}
