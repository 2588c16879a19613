//! The operators' door: TLS over TCP, connections under limits, and the API behind it.
//!
//! The certificate is the coordinator's own, renewed while it serves; whoever has a token knows the CA's fingerprint
//! and needs nothing else to trust it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::connection_state::ConnectionState;
use super::limits::Limits;
use super::{Context, router};
use crate::authority::Authority;
use crate::engine::Engine;
use crate::listening::cannot_listen;
use crate::services::Services;
use crate::slots::{Origin, SETTLED, Slots};

/// The listening server.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    authority: Arc<Authority>,
    names: Vec<String>,
    tls: ArcSwap<ServerConfig>,
    limits: Limits,
    stopping: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Binds the address. `names` are host names that the certificate is good for beside the built-in one; `strangers`
    /// are the connections at once that have not shown a valid token.
    pub async fn bind(
        address: SocketAddr,
        engine: Engine,
        services: Services,
        names: &[String],
        strangers: usize,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|why| cannot_listen(address, "TCP", &why))?;
        let authority = Arc::clone(&services.authority);
        let tls = ArcSwap::new(tls(&authority, names)?);
        let context = Context::new(engine, services);
        let address = listener.local_addr()?;
        let stopping = context.stopping.clone();
        let (router, names) = (router(context), names.to_vec());
        let (limits, connections) = (Limits::usual(strangers), TaskTracker::new());
        Ok(Self { listener, address, router, authority, names, tls, limits, stopping, connections })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With other limits.
    #[cfg(test)]
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// What it presents to who connects now.
    #[cfg(test)]
    pub(super) fn presented(&self) -> Arc<ServerConfig> {
        self.tls.load_full()
    }

    /// Serves for ever. When this is dropped, requests that are being answered have a moment to end.
    pub async fn serve(&self) -> anyhow::Result<()> {
        let _stop_when_dropped = self.stopping.clone().drop_guard();
        let strangers = Slots::new(self.limits.strangers, SETTLED);
        let known = Slots::new(self.limits.known, Duration::ZERO);
        let mut renewal = tokio::time::interval(self.limits.renewal);
        renewal.tick().await;
        loop {
            let (stream, peer) = tokio::select! {
                accepted = self.accept() => accepted,
                _ = renewal.tick() => {
                    self.renew();
                    continue;
                }
            };
            let evicted = CancellationToken::new();
            let Some(slot) = strangers.admit(Origin::from(peer.ip()), &evicted) else {
                tracing::debug!(%peer, "a connection is refused: its address has too many");
                continue;
            };
            let connection = Connection {
                acceptor: TlsAcceptor::from(self.tls.load_full()),
                router: self.router.clone(),
                stopping: self.stopping.clone(),
                peer,
                limits: self.limits,
                state: ConnectionState::new(slot, Arc::clone(&known), evicted),
            };
            self.connections.spawn(connection.answer(stream));
        }
    }

    /// Waits until every connection has ended, once nobody serves any more: a moment at most.
    pub async fn drained(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// Waits for the next one who comes. Dropping the future loses nobody.
    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(why) => {
                    // Out of file descriptors, mostly: whoever waits stays in the kernel's queue meanwhile.
                    tracing::warn!(%why, "a connection of an operator cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// Presents a fresh certificate from now on. Without one the old one does for weeks, and nobody is sent away.
    fn renew(&self) {
        match tls(&self.authority, &self.names) {
            Ok(config) => self.tls.store(config),
            Err(why) => {
                tracing::error!(%why, "the coordinator's certificate for operators cannot be renewed");
            }
        }
    }
}

fn tls(authority: &Authority, names: &[String]) -> anyhow::Result<Arc<ServerConfig>> {
    let provider = CryptoProvider::get_default().context("a provider of cryptography is installed first")?;
    let identity = authority.server_identity(names)?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
