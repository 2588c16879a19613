//! What is known of a connection while it lasts: whether it ever showed a valid token, and whether it asks for
//! anything.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use windlass_protocol::ids::TokenId;

use crate::slots::{Origin, Slot, Slots};

/// How a connection stands. Cheap to clone; all clones are of the same connection.
#[derive(Clone)]
pub(super) struct ConnectionState(Arc<Inner>);

struct Inner {
    now: watch::Sender<Now>,
    slot: Mutex<HeldSlot>,
    known: Arc<Slots<TokenId>>,
    /// Cancelled when its slot is somebody else's.
    evicted: CancellationToken,
}

/// The slot that a connection has: a stranger's by its address, then one by its token.
enum HeldSlot {
    Stranger { _slot: Slot<Origin> },
    Known { _slot: Option<Slot<TokenId>> },
}

#[derive(Debug, Clone, Copy, Default)]
struct Now {
    admitted: bool,
    /// Requests whose answers are not sent yet.
    open: usize,
    /// Requests that were answered.
    answered: u64,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overstay {
    /// It has not shown a valid token.
    Stranger,
    /// Nothing was asked on it for long.
    Idle,
    /// All slots are taken, and it was the oldest of who holds most.
    Evicted,
}

impl ConnectionState {
    pub(super) fn new(slot: Slot<Origin>, known: Arc<Slots<TokenId>>, evicted: CancellationToken) -> Self {
        let slot = Mutex::new(HeldSlot::Stranger { _slot: slot });
        Self(Arc::new(Inner { now: watch::Sender::default(), slot, known, evicted }))
    }

    /// A request showed a valid token. The first one that does is whose connection it is.
    pub(super) fn admit(&self, token: TokenId) {
        if !self.0.now.send_if_modified(|now| !std::mem::replace(&mut now.admitted, true)) {
            return;
        }
        let slot = self.0.known.admit(token, &self.0.evicted);
        *self.0.slot.lock().unwrap_or_else(PoisonError::into_inner) = HeldSlot::Known { _slot: slot };
    }

    /// Ends when the connection's slot is somebody else's.
    pub(super) async fn evicted(&self) {
        self.0.evicted.cancelled().await;
    }

    /// Ends when the connection has to: without its slot, without a valid token for `first_request`, later without a
    /// request for `idle`.
    pub(super) async fn overstayed(&self, first_request: Duration, idle: Duration) -> Overstay {
        tokio::select! {
            () = self.evicted() => Overstay::Evicted,
            overstay = self.outstayed(first_request, idle) => overstay,
        }
    }

    async fn outstayed(&self, first_request: Duration, idle: Duration) -> Overstay {
        let mut now = self.0.now.subscribe();
        if timeout(first_request, now.wait_for(|now| now.admitted)).await.is_err() {
            return Overstay::Stranger;
        }
        loop {
            // The sender is `self`, so that waiting for it always has an end.
            let Ok(answered) = now.wait_for(|now| now.open == 0).await.map(|now| now.answered) else {
                continue;
            };
            let asks = now.wait_for(|now| now.open > 0 || now.answered != answered);
            if timeout(idle, asks).await.is_err() {
                return Overstay::Idle;
            }
        }
    }

    fn begin(&self) -> OpenRequest {
        self.0.now.send_modify(|now| now.open += 1);
        OpenRequest(self.clone())
    }
}

/// A request, until its answer is sent or nobody wants it any more.
struct OpenRequest(ConnectionState);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.0.now.send_modify(|now| {
            now.open -= 1;
            now.answered += 1;
        });
    }
}

/// Tells every request whom it comes from and on which connection, and counts it until its answer is sent.
pub(super) async fn attend(
    State((peer, state)): State<(SocketAddr, ConnectionState)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = state.begin();
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(state);
    next.run(request).await.map(|body| Body::new(Attended { body, _asked: asked }))
}

/// The body of an answer; its end is the request's.
struct Attended {
    body: Body,
    _asked: OpenRequest,
}

impl http_body::Body for Attended {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(1);

    const TOKEN: TokenId = TokenId::from_bytes([1; 16]);

    fn state() -> ConnectionState {
        let (strangers, evicted) = (Slots::new(1, SHORT), CancellationToken::new());
        let slot = strangers.admit(std::net::IpAddr::from([192, 0, 2, 1]).into(), &evicted).unwrap();
        ConnectionState::new(slot, Slots::new(1, Duration::ZERO), evicted)
    }

    #[tokio::test]
    async fn who_shows_no_token_has_to_go_and_who_shows_one_may_be_idle_for_a_while() {
        let state = state();
        let asked = state.begin();
        assert_eq!(state.overstayed(SHORT, LONG).await, Overstay::Stranger);
        state.admit(TOKEN);
        drop(asked);
        assert_eq!(state.overstayed(SHORT, SHORT).await, Overstay::Idle);
    }

    #[tokio::test]
    async fn who_loses_its_place_has_to_go_whatever_it_waits_for() {
        let state = state();
        let _asked = state.begin();
        state.admit(TOKEN);
        let _next = state.0.known.admit(TOKEN, &CancellationToken::new()).unwrap();
        assert_eq!(state.overstayed(LONG, LONG).await, Overstay::Evicted);
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_is_not_idle() {
        let state = state();
        state.admit(TOKEN);
        let asked = state.begin();
        assert!(timeout(SHORT * 50, state.overstayed(SHORT, SHORT)).await.is_err());
        drop(asked);
        assert_eq!(state.overstayed(SHORT, SHORT).await, Overstay::Idle);
    }
}
