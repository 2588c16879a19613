//! The answer to a pull, from its first frame to its last byte.

use tokio::io::AsyncRead;
use tokio::task::spawn_blocking;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::{FileEncoding, PullFile, PullHeader};
use zstd::zstd_safe::compress_bound;

use super::begin::{Partial, PullState};
use super::digesting::Step;
use super::ending::Ended;
use super::incoming::Incoming;
use super::order::{Content, ContentOrder};
use super::pool::Pool;
use super::settling::Package;
use super::workers::{Workers, workers_died};
use super::{Received, segment_length, segments};
use crate::{Cache, PullError, files, room};

/// Bytes taken off the stream at once.
const PIECE_BYTES: usize = 512 << 10;
/// Pieces between the stream and the disk.
const PIECES: usize = 8;

impl Cache {
    /// Reads the answer to the request of `state` from its first frame on, up to the end of the stream, and makes
    /// the package complete. `expected_size` are the bytes that the assignment says it has.
    ///
    /// `progress` is told after every piece of at most half a megabyte. Dropping the future stops the pull; what was
    /// verified stays, and the next [`Cache::begin`] of the package goes on from there.
    pub async fn receive<R: AsyncRead + Unpin>(
        &self,
        state: PullState,
        reader: &mut R,
        expected_size: u64,
        progress: impl FnMut(Received),
    ) -> Result<Received, PullError> {
        let mut incoming = Incoming::new(reader);
        let header = incoming.header().await?;
        let PullState { attempt, manifest, label, tree, complete_files, partial, .. } = state;
        let tree = match tree {
            Some(tree) if header.manifest_bytes == 0 => tree,
            Some(_) => return Err(PullError::ManifestLength(header.manifest_bytes)),
            None => {
                let text = incoming.text(header.manifest_bytes).await?;
                self.accept_text(manifest, text).await?
            }
        };
        let order = ContentOrder::of(&tree);
        check_header(&header, &order, complete_files, expected_size)?;
        self.check_room(manifest, &order, partial.as_ref()).await?;

        // The attempt lives until this future ends, and its end is what tells the threads that nobody waits.
        let workers = Workers::start(self, Package { manifest, tree, label }, &attempt.claim());
        let tally = Received { moved: 0, saved: 0, total: order.total() };
        let mut pull = Pull {
            incoming,
            order,
            partial,
            pool: Pool::new(PIECES, PIECE_BYTES),
            workers: &workers,
            tally,
            progress,
        };
        let read = pull.read(header.files - complete_files).await;
        let tally = pull.tally;
        // What the threads found comes first: it is about bytes that came before those that could not be read.
        match (workers.end().await?, read) {
            (_, Err(Unread::Failed(error))) => return Err(error),
            (Ended::Early, _) | (_, Err(Unread::WorkersEnded)) => return Err(workers_died()),
            (Ended::Complete, Ok(())) => {}
        }
        Ok(Received { saved: tally.total.saturating_sub(tally.moved), ..tally })
    }

    /// Refuses what the disk has no room for before any of it comes.
    async fn check_room(
        &self,
        manifest: Digest,
        order: &ContentOrder,
        partial: Option<&Partial>,
    ) -> Result<(), PullError> {
        let layout = self.layout().clone();
        let contents = order.contents().to_vec();
        let begun = partial.map_or(0, |partial| u64::from(partial.segments) * SEGMENT_BYTES as u64);
        let checked = spawn_blocking(move || {
            let folder = layout.partial(manifest);
            files::create_folder(&folder)?;
            let mut missing = 0;
            for content in contents {
                if !layout.has_blob(content.digest, content.size)? {
                    missing += content.size;
                }
            }
            Ok(room::check_pull(&folder, missing.saturating_sub(begun))?)
        });
        checked.await.unwrap_or_else(|died| Err(PullError::Stream(std::io::Error::other(died))))
    }

    /// Checks the manifest's text against the digest that was asked for and against the rules, and keeps it.
    async fn accept_text(&self, asked: Digest, text: Vec<u8>) -> Result<Manifest, PullError> {
        let cache = self.clone();
        let accepted = spawn_blocking(move || {
            let came = Digest::of(&text);
            if came != asked {
                return Err(PullError::OtherManifest { asked, came });
            }
            let tree = Manifest::from_text(&text)?;
            // An eviction either sees the text, and with it what the pull needs, or is over before anything of it is
            // there to be removed.
            let _gate = cache.gate();
            let path = cache.layout().partial_manifest(asked);
            files::write(&path, &text)?;
            Ok(tree)
        });
        accepted.await.unwrap_or_else(|died| Err(PullError::Stream(std::io::Error::other(died))))
    }
}

