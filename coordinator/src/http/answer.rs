//! Answers as they go out: piece by piece, so that what is not taken is known, and lies in memory as long as its place in
//! a quota lasts and no longer; each under the right of who asked, as it is then (THREATS C2).
//!
//! What is given to the connection cannot be asked for any more, so that there is little of it: 64 KiB and a piece that
//! hyper holds on HTTP/1.1 ([`HEAD_BYTES`](super::connection::HEAD_BYTES)), or a piece of each stream on HTTP/2; 64 KiB of
//! TLS records; [`UNSENT`](super::connection::UNSENT) in the kernel beside what is in flight. Whoever does not read keeps
//! pieces waiting, so that the connection looks at the right as well (`connection_state.rs`) and ends when it goes: of all
//! this only what the kernel has is sent then. An answer of which no piece is left to give is beyond that: all that is named
//! here of it may still be sent.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Body as _, Frame, SizeHint};

use super::connection_state::{ConnectionState, OpenRequest};
use super::cost::{Claim, Place, Reserved};
use super::right::Right;
use super::routes::never_cached;

/// Bytes that are given away at once. Beyond what one stream gives there is nothing of an answer that nobody counts.
pub(super) const PIECE: usize = 16 << 10;

/// How long each piece of an answer is offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Of an answer that is whole: as long as a piece of a body that comes in is waited for, and half as much in that time.
    pub(super) answer: Duration,
    /// Of a stream: who reads along may stop at a page for a while, and holds little.
    pub(super) stream: Duration,
}

/// The body of an answer; its end is the request's.
pub(super) struct Outgoing {
    body: Body,
    /// What came of it and was not given away.
    rest: Bytes,
    request: OpenRequest,
    /// Whose it is; nobody's where nobody was known.
    right: Option<Arc<dyn Right>>,
    _place: Option<Place>,
    patience: Duration,
}

impl Outgoing {
    pub(super) fn new(
        body: Body,
        request: OpenRequest,
        (mut place, right): Claim,
        patience: Patience,
    ) -> Self {
        if let (Some(place), Some(bytes)) = (&mut place, body.size_hint().exact()) {
            place.weigh(bytes);
        }
        let is_stream = place.as_ref().is_some_and(Place::is_of_stream);
        let patience = if is_stream { patience.stream } else { patience.answer };
        right.iter().for_each(|right| request.rests_on(Arc::clone(right)));
        Self { body, rest: Bytes::new(), request, right, _place: place, patience }
    }

    fn give(&mut self) -> Bytes {
        self.request.offered(self.patience);
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        // A slice would keep all of it in memory for as long as any piece is on its way.
        Bytes::copy_from_slice(&piece)
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Who comes for more has taken what there was, or as good as that.
        self.request.taken();
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        // Whatever was made before is given as long as the right to it stands.
        if let Some(Err(lost)) = self.right.as_ref().map(|right| right.expect()) {
            tracing::debug!(?lost, "an answer ends before its end");
            self.rest = Bytes::new();
            return Poll::Ready(Some(Err(axum::Error::new("the right to the answer has gone"))));
        }
        Poll::Ready(Some(Ok(Frame::data(self.give()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, of_body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Tells every request whom it comes from and on which connection, and counts it until its answer is sent.
pub(super) async fn attend(
    State((peer, state, patience)): State<(SocketAddr, ConnectionState, Patience)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (asked, reserved) = (state.begin(), Reserved::default());
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(state);
    request.extensions_mut().insert(reserved.clone());
    let mut answer = next.run(request).await;
    let (place, mut right) = reserved.take();
    // Nothing of it is sent yet: who lost its right meanwhile is told that, like everybody who has none.
    if let Some(Err(lost)) = right.as_ref().map(|right| right.expect()) {
        (answer, right) = (never_cached(lost.into_response()), None);
    }
    answer.map(|body| Body::new(Outgoing::new(body, asked, (place, right), patience)))
}
