//! The operators' door with real sockets: who may stay, for how long, and how many.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use windlass_packages::PackageStore;
use windlass_trust::PinnedAuthority;

use super::desk::Desk;
use crate::authority::{AGENT_SECONDS, Authority};
use crate::http::server::Limits;
use crate::http::{Door, Server};
use crate::output::{Limits as OutputLimits, OutputStore};
use crate::sessions::Registry;
use crate::vault::Vault;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(3600);
const LIMITS: Limits =
    Limits { connections: 64, of_address: 64, first_request: LONG, idle: LONG, renewal: LONG };

/// A serving door.
struct House {
    desk: Desk,
    authority: Arc<Authority>,
    server: Arc<Server>,
}

impl House {
    async fn open(limits: Limits) -> Self {
        let desk = Desk::new();
        let data = desk.place.path();
        let vault = Arc::new(Vault::open(data).unwrap());
        let authority = Arc::new(Authority::open(data, &vault, AGENT_SECONDS).unwrap());
        let door = Door {
            engine: desk.engine.clone(),
            vault,
            authority: Arc::clone(&authority),
            packages: Arc::new(PackageStore::open(data.join("packages")).unwrap()),
            output: Arc::new(OutputStore::open(data, OutputLimits::with_total(1 << 30)).unwrap()),
            registry: Arc::new(Registry::default()),
            strangers: Arc::default(),
            data: data.to_owned(),
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Arc::new(Server::bind(any, door, &[]).await.unwrap().with_limits(limits));
        let serving = Arc::clone(&server);
        tokio::spawn(async move { serving.serve().await });
        Self { desk, authority, server }
    }

    /// A connection that speaks this protocol; none if the door does not take it.
    async fn try_connect(&self, protocol: &[u8]) -> Option<TlsStream<TcpStream>> {
        let provider = CryptoProvider::get_default().unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(PinnedAuthority::new(self.authority.fingerprint(), provider))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.server.address()).await.ok()?;
        let name = ServerName::try_from(windlass_protocol::message::COORDINATOR_NAME).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        timeout(PATIENCE, connecting).await.expect("a handshake takes no time").ok()
    }

    async fn connect(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.try_connect(protocol).await.expect("a connection")
    }

    fn question(&self, token: bool) -> String {
        let token =
            if token { format!("Authorization: Bearer {}\r\n", self.desk.token) } else { String::new() };
        format!("GET /api/v1/whoami HTTP/1.1\r\nHost: here\r\n{token}\r\n")
    }
}