fn check_header(
    header: &PullHeader,
    order: &ContentOrder,
    complete_files: u32,
    expected: u64,
) -> Result<(), PullError> {
    if order.total() != expected {
        return Err(PullError::Size { expected, found: order.total() });
    }
    let possible = complete_files as usize..=order.contents().len();
    if !possible.contains(&(header.files as usize)) || header.bytes > order.total() {
        return Err(PullError::Header { files: header.files, bytes: header.bytes });
    }
    Ok(())
}

/// Why reading the stream stopped.
enum Unread {
    WorkersEnded,
    Failed(PullError),
}

impl From<PullError> for Unread {
    fn from(error: PullError) -> Self {
        Self::Failed(error)
    }
}

/// The files of an answer being read.
struct Pull<'a, R, P> {
    incoming: Incoming<'a, R>,
    order: ContentOrder,
    partial: Option<Partial>,
    pool: Pool,
    workers: &'a Workers,
    tally: Received,
    progress: P,
}

impl<R: AsyncRead + Unpin, P: FnMut(Received)> Pull<'_, R, P> {
    async fn read(&mut self, files: u32) -> Result<(), Unread> {
        for _ in 0..files {
            let file = self.incoming.file().await?;
            self.file(&file).await?;
        }
        self.incoming.end().await?;
        self.hand_on(Step::End).await
    }

    async fn file(&mut self, file: &PullFile) -> Result<(), Unread> {
        let content = self.order.take(file.digest).ok_or(PullError::Unexpected(file.digest))?;
        let compressed = match file.encoding {
            FileEncoding::Plain => false,
            FileEncoding::Zstd => true,
            FileEncoding::Patch { .. } => return Err(PullError::UnsupportedEncoding(file.digest).into()),
        };
        let (first, hasher) = self.resumed(file, content)?;
        let resumed = u64::from(first) * SEGMENT_BYTES as u64;
        let left = content.size - resumed;
        self.hand_on(Step::Content { digest: file.digest, compressed, resumed, left, hasher }).await?;
        for index in first..segments(content.size) {
            self.segment(content, compressed, index).await?;
        }
        Ok(())
    }

    /// From which segment on the content comes, if that is one of the two that make sense.
    fn resumed(&mut self, file: &PullFile, content: Content) -> Result<(u32, Hasher), PullError> {
        let all = segments(content.size);
        if file.size == content.size {
            let continued = self.partial.take_if(|partial| {
                partial.content == content.digest && all - partial.segments == file.segments
            });
            if let Some(partial) = continued {
                return Ok((partial.segments, partial.hasher));
            }
            if file.segments == all {
                return Ok((0, Hasher::new()));
            }
        }
        Err(PullError::Shape(file.digest))
    }

    async fn segment(&mut self, content: Content, compressed: bool, index: u32) -> Result<(), Unread> {
        let plain = segment_length(content.size, index);
        let stored = self.incoming.length().await? as usize;
        let possible = if compressed { 1..=compress_bound(plain) } else { plain..=plain };
        if !possible.contains(&stored) {
            return Err(PullError::SegmentLength(content.digest).into());
        }
        self.hand_on(Step::Segment { stored, plain }).await?;
        let before = content.before + u64::from(index) * SEGMENT_BYTES as u64;
        let mut came = 0;
        while came < stored {
            let mut piece = self.pool.take((stored - came).min(PIECE_BYTES)).await;
            self.incoming.fill(piece.bytes_mut()).await?;
            let length = piece.bytes().len();
            self.hand_on(Step::Piece(piece)).await?;
            came += length;
            self.tally.moved += length as u64;
            // What came of a compressed segment counts for its share of the content.
            let done = before + (plain as u64 * came as u64) / stored as u64;
            self.tally.saved = done.saturating_sub(self.tally.moved);
            (self.progress)(self.tally);
        }
        Ok(())
    }

    async fn hand_on(&mut self, step: Step) -> Result<(), Unread> {
        if self.workers.step(step).await { Ok(()) } else { Err(Unread::WorkersEnded) }
    }
}
