//! What the coordinator sends on one stream. Everything that this program is ever given comes through here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::RecvStream;
use tokio::io::{AsyncRead, ReadBuf};
use windlass_agent_packages::recording::Tape;

/// The receiving half of a stream.
pub struct Incoming {
    stream: RecvStream,
    tape: Tape,
    /// What has come of the frame that is being read.
    frame: Vec<u8>,
}

/// Bytes taken off the stream at once while a frame is gathered: memory grows with what comes, not with what is
/// announced.
const PIECE_BYTES: usize = 4 << 10;

impl Incoming {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, tape: Tape::new("stream"), frame: Vec::new() }
    }

    /// The first `length` bytes of the frame, as soon as they are there; `None` if the stream ends before. Dropping
    /// the future loses nothing: the control stream is read beside other things that happen.
    pub(super) async fn gathered(&mut self, length: usize) -> Option<&[u8]> {
        let mut piece = [0; PIECE_BYTES];
        while self.frame.len() < length {
            let wanted = (length - self.frame.len()).min(PIECE_BYTES);
            let came = self.stream.read(&mut piece[..wanted]).await.ok()??;
            self.tape.write(&piece[..came]);
            self.frame.extend_from_slice(&piece[..came]);
        }
        Some(&self.frame[..length])
    }

    /// The frame was read to its end.
    pub(super) fn next_frame(&mut self) {
        self.frame.clear();
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
