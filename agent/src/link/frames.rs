//! Frames on QUIC streams.

use quinn::SendStream;
use windlass_protocol::codec::{self, LENGTH_BYTES, Malformed, Message};

use super::Incoming;

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream or connection ended.
    #[error("the connection ended")]
    Ended,
    /// The bytes are no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Reads one message. No byte of a body that is too long is read.
pub(super) async fn read<M: Message>(stream: &mut Incoming) -> Result<M, FrameError> {
    let length = stream.gathered(LENGTH_BYTES).await.ok_or(FrameError::Ended)?;
    let length = *length.first_chunk().expect("as many bytes as a length has were asked for");
    let whole = LENGTH_BYTES + codec::body_length::<M>(length)?;
    let frame = stream.gathered(whole).await.ok_or(FrameError::Ended)?;
    let message = codec::decode(&frame[LENGTH_BYTES..]);
    stream.next_frame();
    Ok(message?)
}

/// Writes one message.
pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)).await.map_err(|_| FrameError::Ended)
}
