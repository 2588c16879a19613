//! What can go wrong in the cache, and with what a coordinator sends.

use std::io;
use std::path::{Path, PathBuf};

use windlass_protocol::Digest;
use windlass_protocol::codec::Malformed;
use windlass_protocol::manifest::BadText;
use windlass_protocol::message::Denied;
use windlass_segments::disk::is_full;

/// Why the cache, or a release, cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The disk, the quota or the process's limit on file sizes is used up.
    #[error("there is no space left for packages: cannot {action} {}", path.display())]
    Full {
        /// What was tried, as a verb.
        action: &'static str,
        path: PathBuf,
    },
    /// A pull, or unpacking, would leave less space than is to be kept free.
    #[error(
        "{} MiB are needed below {} and only {} MiB are available; make room and deploy again",
        needed.div_ceil(1 << 20), path.display(), available >> 20
    )]
    NoRoom {
        path: PathBuf,
        /// Bytes that are missing of the package, and of the reserve.
        needed: u64,
        /// Bytes that the file system has for this user.
        available: u64,
    },
    /// Another process has the cache open.
    #[error("the package cache in {} is open in another process", folder.display())]
    Locked { folder: PathBuf },
    /// The package is being pulled by somebody else at this moment.
    #[error("the package {manifest} is being pulled already")]
    Busy { manifest: Digest },
    /// The cache does not hold the package complete; a pull completes it.
    #[error("the package {manifest} is not complete in the cache")]
    Incomplete { manifest: Digest },
    /// A file in the cache was not what its name says. It has been removed, so that the next pull brings it again.
    #[error("the cached content {digest} was damaged; pull the package again")]
    Damaged { digest: Digest },
    /// A file is not what whoever wants to change it can change, in one sentence.
    #[error("{0}")]
    Unsuited(String),
}

impl CacheError {
    /// Whether a pull of the package mends it.
    pub fn is_mended_by_a_pull(&self) -> bool {
        matches!(self, Self::Incomplete { .. } | Self::Damaged { .. })
    }

    /// Wraps what the operating system said about `path`, and tells lack of space apart.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            if is_full(&source) { Self::Full { action, path } } else { Self::Io { action, path, source } }
        }
    }

    /// The same for calls that answer with a number.
    pub(crate) fn system(action: &'static str, path: &Path) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |number| Self::io(action, path)(number.into())
    }
}

/// Why a pull did not complete. Nothing that was not verified is in the cache; what was verified is kept, and
/// another try goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The coordinator does not send the package.
    #[error("the coordinator denied the package: {}", reason(*.0))]
    Denied(Denied),
    /// The stream ended or broke before the answer did.
    #[error("the stream of the pull broke off: {0}")]
    Stream(io::Error),
    /// The cache cannot be written or read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The first frame is neither the header of a pull nor a denial.
    #[error("the answer to the pull is of another kind")]
    UnexpectedAnswer,
    /// A frame that cannot be read.
    #[error("a frame of the pull is malformed: {0}")]
    Frame(#[from] Malformed),
    /// The manifest's text came unasked, did not come, or is longer than one can be.
    #[error("the answer carries {0} bytes of manifest, which cannot be")]
    ManifestLength(u32),
    /// The manifest's text has another digest than the package that was asked for.
    #[error("the manifest that came is {came}, not the {asked} that was asked for")]
    OtherManifest { asked: Digest, came: Digest },
    /// The manifest is what was asked for, but describes no well-formed tree.
    #[error("the package's manifest is not acceptable: {0}")]
    Manifest(#[from] BadText),
    /// The package is not as large as its assignment says.
    #[error("the package has {found} bytes where its assignment says {expected}")]
    Size {
        /// As the assignment says.
        expected: u64,
        /// As the manifest says.
        found: u64,
    },
    /// The header's counts do not fit the manifest or what was asked for.
    #[error("the answer's header does not fit the package: it has {files} files and {bytes} bytes")]
    Header {
        /// Files, as the header says.
        files: u32,
        /// Bytes, as the header says.
        bytes: u64,
    },
    /// A content that the package does not have, or one out of order, or twice.
    #[error("the content {0} does not belong here: it is not in the package, came before, or out of order")]
    Unexpected(Digest),
    /// A content with another size or number of segments than it has.
    #[error("the content {0} comes with a size or a number of segments that it does not have")]
    Shape(Digest),
    /// A segment of a length that is not possible.
    #[error("a segment of the content {0} has an impossible length")]
    SegmentLength(Digest),
    /// A segment that does not decompress to what it should.
    #[error("a segment of the content {0} does not decompress to its size")]
    Compression(Digest),
    /// An encoding that this agent cannot read.
    #[error("the content {0} comes in an encoding that this agent cannot read")]
    UnsupportedEncoding(Digest),
    /// The bytes are not those that the digest names.
    #[error(
        "what the coordinator sent as the content {0} has another digest; if its copy is damaged, upload the package again"
    )]
    Content(Digest),
    /// The answer ended, and a content of the package is not there.
    #[error("the content {0} neither came nor is in the cache")]
    Missing(Digest),
    /// Bytes after the last file.
    #[error("bytes follow the end of the pull")]
    Trailing,
}

fn reason(denied: Denied) -> &'static str {
    match denied {
        Denied::NotFound => "it has no such package for this target",
        Denied::Busy => "it is busy",
        Denied::Malformed => "it could not read the request",
    }
}
