//! What the operators' door admits, and for how long.

use std::time::Duration;

use super::answer::Patience;
use super::body::PACE;
use crate::descriptors;

/// Connections at once that have shown a valid token.
const KNOWN: usize = 1024;

/// What the door admits, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once that have not shown a valid token, shared out by address.
    pub(super) strangers: usize,
    /// Connections at once that have, shared out by token.
    pub(super) known: usize,
    /// A handshake takes no longer.
    pub(super) handshake: Duration,
    /// The head of a request takes no longer, on HTTP/1.1 from the end of the answer before it.
    pub(super) head: Duration,
    /// A connection has to show a valid token in this time.
    pub(super) first_request: Duration,
    /// And may then be without any request for so long; on HTTP/1.1 no longer than the head of the next request may take.
    pub(super) idle: Duration,
    /// An answer that is not taken ends it.
    pub(super) patience: Patience,
    /// How long requests that are being answered have when the coordinator stops, or the connection has to end.
    pub(super) drain: Duration,
    /// How often the certificate is made anew: it is good for thirty days.
    pub(super) renewal: Duration,
}

impl Limits {
    /// The usual ones, with fewer places where there are no descriptors for more.
    pub(super) fn usual(strangers: usize) -> Self {
        let most = descriptors::for_connections() / 2;
        if most < strangers {
            tracing::warn!(
                most,
                "so few files may be open that fewer operators can be connected; raise the limit"
            );
        }
        Self {
            strangers: strangers.min(most),
            known: KNOWN.min(most),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            first_request: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            patience: Patience { answer: PACE, stream: Duration::from_secs(15 * 60) },
            drain: Duration::from_secs(2),
            renewal: Duration::from_secs(24 * 3600),
        }
    }
}
