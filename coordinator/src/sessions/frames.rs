//! Frames on QUIC streams.

use futures_util::FutureExt;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use windlass_protocol::codec::{self, Message};
use windlass_protocol::gathering::{FrameError, Gathering, PIECE_BYTES};

pub(super) async fn write<M: Message>(stream: &mut SendStream, message: &M) -> Result<(), FrameError> {
    stream.write_all(&codec::frame(message)?).await.map_err(|_| FrameError::Ended)
}

/// The frames that come on a stream. The control stream is read beside other things that happen, so what came of a frame is kept.
/// With this goes what came on the stream and was not read, also where the connection was closed already: dropping the
/// stream alone would leave that with the connection until long after.
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

impl Drop for Frames {
    fn drop(&mut self) {
        // One that has ended has nothing more.
        let _ = self.stream.stop(VarInt::from_u32(0));
    }
}

/// Lets go of what came on streams that nobody took before their connection was closed.
pub(super) fn discard_untaken(connection: &Connection) {
    while let Some(Ok((_, untaken))) = connection.accept_bi().now_or_never() {
        drop(Frames::new(untaken));
    }
}
