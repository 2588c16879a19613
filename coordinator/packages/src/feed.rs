//! The thread that reads the manifest's text and stored blobs ahead of the stream that they are sent on.
//!
//! It produces the very bytes of the stream, frames included, in chunks that go back and forth between it and the
//! sender, so that a pull costs a fixed amount of memory and no allocation per chunk.

use std::os::unix::fs::FileExt as _;
use std::sync::mpsc as blocking;

use tokio::sync::mpsc;
use windlass_protocol::codec;
use windlass_protocol::message::{FileEncoding, PullFile};

use crate::blob::{Blob, Encoding};
use crate::plan::Travelling;
use crate::{Kind, PackageStore, PullPlan, StoreError};

/// Bytes of a chunk: large enough that hand-over and system calls cost nothing, small enough for the second cache.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;
/// Chunks of one pull, in all hands together: about one segment ahead.
pub(crate) const CHUNKS: usize = 8;

/// A piece of the stream.
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    filled: usize,
}

impl Chunk {
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// What the thread hands over.
pub(crate) enum Fed {
    Chunk(Chunk),
    Failed(StoreError),
    /// Everything has been handed over. Without it the thread has died.
    End,
}

/// The reading side's ends of the two channels.
pub(crate) struct Feed {
    pub(crate) full: mpsc::Sender<Fed>,
    pub(crate) spent: blocking::Receiver<Chunk>,
}

/// Why the thread stops early.
enum Stop {
    /// Nobody takes the chunks any more.
    Unwanted,
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads all that travels. The body of the thread.
pub(crate) fn run(store: &PackageStore, plan: &PullPlan, feed: Feed) {
    let mut filler = Filler { feed, chunk: None, made: 0 };
    let last = match filler.all(store, plan) {
        Ok(()) => Fed::End,
        Err(Stop::Store(error)) => Fed::Failed(error),
        Err(Stop::Unwanted) => return,
    };
    // If nobody listens, nobody needs to know.
    let _ = filler.feed.full.blocking_send(last);
}

struct Filler {
    feed: Feed,
    chunk: Option<Chunk>,
    /// Chunks made so far, of at most [`CHUNKS`].
    made: usize,
}

impl Filler {
    fn all(&mut self, store: &PackageStore, plan: &PullPlan) -> Result<(), Stop> {
        if plan.header.manifest_bytes > 0 {
            self.text(store, plan)?;
        }
        plan.travelling().try_for_each(|file| self.file(store, &file))?;
        self.flush()
    }

    /// The manifest's text as it is stored: the agent verifies it.
    fn text(&mut self, store: &PackageStore, plan: &PullPlan) -> Result<(), Stop> {
        let (kind, digest) = (Kind::Manifest, plan.contents.manifest);
        let file = store.objects().open_object(kind, digest)?;
        let file = file.ok_or(StoreError::Missing { kind, digest })?;
        let unreadable = |source| store.objects().unreadable(kind, digest, source);
        self.copy(0, plan.header.manifest_bytes, |room, offset| {
            file.read_exact_at(room, offset).map_err(unreadable)
        })
    }

    fn file(&mut self, store: &PackageStore, file: &Travelling) -> Result<(), Stop> {
        let blob = Blob::open(store.objects(), file.digest)?;
        if blob.size() != file.size {
            let fault = "its size is not the one in the manifest";
            return Err(StoreError::Damaged { kind: Kind::Blob, digest: file.digest, fault }.into());
        }
        let skip = file.skip_segments as usize;
        let segments = blob.segments().count() - skip;
        let frame = codec::frame(&PullFile {
            digest: file.digest,
            size: file.size,
            encoding: match blob.encoding() {
                Encoding::Plain => FileEncoding::Plain,
                Encoding::Zstd => FileEncoding::Zstd,
            },
            segments: u32::try_from(segments).expect("a package has at most 16,384 segments"),
        });
        self.put(&frame.expect("the frame before a file has no text in it"))?;
        for segment in blob.segments().skip(skip) {
            self.put(&segment.length.to_be_bytes())?;
            self.copy(segment.offset, segment.length, |room, offset| {
                let unreadable = |source| store.objects().unreadable(Kind::Blob, file.digest, source);
                blob.read_stored(room, offset).map_err(unreadable)
            })?;
        }
        Ok(())
    }

    /// Hands on `length` bytes from `offset` on of what `read` reads.
    fn copy(
        &mut self,
        mut offset: u64,
        length: u32,
        read: impl Fn(&mut [u8], u64) -> Result<(), StoreError>,
    ) -> Result<(), Stop> {
        let mut left = length as usize;
        while left > 0 {
            let room = self.room()?;
            let count = room.len().min(left);
            read(&mut room[..count], offset)?;
            self.advance(count)?;
            offset += count as u64;
            left -= count;
        }
        Ok(())
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            let room = self.room()?;
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            room[..count].copy_from_slice(now);
            self.advance(count)?;
            bytes = later;
        }
        Ok(())
    }

    /// The free part of the current chunk, never empty.
    fn room(&mut self) -> Result<&mut [u8], Stop> {
        let chunk = match self.chunk.take() {
            Some(chunk) => chunk,
            None => self.next_chunk()?,
        };
        let chunk = self.chunk.insert(chunk);
        Ok(&mut chunk.bytes[chunk.filled..])
    }

    fn next_chunk(&mut self) -> Result<Chunk, Stop> {
        if let Ok(chunk) = self.feed.spent.try_recv() {
            return Ok(Chunk { filled: 0, ..chunk });
        }
        if self.made < CHUNKS {
            self.made += 1;
            return Ok(Chunk { bytes: vec![0; CHUNK_BYTES], filled: 0 });
        }
        let chunk = self.feed.spent.recv().map_err(|_| Stop::Unwanted)?;
        Ok(Chunk { filled: 0, ..chunk })
    }

    /// Counts bytes written to the room, and hands a full chunk over.
    fn advance(&mut self, count: usize) -> Result<(), Stop> {
        let Some(chunk) = &mut self.chunk else { return Ok(()) };
        chunk.filled += count;
        if chunk.filled == chunk.bytes.len() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        match self.chunk.take() {
            Some(chunk) if chunk.filled > 0 => {
                self.feed.full.blocking_send(Fed::Chunk(chunk)).map_err(|_| Stop::Unwanted)
            }
            _ => Ok(()),
        }
    }
}
