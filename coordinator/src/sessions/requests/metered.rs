//! A stream that counts what is written to it: for the pace of an answer while it lasts, and for the journal when a pull
//! broke off.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use quinn::SendStream;
use tokio::io::AsyncWrite;

/// The stream of an answer. What lies in the window that the agent gave counts as taken.
pub(super) struct Metered<'a> {
    stream: &'a mut SendStream,
    taken: &'a AtomicU64,
}

impl<'a> Metered<'a> {
    pub(super) const fn new(stream: &'a mut SendStream, taken: &'a AtomicU64) -> Self {
        Self { stream, taken }
    }
}

impl AsyncWrite for Metered<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = AsyncWrite::poll_write(Pin::new(&mut *self.stream), context, bytes);
        if let Poll::Ready(Ok(count)) = taken {
            self.taken.fetch_add(count as u64, Ordering::Relaxed);
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
