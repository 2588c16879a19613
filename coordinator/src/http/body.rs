//! Bodies as they come in: no larger than is meant, no slower than a poor link, and not for longer than the coordinator
//! serves.

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use tokio::time::{Duration, Instant, timeout_at};
use windlass_api::error::Problem;

use super::Context;
use super::refusal::Refusal;

/// Of a body that is not at its end, this much comes in the time of [`PACE`]. A link of 8 KiB a second brings seven
/// times as much.
const PACE_BYTES: usize = 32 << 10;
/// How long a part of a body is waited for.
pub(super) const PACE: Duration = Duration::from_secs(30);

/// A body that is being received.
pub(super) struct Incoming<'a> {
    context: &'a Context,
    stream: BodyDataStream,
    most: u64,
    received: u64,
    /// By when how much more has to come.
    due: Instant,
    missing: usize,
}

impl<'a> Incoming<'a> {
    /// A body of at most `most` bytes. One that says that it is larger is not read at all.
    pub(super) fn new(
        context: &'a Context,
        headers: &HeaderMap,
        body: Body,
        most: u64,
    ) -> Result<Self, Refusal> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            return Err(Refusal::too_large(most));
        }
        let (stream, due) = (body.into_data_stream(), Instant::now() + context.pace);
        Ok(Self { context, stream, most, received: 0, due, missing: PACE_BYTES })
    }

    /// The next piece, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let coming = self.context.until_stopped(timeout_at(self.due, self.stream.next()));
        let Some(piece) = coming.await?.map_err(|_| Refusal::too_slow())? else { return Ok(None) };
        let piece = piece.map_err(|_| Problem::failed("the body was cut off; send it again"))?;
        self.received += piece.len() as u64;
        if self.received > self.most {
            return Err(Refusal::too_large(self.most));
        }
        match self.missing.checked_sub(piece.len()) {
            Some(missing @ 1..) => self.missing = missing,
            _ => (self.due, self.missing) = (Instant::now() + self.context.pace, PACE_BYTES),
        }
        Ok(Some(piece))
    }

    pub(super) async fn whole(mut self) -> Result<Vec<u8>, Refusal> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}
