//! Frames on QUIC streams.

use quinn::SendStream;
use windlass_protocol::codec::{self, Message};
use windlass_protocol::gathering::FrameError;

/// Writes one message.
pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)?).await.map_err(|_| FrameError::Ended)
}
