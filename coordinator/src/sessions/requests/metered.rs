//! A stream that counts what is written to it: for the pace of a pull while it lasts, and for the journal when it broke off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::SendStream;
use tokio::io::AsyncWrite;

use super::super::turns::Turn;

/// The stream of a pull. What lies in the window of the connection counts as taken.
pub(super) struct Metered<'a, 'b> {
    stream: &'a mut SendStream,
    turn: &'a Turn<'b>,
}

impl<'a, 'b> Metered<'a, 'b> {
    pub(super) const fn new(stream: &'a mut SendStream, turn: &'a Turn<'b>) -> Self {
        Self { stream, turn }
    }
}

impl AsyncWrite for Metered<'_, '_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = AsyncWrite::poll_write(Pin::new(&mut *self.stream), context, bytes);
        if let Poll::Ready(Ok(count)) = taken {
            self.turn.took(count);
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
