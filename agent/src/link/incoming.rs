//! What the coordinator sends on one stream. Everything that this program is ever given comes through here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::RecvStream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;
use windlass_agent_packages::recording::Tape;
use windlass_protocol::codec::Message;
use windlass_protocol::gathering::{FrameError, Gathering, PIECE_BYTES};

/// The receiving half of a stream.
pub struct Incoming {
    stream: RecvStream,
    tape: Tape,
    gathering: Gathering,
    /// How long it may be silent.
    patience: Duration,
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, patience: Duration) -> Self {
        Self { stream, tape: Tape::new("stream"), gathering: Gathering::default(), patience }
    }

    /// The next message. Dropping the future loses nothing: the control stream is read beside other things that happen.
    pub(super) async fn message<M: Message>(&mut self) -> Result<M, FrameError> {
        let mut piece = [0; PIECE_BYTES];
        while let wanted @ 1.. = self.gathering.wanted::<M>()? {
            let read = timeout(self.patience, self.stream.read(&mut piece[..wanted])).await;
            let came = read.ok().and_then(Result::ok).flatten().ok_or(FrameError::Ended)?;
            self.tape.write(&piece[..came]);
            self.gathering.came(&piece[..came]);
        }
        Ok(self.gathering.message()?)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = AsyncRead::poll_read(Pin::new(&mut self.stream), context, buffer);
        self.tape.write(&buffer.filled()[before..]);
        read
    }
}
