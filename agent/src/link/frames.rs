//! Frames on QUIC streams.

use quinn::{RecvStream, SendStream};
use windlass_protocol::codec::{self, LENGTH_BYTES, Malformed, Message};

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
pub(super) async fn read<M: Message>(stream: &mut RecvStream) -> Result<M, FrameError> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).await.map_err(|_| FrameError::Ended)?;
    let mut body = vec![0; codec::body_length::<M>(length)?];
    stream.read_exact(&mut body).await.map_err(|_| FrameError::Ended)?;
    Ok(codec::decode(&body)?)
}

/// Writes one message.
pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)).await.map_err(|_| FrameError::Ended)
}
