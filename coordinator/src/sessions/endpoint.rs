//! The QUIC endpoint: socket buffers, windows, limits (ARCHITECTURE "Back-pressure", CRATES "quinn and rustls").

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::crypto::CryptoProvider;
use socket2::{Domain, Protocol, Socket, Type};
use windlass_protocol::message::{ENROLMENT_ALPN, SESSION_ALPN};

use super::resets::{self, ResetKey};
use crate::authority::{AgentVerifier, Authority, JournalTime};
use crate::listening::cannot_listen;
use crate::registry::REQUESTS;
use crate::vault::KeyBytes;

/// Bytes of each of the socket's buffers: with the kernel's defaults a nudge to a thousand agents loses thousands of
/// datagrams.
const SOCKET_BUFFER: usize = 4 << 20;
/// Bytes that one connection may have in flight towards the coordinator: ten thousand agents are ten thousand windows.
const RECEIVE_WINDOW: u32 = 512 << 10;
/// Bytes that a peer may have in flight before it is admitted: its one message, and a little.
const STRANGERS_WINDOW: u32 = 72 << 10;
/// Bytes that the coordinator may have in flight towards one agent.
const SEND_WINDOW: u64 = 2 << 20;
/// Streams that an agent may have open at once: the one of its session, and those of its requests.
const STREAMS: u32 = 1 + REQUESTS as u32;
/// Between two stateless resets. quinn's own 20 ms are one budget for all who come, which anybody can use up, and a fleet
/// would take minutes to learn of a restart. A reset is shorter than what it answers, so that it amplifies nothing.
const RESETS: Duration = Duration::from_micros(50);
/// First packets that may wait to be looked at; the others are refused, and their senders come back with a back-off.
const INCOMING: usize = 2048;
/// How long agents have to learn that the coordinator stops.
const PARTING: Duration = Duration::from_millis(500);
/// A connection that says nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(30);

/// The open endpoint.
pub struct Endpoint {
    quic: quinn::Endpoint,
    /// What connections are made from that come now.
    config: ArcSwap<ServerConfig>,
    /// What the kernel made of the socket's buffers.
    pub buffers: BufferReport,
}

/// What the kernel gave of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferReport {
    pub wanted: usize,
    pub receive: usize,
    pub send: usize,
}

impl BufferReport {
    /// Whether the kernel capped a buffer.
    pub const fn is_capped(&self) -> bool {
        self.receive < self.wanted || self.send < self.wanted
    }
}

impl Endpoint {
    /// Binds the endpoint. It serves as soon as somebody accepts. `reset_key` stays the same over restarts.
    pub fn bind(address: SocketAddr, authority: &Authority, reset_key: KeyBytes) -> anyhow::Result<Self> {
        let config = config(authority)?;
        let (socket, buffers) = socket(address).map_err(|why| cannot_listen(address, "UDP", &why))?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let mut resetting = EndpointConfig::new(Arc::new(ResetKey::new(reset_key)));
        resetting.cid_generator(resets::connection_ids).min_reset_interval(RESETS);
        let quic = quinn::Endpoint::new(resetting, Some(config.clone()), socket, runtime)?;
        Ok(Self { quic, config: ArcSwap::from_pointee(config), buffers })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.quic.local_addr()
    }

    /// Presents a fresh certificate to agents that connect from now on, before the one of the start expires.
    pub(super) fn renew(&self, authority: &Authority) -> anyhow::Result<()> {
        let config = config(authority)?;
        self.quic.set_server_config(Some(config.clone()));
        self.config.store(Arc::new(config));
        Ok(())
    }

    pub(super) async fn accept(&self) -> Option<quinn::Incoming> {
        self.quic.accept().await
    }

    /// What one connection is to be accepted with, and what is gone when that connection is out of memory.
    pub(super) fn config_of_one(&self) -> (Arc<ServerConfig>, Weak<TransportConfig>) {
        let transport = Arc::new(transport());
        let memory = Arc::downgrade(&transport);
        let mut config = ServerConfig::clone(&self.config.load());
        config.transport_config(transport);
        (Arc::new(config), memory)
    }

    /// Tells every agent that the coordinator stops, and waits until they know or a moment has passed: whoever has not
    /// heard it learns it from a stateless reset.
    pub async fn close(&self) {
        self.quic.close(VarInt::from_u32(0), b"stopping");
        let _ = tokio::time::timeout(PARTING, self.quic.wait_idle()).await;
    }
}

fn config(authority: &Authority) -> anyhow::Result<ServerConfig> {
    let provider = CryptoProvider::get_default().context("a provider of cryptography is installed first")?;
    let verifier = AgentVerifier::new(authority.certificate(), Arc::clone(provider))?;
    let identity = authority.server_identity(&[])?;
    let mut tls = rustls::ServerConfig::builder_with_details(Arc::clone(provider), Arc::new(JournalTime))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)?;
    tls.alpn_protocols = vec![SESSION_ALPN.to_vec(), ENROLMENT_ALPN.to_vec()];
    // No resumption: each session proves its certificate anew. And no 0-RTT, which could be replayed.
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport()));
    config.max_incoming(INCOMING);
    Ok(config)
}

/// Gives a peer that was admitted the room of one. Before, it holds hardly anything: what it sent and nobody reads stays
/// with its connection until long after that was closed.
pub(super) fn widen(connection: &quinn::Connection) {
    connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS));
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(STRANGERS_WINDOW))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW / 2))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    transport
}

fn socket(address: SocketAddr) -> std::io::Result<(UdpSocket, BufferReport)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // What the kernel does not give is seen below and said in the log; it is no reason not to start.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let buffers = BufferReport {
        wanted: SOCKET_BUFFER,
        receive: socket.recv_buffer_size()?,
        send: socket.send_buffer_size()?,
    };
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok((socket.into(), buffers))
}
