//! One connection of an operator, from its handshake to its end, under limits of time.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::answer::{PIECE, attend};
use super::connection_state::{ConnectionState, Overstay};
use super::limits::Limits;

/// Bytes of a request's head: names in addresses may be long.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// Bytes that the kernel takes at once beyond what it has sent: left to itself it takes megabytes for who does not read,
/// which nobody gets back.
pub(super) const UNSENT: u32 = 64 << 10;
/// Requests at once on a connection of HTTP/2, and bytes of bodies that wait there to be read.
const STREAMS: u32 = 32;
const WINDOW: u32 = 512 << 10;

pub(super) struct Connection {
    pub(super) acceptor: TlsAcceptor,
    pub(super) router: Router,
    pub(super) stopping: CancellationToken,
    pub(super) peer: SocketAddr,
    pub(super) limits: Limits,
    pub(super) state: ConnectionState,
}

impl Connection {
    /// Answers requests until there are no more, or may be no more.
    pub(super) async fn answer(self, stream: TcpStream) {
        if let Err(why) = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT) {
            tracing::debug!(peer = %self.peer, %why, "the kernel may hold more of answers than it sends");
        }
        // Strangers connect all day; what they get wrong is no event.
        let shaking = tokio::select! {
            shaken = timeout(self.limits.handshake, self.acceptor.accept(stream)) => shaken,
            () = self.state.evicted() => return,
            () = self.stopping.cancelled() => return,
        };
        let Ok(Ok(stream)) = shaking else {
            tracing::debug!(peer = %self.peer, "a TLS handshake failed");
            return;
        };
        let router = self
            .router
            .layer(from_fn_with_state((self.peer, self.state.clone(), self.limits.patience), attend));
        let connection = builder(self.limits.head)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .into_owned();
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(why) = ended {
                    tracing::debug!(peer = %self.peer, %why, "a connection ended early");
                }
                return;
            }
            overstay = self.state.overstayed(self.limits.first_request, self.limits.idle) => {
                tracing::debug!(peer = %self.peer, ?overstay, "a connection is ended");
                // Nobody is owed anything: a slot that somebody else has now must not be taken a moment longer.
                // An answer that is not taken lies in memory, and of one that may not be taken nothing more is sent.
                if matches!(overstay, Overstay::Evicted | Overstay::Unread | Overstay::Withdrawn) {
                    return;
                }
            }
            () = self.stopping.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        // What is not answered by then is cut off; what was decided stands.
        let _ = timeout(self.limits.drain, connection).await;
    }
}

/// What speaks HTTP. A head takes no longer than `head`, and who is silent for so long on HTTP/2 is asked whether it is
/// there.
pub(super) fn builder(head: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(head))
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(PIECE)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}
