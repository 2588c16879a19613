//! A stream that counts what is written to it: whatever becomes of a pull, it is known how much of it left.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::SendStream;
use tokio::io::AsyncWrite;

pub(super) struct Metered<'a> {
    stream: &'a mut SendStream,
    written: u64,
}

impl<'a> Metered<'a> {
    pub(super) const fn new(stream: &'a mut SendStream) -> Self {
        Self { stream, written: 0 }
    }

    /// Bytes that the stream has taken.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }
}

impl AsyncWrite for Metered<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = AsyncWrite::poll_write(Pin::new(&mut *self.stream), context, bytes);
        if let Poll::Ready(Ok(taken)) = &taken {
            self.written += *taken as u64;
        }
        taken
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut *self.stream), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut *self.stream), context)
    }
}
