//! A connection on which nothing is said but what a test writes, byte for byte.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, TransportConfig, VarInt};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use windlass_agent::identity::Identity;
use windlass_protocol::Digest;
use windlass_protocol::codec::{self, Message};
use windlass_protocol::gathering::Gathering;
use windlass_protocol::message::COORDINATOR_NAME;
use windlass_trust::PinnedAuthority;

use crate::slow::Slow;

/// Who connects, and how.
pub struct Caller {
    /// `HOST:PORT` of the coordinator.
    pub address: SocketAddr,
    /// Its CA.
    pub fingerprint: Digest,
    /// What is shown as a client certificate, with its key; nothing if it is empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// The certificate's key.
    pub key: PrivateKeyDer<'static>,
    /// Bytes that may be on their way here on one stream before somebody reads them.
    pub window: u32,
    /// Streams that may have so much on their way at once.
    pub streams: u32,
    /// The address that it connects from.
    pub from: IpAddr,
    /// Whether it says that its acknowledgements take as long as they may, sixteen seconds.
    pub is_slow: bool,
}

impl Caller {
    /// The machine whose state lies there.
    pub fn of(state: &Path) -> anyhow::Result<Self> {
        let identity = Identity::read(state)?;
        Ok(Self {
            address: identity.membership.coordinator.parse()?,
            fingerprint: identity.fingerprint()?,
            chain: vec![CertificateDer::from(identity.certificate()?)],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key().to_vec())),
            window: 1 << 20,
            streams: 1,
            from: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_slow: false,
        })
    }

    /// Connects. The endpoint belongs to the connection: when it is dropped, so is the connection.
    pub async fn connect(self, alpn: &[u8]) -> anyhow::Result<(Endpoint, Connection)> {
        let address = self.address;
        let endpoint = self.endpoint(alpn)?;
        let connecting = endpoint.connect(address, COORDINATOR_NAME)?;
        let connection = tokio::time::timeout(PATIENCE, connecting).await.context("no handshake")??;
        Ok((endpoint, connection))
    }

    /// An endpoint from which it can connect again and again.
    pub fn endpoint(self, alpn: &[u8]) -> anyhow::Result<Endpoint> {
        let provider = CryptoProvider::get_default().context("a provider is installed first")?;
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(PinnedAuthority::new(self.fingerprint, provider));
        let mut tls = if self.chain.is_empty() {
            builder.with_no_client_auth()
        } else {
            builder.with_client_auth_cert(self.chain, self.key)?
        };
        tls.alpn_protocols = vec![alpn.to_vec()];
        let tls = Arc::new(QuicClientConfig::try_from(tls)?);
        let mut config = ClientConfig::new(if self.is_slow { Arc::new(Slow(tls)) } else { tls });
        let mut transport = TransportConfig::default();
        transport
            .receive_window(VarInt::from_u32(self.window.saturating_mul(self.streams)))
            .stream_receive_window(VarInt::from_u32(self.window))
            .keep_alive_interval(Some(Duration::from_secs(5)));
        config.transport_config(Arc::new(transport));
        let mut endpoint = Endpoint::client(SocketAddr::from((self.from, 0)))?;
        endpoint.set_default_client_config(config);
        Ok(endpoint)
    }
}

/// How long anything may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The frame of a message that may be sent.
pub fn frame<M: Message>(message: &M) -> Vec<u8> {
    codec::frame(message).expect("a test's message is within the limit of its kind")
}

/// The body of a message that may be sent.
pub fn body<M: Message>(message: &M) -> Vec<u8> {
    codec::body(message).expect("a test's message is within the limit of its kind")
}

/// Reads one frame.
pub async fn read<M: Message>(stream: &mut RecvStream) -> anyhow::Result<M> {
    let mut gathering = Gathering::default();
    while let wanted @ 1.. = gathering.wanted::<M>()? {
        let mut piece = vec![0; wanted];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut piece)).await.context("nothing came")??;
        gathering.came(&piece);
    }
    Ok(gathering.message()?)
}

/// Waits until the other side has ended the connection.
pub async fn closed(connection: &Connection) -> anyhow::Result<quinn::ConnectionError> {
    tokio::time::timeout(PATIENCE, connection.closed()).await.context("the connection stays open")
}
