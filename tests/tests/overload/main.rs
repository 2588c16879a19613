//! Who takes all that can be had: strangers from one address, and tokens that may only read. Everybody else goes on.

mod floods;
mod machines;
mod reads;
mod reports;
mod stopping;
mod strangers;
mod unread;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use windlass_protocol::message::COORDINATOR_NAME;
use windlass_protocol::token::{Token, TokenKind};
use windlass_tests::installation::Installation;
use windlass_trust::PinnedAuthority;

const GRANT: [&str; 4] = ["--environment", "Production", "--role", "web"];

/// An installation with one environment and a project of one step, under these lines of configuration.
fn installation(configuration: &str) -> (tempfile::TempDir, Installation) {
    windlass_trust::install_provider();
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start_with(folder.path(), configuration).expect("a coordinator");
    installation.apply(
        "kind: environment\nname: Production\n---\nkind: project\nname: Website\n\
         steps: [{name: Install, roles: [web], script: {body: 'echo hello'}}]\n",
    );
    (folder, installation)
}

/// Deploys a new release and waits until an agent has reported that it is done.
fn deploy(installation: &Installation, version: &str) -> Duration {
    let begun = Instant::now();
    installation.windlass(&["release", "create", "--project", "Website", "--version", version]);
    let what = ["release", "deploy", "--project", "Website", "--version", version];
    installation.windlass(&[&what[..], &["--environment", "Production", "--wait"]].concat());
    begun.elapsed()
}

/// A connection of an operator on which nothing is said but what a test writes.
type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Bytes of memory that a process has.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

fn connect(http: &str, token: &str) -> std::io::Result<Stream> {
    connect_with(http, token, b"http/1.1")
}

/// The same for this protocol. The token says whom to trust, and is not shown.
fn connect_with(http: &str, token: &str, protocol: &[u8]) -> std::io::Result<Stream> {
    let token = Token::parse(TokenKind::Api, token).expect("a token");
    let provider = CryptoProvider::get_default().expect("a provider");
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(PinnedAuthority::new(token.fingerprint, provider))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = COORDINATOR_NAME.try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    Ok(StreamOwned::new(connection, TcpStream::connect(http)?))
}

/// Asks on a connection of its own and answers with the status; none if the coordinator has gone.
fn status(http: &str, token: &str, method: &str, path: &str, body: &str) -> Option<u16> {
    let mut stream = connect(http, token).ok()?;
    let head = format!(
        "{method} /api/v1/{path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = [0; b"HTTP/1.1 200".len()];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}