/// Asks and reads the head and body of an answer that has a length; answers with its status.
async fn ask(stream: &mut TlsStream<TcpStream>, question: &str) -> String {
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
async fn ended(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    // However it ends: in order, or cut off.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection stays");
}

/// The beginning of a connection of HTTP/2: the preface, and settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A request of HTTP/2 as one frame of headers: literals that are in no table.
fn headers(stream: u8, token: Option<&str>) -> Vec<u8> {
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
    literal(&[0x04], "/api/v1/whoami");
    literal(&[0x01], "here");
    if let Some(token) = token {
        literal(&[0x0f, 0x08], &format!("Bearer {token}"));
    }
    // Headers that are whole and end the stream.
    let mut frame = vec![0, 0, block.len() as u8, 0x01, 0x05, 0, 0, 0, stream];
    frame.extend(block);
    frame
}

/// Reads frames of HTTP/2 until one of this kind for this stream.
async fn frame(stream: &mut TlsStream<TcpStream>, kind: u8, of: u8) -> std::io::Result<Vec<u8>> {
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

const HEADERS: u8 = 1;
/// `:status: 200` in HPACK's own table.
const OK: u8 = 0x88;

#[tokio::test(flavor = "multi_thread")]
async fn who_never_shows_a_token_is_sent_away_whatever_is_said() {
    let house = House::open(Limits { first_request: SHORT, ..LIMITS }).await;
    let mut silent = house.connect(b"h2").await;
    ended(&mut silent).await;
    let mut silent = house.connect(b"http/1.1").await;
    ended(&mut silent).await;
    let mut second = house.connect(b"h2").await;
    second.write_all(PREFACE).await.unwrap();
    ended(&mut second).await;
    let mut asking = house.connect(b"h2").await;
    asking.write_all(PREFACE).await.unwrap();
    asking.write_all(&headers(1, Some("wlt_wrong"))).await.unwrap();
    assert_ne!(frame(&mut asking, HEADERS, 1).await.unwrap()[0], OK);
    ended(&mut asking).await;
    let mut asking = house.connect(b"http/1.1").await;
    assert_eq!(ask(&mut asking, &house.question(false)).await, "401");
    ended(&mut asking).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_showed_a_token_stays() {
    let house = House::open(Limits { first_request: 5 * SHORT, ..LIMITS }).await;
    // A slow machine may not get to its request in so short a time; then it asks again.
    let (mut first, mut second) = loop {
        let (mut first, mut second) = (house.connect(b"http/1.1").await, house.connect(b"h2").await);
        let mut said = PREFACE.to_vec();
        said.extend(headers(1, Some(&house.desk.token)));
        let both = async {
            first.write_all(house.question(true).as_bytes()).await?;
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
    let mut stranger = house.connect(b"h2").await;
    ended(&mut stranger).await;
    second.write_all(&headers(3, Some(&house.desk.token))).await.unwrap();
    frame(&mut second, HEADERS, 3).await.unwrap();
    // What is left of the first answer, whose first letter was read.
    let mut rest = [0; 11];
    first.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"TTP/1.1 200");
    let mut buffer = vec![0; 64 << 10];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    first.write_all(house.question(true).as_bytes()).await.unwrap();
    assert!(first.read(&mut buffer).await.unwrap() > 0, "it is answered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends_and_one_that_is_being_served_does_not() {
    let house = House::open(Limits { idle: SHORT, ..LIMITS }).await;
    let mut uploading = house.connect(b"http/1.1").await;
    let head = format!(
        "POST /api/v1/packages?name=a.1.0.0.bin HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\n",
        house.desk.token
    );
    uploading.write_all(head.as_bytes()).await.unwrap();
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let mut idle = house.connect(protocol).await;
        if protocol == b"h2" {
            idle.write_all(PREFACE).await.unwrap();
            idle.write_all(&headers(1, Some(&house.desk.token))).await.unwrap();
            assert_eq!(frame(&mut idle, HEADERS, 1).await.unwrap()[0], OK);
        } else {
            assert_eq!(ask(&mut idle, &house.question(true)).await, "200");
        }
        ended(&mut idle).await;
    }
    assert_eq!(ask(&mut uploading, "four").await, "200", "it was not idle: the upload was awaited");
    ended(&mut uploading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_places() {
    let house = House::open(Limits { of_address: 2, ..LIMITS }).await;
    let mut first = house.connect(b"http/1.1").await;
    let second = house.connect(b"http/1.1").await;
    assert!(house.try_connect(b"http/1.1").await.is_none(), "there are two already");
    assert_eq!(ask(&mut first, &house.question(true)).await, "200");
    drop(second);
    let begun = std::time::Instant::now();
    let mut third = loop {
        if let Some(third) = house.try_connect(b"http/1.1").await {
            break third;
        }
        assert!(begun.elapsed() < PATIENCE, "the place of who has gone is not given to another");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(ask(&mut third, &house.question(true)).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_renewed_while_all_places_are_taken() {
    let house = House::open(Limits { connections: 1, renewal: SHORT, ..LIMITS }).await;
    let mut only = house.connect(b"http/1.1").await;
    assert_eq!(ask(&mut only, &house.question(true)).await, "200");
    let before = house.server.presented();
    let begun = std::time::Instant::now();
    // Twice, because the first may have been under way when the place was taken.
    let mut seen = vec![before];
    while seen.len() < 3 {
        let now = house.server.presented();
        if !Arc::ptr_eq(&now, seen.last().unwrap()) {
            seen.push(now);
        }
        assert!(begun.elapsed() < PATIENCE, "the certificate stays the old one");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ask(&mut only, &house.question(true)).await, "200", "who is connected notices nothing");
}
