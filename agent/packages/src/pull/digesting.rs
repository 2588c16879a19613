//! The thread that decompresses and hashes: what leaves it for the disk is plain bytes and a verdict.

use tokio::sync::mpsc;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_protocol::limits::SEGMENT_BYTES;

use super::ending::{Ended, Stop};
use super::pool::{Piece, Pool};
use super::writing::Write;
use crate::PullError;
use crate::recording::Tape;

/// Plain segments that are decompressed but not written yet.
const PLAIN_SEGMENTS: usize = 2;

/// What comes off the stream, its shape checked.
pub(super) enum Step {
    /// A content begins, of so many bytes; `hasher` has seen what is there already.
    Content { digest: Digest, compressed: bool, resumed: u64, left: u64, hasher: Hasher },
    /// A segment begins: bytes as they travel, and bytes of content.
    Segment { stored: usize, plain: usize },
    /// The next bytes of the segment.
    Piece(Piece),
    /// The stream ended where it should.
    End,
}

/// A content in the making.
struct Current {
    digest: Digest,
    compressed: bool,
    left: u64,
    hasher: Hasher,
    tape: Tape,
}

struct Digesting {
    disk: mpsc::Sender<Write>,
    current: Option<Current>,
    /// Bytes of content in the current segment.
    plain: usize,
    /// A compressed segment as far as it came, and its whole length.
    stored: Vec<u8>,
    awaited: usize,
    decompressor: zstd::bulk::Decompressor<'static>,
    pool: Pool,
}

/// The body of the thread.
pub(super) fn run(mut steps: mpsc::Receiver<Step>, disk: mpsc::Sender<Write>) -> Result<Ended, PullError> {
    let decompressor = zstd::bulk::Decompressor::new().expect("zstd makes a context, or there is no memory");
    let mut digesting = Digesting {
        disk,
        current: None,
        plain: 0,
        stored: Vec::new(),
        awaited: 0,
        decompressor,
        pool: Pool::new(PLAIN_SEGMENTS, SEGMENT_BYTES),
    };
    while let Some(step) = steps.blocking_recv() {
        let last = matches!(step, Step::End);
        match digesting.step(step) {
            Ok(()) if last => return Ok(Ended::Complete),
            Ok(()) => {}
            Err(Stop::Early) => return Ok(Ended::Early),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(Ended::Early)
}

impl Digesting {
    fn step(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::Content { digest, compressed, resumed, left, hasher } => {
                self.send(Write::Open { digest, resumed })?;
                self.current = Some(Current { digest, compressed, left, hasher, tape: Tape::new("content") });
                self.finish_if_whole()
            }
            Step::Segment { stored, plain } => {
                self.plain = plain;
                self.awaited = stored;
                self.stored.clear();
                Ok(())
            }
            Step::Piece(piece) => match self.current.as_ref().is_some_and(|current| current.compressed) {
                true => self.compressed(&piece),
                false => self.plain(piece),
            },
            Step::End => self.send(Write::End),
        }
    }

    fn compressed(&mut self, piece: &Piece) -> Result<(), Stop> {
        self.stored.extend_from_slice(piece.bytes());
        if self.stored.len() < self.awaited {
            return Ok(());
        }
        let mut plain = self.pool.take_blocking(self.plain);
        // Into a buffer of just the right size: whatever the frame claims, it cannot become more.
        let written = self.decompressor.decompress_to_buffer(&self.stored, plain.bytes_mut());
        if written.ok() != Some(self.plain) {
            let digest = self.current.as_ref().map(|current| current.digest);
            return Err(PullError::Compression(digest.expect("segments belong to a content")).into());
        }
        self.plain(plain)
    }

    fn plain(&mut self, piece: Piece) -> Result<(), Stop> {
        let current = self.current.as_mut().expect("pieces belong to a content");
        current.tape.write(piece.bytes());
        current.hasher.update(piece.bytes());
        current.left -= piece.bytes().len() as u64;
        self.send(Write::Piece(piece))?;
        self.finish_if_whole()
    }

    fn finish_if_whole(&mut self) -> Result<(), Stop> {
        let Some(current) = self.current.take_if(|current| current.left == 0) else { return Ok(()) };
        if current.hasher.finish() == current.digest {
            return self.send(Write::Verified);
        }
        self.send(Write::Discard)?;
        Err(PullError::Content(current.digest).into())
    }

    fn send(&self, write: Write) -> Result<(), Stop> {
        self.disk.blocking_send(write).map_err(|_| Stop::Early)
    }
}
