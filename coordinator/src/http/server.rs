//! The operators' door: TLS over TCP, connections under limits, and the API behind it.
//!
//! The certificate is the coordinator's own, renewed while it serves; whoever has a token knows the CA's fingerprint
//! and needs nothing else to trust it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use windlass_packages::PackageStore;

use super::connection::Connection;
use super::visitors::Visitors;
use super::{Context, Parts, router};
use crate::authority::Authority;
use crate::engine::Engine;
use crate::output::OutputStore;
use crate::serve::cannot_listen;
use crate::sessions::{Registry, Strangers};
use crate::vault::Vault;

/// What the door admits, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once. Operators and pipelines are few; more wait to be accepted.
    pub(super) connections: usize,
    /// Connections of one address at once; more are closed. A whole office may stand behind one, and one alone must not
    /// take all places.
    pub(super) of_address: usize,
    /// A connection has to show a valid token in this time.
    pub(super) first_request: Duration,
    /// And may then be without any request for so long.
    pub(super) idle: Duration,
    /// How often the certificate is made anew: it is good for thirty days.
    pub(super) renewal: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            of_address: 256,
            first_request: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            renewal: Duration::from_secs(24 * 3600),
        }
    }
}

/// The parts of the coordinator that stand behind the door.
pub struct Door {
    /// Decides.
    pub engine: Engine,
    /// Seals.
    pub vault: Arc<Vault>,
    /// Certifies this coordinator.
    pub authority: Arc<Authority>,
    /// Stores packages.
    pub packages: Arc<PackageStore>,
    /// Keeps what steps printed.
    pub output: Arc<OutputStore>,
    /// Knows who is connected.
    pub registry: Arc<Registry>,
    /// Counts who is refused, and is nobody.
    pub strangers: Arc<Strangers>,
    /// The data folder.
    pub data: PathBuf,
}

/// The listening server.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    authority: Arc<Authority>,
    names: Vec<String>,
    tls: ArcSwap<ServerConfig>,
    limits: Limits,
}

impl Server {
    /// Binds the address. `names` are host names that the certificate is good for beside the built-in one.
    pub async fn bind(address: SocketAddr, door: Door, names: &[String]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|why| cannot_listen(address, "TCP", &why))?;
        let authority = Arc::clone(&door.authority);
        let tls = ArcSwap::new(tls(&authority, names)?);
        let context = Context::new(Parts {
            engine: door.engine,
            vault: door.vault,
            packages: door.packages,
            presence: door.registry,
            logs: door.output,
            strangers: door.strangers,
            authority: authority.fingerprint(),
            data: door.data,
        });
        let address = listener.local_addr()?;
        let (router, names) = (router(context), names.to_vec());
        Ok(Self { listener, address, router, authority, names, tls, limits: Limits::default() })
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
        let stopping = CancellationToken::new();
        let _stop_when_dropped = stopping.clone().drop_guard();
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let visitors = Visitors::new(self.limits.of_address);
        let mut renewal = tokio::time::interval(self.limits.renewal);
        renewal.tick().await;
        loop {
            // Also while all places are taken, and nobody is accepted, the certificate is renewed.
            let (place, stream, peer) = tokio::select! {
                accepted = self.accept(&room) => accepted?,
                _ = renewal.tick() => {
                    self.renew();
                    continue;
                }
            };
            let Some(visit) = visitors.enter(peer.ip()) else {
                tracing::debug!(%peer, "a connection is refused: its address has too many");
                continue;
            };
            let connection = Connection {
                acceptor: TlsAcceptor::from(self.tls.load_full()),
                router: self.router.clone(),
                stopping: stopping.clone(),
                peer,
                limits: self.limits,
            };
            tokio::spawn(async move {
                connection.answer(stream).await;
                drop((place, visit));
            });
        }
    }

    /// Waits for a place, and then for who takes it. Dropping the future loses nobody.
    async fn accept(
        &self,
        room: &Arc<Semaphore>,
    ) -> anyhow::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let place = Arc::clone(room).acquire_owned().await;
        let place = place.context("the limit of connections is never closed")?;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return Ok((place, stream, peer)),
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
