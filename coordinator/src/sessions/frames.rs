//! Frames on QUIC streams.

use quinn::{RecvStream, SendStream};
use windlass_protocol::codec::{self, Message};
use windlass_protocol::gathering::{FrameError, Gathering, PIECE_BYTES};

pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)?).await.map_err(|_| FrameError::Ended)
}

/// The frames that come on a stream. The control stream is read beside other things that happen, so what came of a frame is kept.
pub(super) struct Frames {
    stream: RecvStream,
    gathering: Gathering,
}

impl Frames {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, gathering: Gathering::default() }
    }

    /// The next message. Dropping the future loses nothing.
    pub(super) async fn next<M: Message>(&mut self) -> Result<M, FrameError> {
        let mut piece = [0; PIECE_BYTES];
        while let wanted @ 1.. = self.gathering.wanted::<M>()? {
            let read = self.stream.read(&mut piece[..wanted]).await;
            let came = read.ok().flatten().ok_or(FrameError::Ended)?;
            self.gathering.came(&piece[..came]);
        }
        Ok(self.gathering.message()?)
    }
}
