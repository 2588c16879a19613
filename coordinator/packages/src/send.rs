//! The answer to a pull, written to a stream.

use std::io;
use std::sync::mpsc as blocking;
use std::thread;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use windlass_protocol::codec;
use windlass_protocol::message::Answer;

use crate::feed::{self, CHUNKS, Fed, Feed};
use crate::{PackageStore, PullPlan, StoreError};

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Bytes on the stream, all included.
    pub bytes: u64,
}

/// Why the answer was not sent to its end. The stream must then be reset, not finished.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The check said no: the right to the package has gone.
    #[error("the right to the package was withdrawn while it was being sent")]
    Withdrawn,
    /// The agent or the network ended the stream.
    #[error("the stream of the pull ended early: {0}")]
    Stream(io::Error),
    /// A blob cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Bytes written between two checks, so that no more than this leaves after a right was withdrawn.
const WRITE_BYTES: usize = 256 << 10;

/// Writes the answer that `plan` decided on: the header, the manifest's text if it travels, and the contents.
///
/// `check` is asked before every write of at most 256 KiB, thus at least once a segment, whether to go on. The
/// stream is flushed at the end, not finished: that is the caller's. Reading happens in a thread of its own, which
/// ends with this future; a pull takes 4 MiB of memory.
pub async fn send<W: AsyncWrite + Unpin>(
    store: &PackageStore,
    plan: &PullPlan,
    writer: &mut W,
    check: impl FnMut() -> bool,
) -> Result<Sent, SendError> {
    let mut outlet = Outlet { writer, check, bytes: 0 };
    let header = codec::frame(&Answer::Pull(plan.header.clone())).expect("a header is three numbers");
    outlet.write(&header).await?;
    if !plan.is_empty() {
        forward(store, plan, &mut outlet).await?;
    }
    outlet.writer.flush().await.map_err(SendError::Stream)?;
    Ok(Sent { bytes: outlet.bytes })
}

/// Starts the reading thread and writes what it hands over.
async fn forward<W, C>(
    store: &PackageStore,
    plan: &PullPlan,
    outlet: &mut Outlet<'_, W, C>,
) -> Result<(), SendError>
where
    W: AsyncWrite + Unpin,
    C: FnMut() -> bool,
{
    let (full, mut chunks) = mpsc::channel(CHUNKS);
    let (empty, spent) = blocking::channel();
    let (reading, plan) = (store.clone(), plan.clone());
    thread::Builder::new()
        .name("package-feed".to_owned())
        .spawn(move || feed::run(&reading, &plan, Feed { full, spent }))
        .map_err(StoreError::io("start a thread to read", store.objects().folder()))?;
    loop {
        match chunks.recv().await {
            Some(Fed::Chunk(chunk)) => {
                outlet.write(chunk.filled()).await?;
                // The thread has gone when it has read everything.
                let _ = empty.send(chunk);
            }
            Some(Fed::Failed(error)) => return Err(error.into()),
            Some(Fed::End) => return Ok(()),
            None => {
                let source = io::Error::other("the thread that reads has died");
                return Err(StoreError::io("read", store.objects().folder())(source).into());
            }
        }
    }
}

struct Outlet<'a, W, C> {
    writer: &'a mut W,
    check: C,
    bytes: u64,
}

impl<W: AsyncWrite + Unpin, C: FnMut() -> bool> Outlet<'_, W, C> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        for piece in bytes.chunks(WRITE_BYTES) {
            if !(self.check)() {
                return Err(SendError::Withdrawn);
            }
            self.writer.write_all(piece).await.map_err(SendError::Stream)?;
            self.bytes += piece.len() as u64;
        }
        Ok(())
    }
}
