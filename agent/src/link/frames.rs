//! Frames on QUIC streams.

use std::time::Duration;

use quinn::SendStream;
use tokio::time::timeout;
use windlass_protocol::codec::{self, Message};
use windlass_protocol::gathering::{FrameError, PIECE_BYTES};

pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)?).await.map_err(|_| FrameError::Ended)
}

/// The same, for whoever must not wait for ever: each part is taken in this time.
pub(super) async fn write_within<M: Message>(
    patience: Duration,
    stream: &mut SendStream,
    message: &M,
) -> Result<(), FrameError> {
    for part in codec::frame(message)?.chunks(PIECE_BYTES) {
        let written = timeout(patience, stream.write_all(part)).await;
        written.ok().and_then(Result::ok).ok_or(FrameError::Ended)?;
    }
    Ok(())
}
