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
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use windlass_packages::PackageStore;

use super::{Context, Parts, router};
use crate::authority::Authority;
use crate::engine::Engine;
use crate::output::OutputStore;
use crate::serve::cannot_listen;
use crate::sessions::Registry;
use crate::vault::Vault;

/// Connections at once. Operators and pipelines are few; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The head of a request takes no longer.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head: names in addresses may be long.
const HEAD_BYTES: usize = 64 << 10;
/// How often the certificate is made anew: it is good for thirty days.
const RENEWAL: Duration = Duration::from_secs(24 * 3600);
/// How long requests that are being answered have when the coordinator stops.
const DRAIN: Duration = Duration::from_secs(3);

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
            authority: authority.fingerprint(),
            data: door.data,
        });
        let address = listener.local_addr()?;
        Ok(Self { listener, address, router: router(context), authority, names: names.to_vec(), tls })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for ever. When this is dropped, requests that are being answered have a moment to end.
    pub async fn serve(&self) -> anyhow::Result<()> {
        let stopping = CancellationToken::new();
        let _stop_when_dropped = stopping.clone().drop_guard();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut renewal = tokio::time::interval(RENEWAL);
        renewal.tick().await;
        loop {
            let permit = Arc::clone(&room)
                .acquire_owned()
                .await
                .context("the limit of connections is never closed")?;
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = renewal.tick() => {
                    self.tls.store(tls(&self.authority, &self.names)?);
                    continue;
                }
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(why) => {
                    // Out of file descriptors, mostly: whoever waits stays in the kernel's queue meanwhile.
                    tracing::warn!(%why, "a connection of an operator cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let connection = Connection {
                acceptor: TlsAcceptor::from(self.tls.load_full()),
                router: self.router.clone(),
                stopping: stopping.clone(),
                peer,
            };
            tokio::spawn(async move {
                connection.answer(stream).await;
                drop(permit);
            });
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

struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    stopping: CancellationToken,
    peer: SocketAddr,
}

impl Connection {
    async fn answer(self, stream: TcpStream) {
        // Strangers connect all day; what they get wrong is no event.
        let Ok(Ok(stream)) = timeout(HANDSHAKE, self.acceptor.accept(stream)).await else {
            tracing::debug!(peer = %self.peer, "a TLS handshake failed");
            return;
        };
        let router = self.router.layer(axum::Extension(ConnectInfo(self.peer)));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEAD))
            .max_header_list_size(HEAD_BYTES as u32);
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(why) = ended {
                    tracing::debug!(peer = %self.peer, %why, "a connection ended early");
                }
            }
            () = self.stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                // What is not answered by then is cut off; what was decided stands.
                let _ = timeout(DRAIN, connection).await;
            }
        }
    }
}
