//! Frames on QUIC streams.

use quinn::{RecvStream, SendStream};
use windlass_protocol::codec::{self, LENGTH_BYTES, Malformed, Message};

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
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

/// The control stream's frames. It is read beside other things that happen, so what came of a frame is kept.
pub(super) struct Frames {
    stream: RecvStream,
    frame: Vec<u8>,
}

/// Bytes taken off the stream at once: memory grows with what comes, not with what is announced.
const PIECE_BYTES: usize = 1 << 10;

impl Frames {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, frame: Vec::new() }
    }

    /// The next message. Dropping the future loses nothing.
    pub(super) async fn next<M: Message>(&mut self) -> Result<M, FrameError> {
        self.gather(LENGTH_BYTES).await?;
        let length = *self.frame.first_chunk().expect("as many bytes as a length has were gathered");
        self.gather(LENGTH_BYTES + codec::body_length::<M>(length)?).await?;
        let message = codec::decode(&self.frame[LENGTH_BYTES..]);
        self.frame.clear();
        Ok(message?)
    }

    async fn gather(&mut self, length: usize) -> Result<(), FrameError> {
        let mut piece = [0; PIECE_BYTES];
        while self.frame.len() < length {
            let wanted = (length - self.frame.len()).min(PIECE_BYTES);
            let read = self.stream.read(&mut piece[..wanted]).await;
            let came = read.ok().flatten().ok_or(FrameError::Ended)?;
            self.frame.extend_from_slice(&piece[..came]);
        }
        Ok(())
    }
}
