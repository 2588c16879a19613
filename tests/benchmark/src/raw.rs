//! Bare quinn, as the floor of a nudge: as many connections with the same kind of certificates and buffers, and one
//! small message on a stream of each. It serves in a process of its own, as the coordinator does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use quinn::crypto::rustls::QuicServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use windlass_agent::link::{self, Incoming, Link};
use windlass_protocol::Digest;
use windlass_protocol::codec::LENGTH_BYTES;
use windlass_protocol::message::{COORDINATOR_NAME, FromAgent};

use crate::arrivals::{self, Arrivals};

/// Bytes of the message: a nudge's frame.
const MESSAGE_BYTES: usize = LENGTH_BYTES + 8;
/// Bytes of the socket's buffers, as the coordinator asks for.
const SOCKET_BUFFER: usize = 4 << 20;
const ALPN: &[u8] = b"bare";
const IDLE: Duration = Duration::from_secs(60);

/// Serves: every line on standard input sends a message to every connection.
#[allow(clippy::print_stdout)]
pub fn serve() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (endpoint, fingerprint) = endpoint()?;
        println!("{} {fingerprint}", endpoint.local_addr()?);
        let (told, mut lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
                if told.send(()).is_err() {
                    return;
                }
            }
        });
        let mut streams: Vec<quinn::SendStream> = Vec::new();
        let (opened, mut arriving) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let opened = opened.clone();
                tokio::spawn(async move {
                    let connection = incoming.await.ok()?;
                    let (send, mut receive) = connection.accept_bi().await.ok()?;
                    let _ = receive.read_to_end(1024).await;
                    opened.send(send).ok()?;
                    // A connection ends when nothing holds it.
                    connection.closed().await;
                    Some(())
                });
            }
        });
        loop {
            tokio::select! {
                Some(stream) = arriving.recv() => streams.push(stream),
                line = lines.recv() => match line {
                    None => return Ok(()),
                    Some(()) => for stream in &mut streams {
                        stream.write_all(&[0; MESSAGE_BYTES]).await?;
                    }
                }
            }
        }
    })
}

fn endpoint() -> anyhow::Result<(quinn::Endpoint, Digest)> {
    let authority_key = rcgen::KeyPair::generate()?;
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key)?;
    let key = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(vec![COORDINATOR_NAME.to_owned()])?;
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let certificate = parameters.signed_by(&key, &issuer)?;
    let chain = vec![certificate.der().clone(), authority_certificate.der().clone()];
    let mut tls = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialized_der().to_vec()).into())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(IDLE.try_into()?));
    config.transport_config(Arc::new(transport));
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER)?;
    socket2::SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    let endpoint = quinn::Endpoint::new(quinn::EndpointConfig::default(), Some(config), socket, runtime)?;
    Ok((endpoint, Digest::of(authority_certificate.der())))
}

/// Connections to a bare server.
pub struct Raw {
    server: Child,
    trigger: ChildStdin,
    streams: Vec<(Link, Incoming)>,
}

impl Raw {
    /// Starts the server and connects `count` times.
    pub async fn connect(count: usize, at_once: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut server = command.arg("raw-server").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let trigger = server.stdin.take().context("piped")?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().context("piped")?).read_line(&mut line)?;
        let (address, fingerprint) = line.trim().split_once(' ').context("the server says where it is")?;
        let fingerprint: Digest = fingerprint.parse()?;
        let turns = Arc::new(Semaphore::new(at_once));
        let mut joining = JoinSet::new();
        for _ in 0..count {
            let (turns, address) = (Arc::clone(&turns), address.to_owned());
            joining.spawn(async move {
                let _turn = turns.acquire().await;
                let link = link::connect(&address, fingerprint, None, ALPN).await?;
                let stream = link.ask_message(&FromAgent::Heartbeat).await?;
                anyhow::Ok((link, stream))
            });
        }
        let mut streams = Vec::with_capacity(count);
        while let Some(joined) = joining.join_next().await {
            streams.push(joined??);
        }
        Ok(Self { server, trigger, streams })
    }

    /// From the request to the last message having been read.
    pub async fn nudge(&mut self) -> anyhow::Result<Duration> {
        let mut reading = JoinSet::new();
        let arrivals = Arc::new(Arrivals::new());
        arrivals.expect(self.streams.len());
        for (link, mut stream) in self.streams.drain(..) {
            let arrivals = Arc::clone(&arrivals);
            reading.spawn(async move {
                let mut message = [0; MESSAGE_BYTES];
                stream.read_exact(&mut message).await?;
                arrivals.arrived();
                anyhow::Ok((link, stream))
            });
        }
        arrivals::settle().await;
        let started = Instant::now();
        self.trigger.write_all(b"\n")?;
        let took = arrivals.all().await? - started;
        while let Some(read) = reading.join_next().await {
            self.streams.push(read??);
        }
        Ok(took)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
