//! The thread that writes contents to the partial folder and hands verified ones on, some at a time.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::statvfs::fstatvfs;
use tokio::sync::mpsc;
use windlass_protocol::Digest;
use windlass_segments::disk::File;

use super::ending::{Ended, Stop};
use super::pool::Piece;
use super::settling::Settle;
use crate::cache::{Claim, Layout};
use crate::{CacheError, PullError, files, room};

/// After so many bytes what was written is made durable, beside the writing: at the end of a pull little is left to
/// wait for, and after a kill little to verify again.
const SETTLE_BYTES: u64 = 64 << 20;
/// The same for small files.
const SETTLE_FILES: usize = 4096;

/// What the digesting thread says.
pub(super) enum Write {
    /// A content begins; the first `resumed` bytes are there.
    Open {
        digest: Digest,
        resumed: u64,
    },
    /// Its next bytes.
    Piece(Piece),
    /// It is what its digest says.
    Verified,
    Discard,
    /// All contents came.
    End,
}

/// A content being written.
struct Open {
    digest: Digest,
    file: File,
    path: PathBuf,
}

struct Writing {
    layout: Layout,
    manifest: Digest,
    settle: mpsc::Sender<Settle>,
    open: Option<Open>,
    ready: Vec<Digest>,
    /// Bytes written since the last hand-over.
    bytes: u64,
}

/// The body of the thread.
pub(super) fn run(
    layout: Layout,
    manifest: Digest,
    claim: Arc<Claim>,
    mut writes: mpsc::Receiver<Write>,
    settle: mpsc::Sender<Settle>,
) -> Result<Ended, PullError> {
    let mut writing = Writing { layout, manifest, settle, open: None, ready: Vec::new(), bytes: 0 };
    while let Some(write) = writes.blocking_recv() {
        if claim.is_abandoned() {
            break;
        }
        let last = matches!(write, Write::End);
        match writing.write(write) {
            Ok(()) if last => return Ok(Ended::Complete),
            Ok(()) => {}
            Err(Stop::Early) => return Ok(Ended::Early),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(Ended::Early)
}

impl Writing {
    fn write(&mut self, write: Write) -> Result<(), Stop> {
        match write {
            Write::Open { digest, resumed } => self.open(digest, resumed),
            Write::Piece(piece) => self.piece(&piece),
            Write::Verified => {
                if let Some(open) = self.open.take() {
                    self.ready.push(open.digest);
                }
                self.hand_over_if_enough()
            }
            Write::Discard => match self.open.take() {
                Some(open) => Ok(files::remove(&open.path)?),
                None => Ok(()),
            },
            Write::End => {
                self.hand_over()?;
                self.settle.blocking_send(Settle::Finish).map_err(|_| Stop::Early)
            }
        }
    }

    fn open(&mut self, digest: Digest, resumed: u64) -> Result<(), Stop> {
        let path = self.layout.partial_blob(self.manifest, digest);
        let opened = files::create(&path).and_then(|mut file| {
            file.set_len(resumed)?;
            file.seek(SeekFrom::Start(resumed))?;
            Ok(file)
        });
        let file = opened.map_err(CacheError::io("open", &path))?;
        self.open = Some(Open { digest, file, path });
        Ok(())
    }

    fn piece(&mut self, piece: &Piece) -> Result<(), Stop> {
        let open = self.open.as_mut().expect("pieces belong to a content");
        let space = fstatvfs(&open.file).map_err(CacheError::system("look at", &open.path))?;
        // There was room when the pull began; somebody else may have taken it since.
        if room::available(&space) < room::reserve(&space) + piece.bytes().len() as u64 {
            return Err(CacheError::Full { action: "write", path: open.path.clone() }.into());
        }
        open.file.write_all(piece.bytes()).map_err(CacheError::io("write", &open.path))?;
        self.bytes += piece.bytes().len() as u64;
        self.hand_over_if_enough()
    }

    fn hand_over_if_enough(&mut self) -> Result<(), Stop> {
        if self.bytes >= SETTLE_BYTES || self.ready.len() >= SETTLE_FILES { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), Stop> {
        self.bytes = 0;
        let ready = std::mem::take(&mut self.ready);
        self.settle.blocking_send(Settle::Written(ready)).map_err(|_| Stop::Early)
    }
}
