//! Dialling out: TLS 1.3 with the pinned CA, socket buffers, windows for fast pulls.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, IdleTimeout, TransportConfig, VarInt};
use rustls::crypto::CryptoProvider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use windlass_protocol::Digest;
use windlass_protocol::message::COORDINATOR_NAME;
use windlass_sentences::{ExitKind, Fault};
use windlass_trust::PinnedAuthority;
use zeroize::Zeroizing;

use super::Link;

/// Bytes in flight towards this agent: one connection, so it may be generous.
const RECEIVE_WINDOW: u32 = 8 << 20;
/// Bytes of the socket's receive buffer: what comes while this process waits for a core must not be lost, or every
/// pull runs at the pace of its losses. Where the kernel gives less, pulls are slower and
/// nothing else is worse.
const SOCKET_BUFFER: usize = 4 << 20;
/// Shorter than the coordinator's patience, so that a quiet connection stays.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// A coordinator that says nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(30);
/// A handshake takes this long at most.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the agent shows: its certificate and key. Nobody yet has none.
pub struct Credentials {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its key, PKCS #8.
    pub key: Zeroizing<Vec<u8>>,
}

/// Connects to the coordinator at `HOST:PORT`, which must be certified by the CA of this fingerprint, by this machine's
/// clock.
pub async fn connect(
    address: &str,
    fingerprint: Digest,
    credentials: Option<&Credentials>,
    alpn: &[u8],
) -> anyhow::Result<Link> {
    connect_by(Arc::new(DefaultTimeProvider), address, fingerprint, credentials, alpn).await
}

/// The same by another clock.
pub async fn connect_by(
    clock: Arc<dyn TimeProvider>,
    address: &str,
    fingerprint: Digest,
    credentials: Option<&Credentials>,
    alpn: &[u8],
) -> anyhow::Result<Link> {
    let mut last = anyhow!("`{address}` has no address");
    let unreachable = |text: String| Fault::new(ExitKind::Unreachable, text);
    let found = tokio::net::lookup_host(address).await;
    let found = found.with_context(|| unreachable(format!("cannot find the coordinator `{address}`")))?;
    for resolved in found {
        let provider =
            CryptoProvider::get_default().context("a provider of cryptography is installed first")?;
        let authority = PinnedAuthority::new(fingerprint, provider);
        let config = client_config(&authority, Arc::clone(&clock), credentials, alpn)?;
        match connect_to(resolved, config, &authority).await {
            Ok(link) => return Ok(link),
            Err(why) => last = why,
        }
    }
    Err(last.context(unreachable(format!("cannot reach the coordinator at {address}"))))
}

async fn connect_to(
    address: SocketAddr,
    config: ClientConfig,
    authority: &PinnedAuthority,
) -> anyhow::Result<Link> {
    let endpoint = endpoint(address)?;
    // The name is checked by the pinned authority itself, wherever the coordinator runs.
    let connecting = endpoint.connect_with(config, address, COORDINATOR_NAME)?;
    let connection =
        tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| anyhow!("it does not answer"))?;
    let connection = connection.map_err(|why| match (authority.disagrees(), why.to_string()) {
        (Some(disagrees), _) => disagrees.into(),
        (None, text) if text.contains("invalid peer certificate") => {
            anyhow!("it does not prove to be the coordinator that the token or the enrolment names")
        }
        _ => why.into(),
    })?;
    Ok(Link { endpoint, connection })
}

fn endpoint(address: SocketAddr) -> anyhow::Result<Endpoint> {
    let any: SocketAddr = if address.is_ipv6() { "[::]:0".parse()? } else { "0.0.0.0:0".parse()? };
    let socket = UdpSocket::bind(any).context("cannot open a UDP socket")?;
    let buffers = socket2::SockRef::from(&socket);
    let _ = buffers.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = buffers.set_send_buffer_size(SOCKET_BUFFER);
    if let Ok(given) = buffers.recv_buffer_size()
        && given < SOCKET_BUFFER
    {
        tracing::debug!(
            wanted = SOCKET_BUFFER,
            given,
            "the kernel caps the socket's buffer; pulls may be slower"
        );
    }
    Ok(Endpoint::new(quinn::EndpointConfig::default(), None, socket, Arc::new(quinn::TokioRuntime))?)
}

fn client_config(
    authority: &Arc<PinnedAuthority>,
    clock: Arc<dyn TimeProvider>,
    credentials: Option<&Credentials>,
    alpn: &[u8],
) -> anyhow::Result<ClientConfig> {
    let provider = CryptoProvider::get_default().context("a provider of cryptography is installed first")?;
    let verifier = Arc::clone(authority);
    let builder = rustls::ClientConfig::builder_with_details(Arc::clone(provider), clock)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut tls = match credentials {
        None => builder.with_no_client_auth(),
        Some(credentials) => {
            let chain = vec![CertificateDer::from(credentials.certificate.clone())];
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(credentials.key.to_vec()));
            builder.with_client_auth_cert(chain, key)?
        }
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    config.transport_config(Arc::new(transport));
    Ok(config)
}
