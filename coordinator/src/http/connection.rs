//! One connection of an operator, from its handshake to its end, under limits of time.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::server::Limits;
use super::standing::{Standing, attend};

/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The head of a request takes no longer.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head: names in addresses may be long.
const HEAD_BYTES: usize = 64 << 10;
/// How long requests that are being answered have when the coordinator stops, or the connection has to end.
const DRAIN: Duration = Duration::from_secs(3);

pub(super) struct Connection {
    pub(super) acceptor: TlsAcceptor,
    pub(super) router: Router,
    pub(super) stopping: CancellationToken,
    pub(super) peer: SocketAddr,
    pub(super) limits: Limits,
}

impl Connection {
    /// Answers requests until there are no more, or may be no more.
    pub(super) async fn answer(self, stream: TcpStream) {
        // Strangers connect all day; what they get wrong is no event.
        let Ok(Ok(stream)) = timeout(HANDSHAKE, self.acceptor.accept(stream)).await else {
            tracing::debug!(peer = %self.peer, "a TLS handshake failed");
            return;
        };
        let standing = Standing::new();
        let router = self.router.layer(from_fn_with_state((self.peer, standing.clone()), attend));
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
                return;
            }
            overstay = standing.overstayed(self.limits.first_request, self.limits.idle) => {
                tracing::debug!(peer = %self.peer, ?overstay, "a connection is ended");
            }
            () = self.stopping.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        // What is not answered by then is cut off; what was decided stands.
        let _ = timeout(DRAIN, connection).await;
    }
}
