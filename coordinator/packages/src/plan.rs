//! What of a package travels: a decision from manifests alone, before anything is read or sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_protocol::Digest;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::message::{PullHeader, PullRequest};

use crate::Contents;

/// A content that travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Travelling {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Whole segments that the agent has already.
    pub(crate) skip_segments: u32,
}

/// A pull, decided: the header, whether the manifest's text travels, and the contents in their order. It is kept for as
/// long as the pull lasts, which may be hours: four bytes for each content, beside what is shared. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullPlan {
    pub(crate) header: PullHeader,
    pub(crate) contents: Arc<Contents>,
    /// Places in the contents.
    travelling: Arc<[u32]>,
    /// Whole segments of the first one that the agent has already.
    skip_segments: u32,
}

/// Why a pull cannot go on where its request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadResume {
    /// More complete files than travel.
    #[error("the request has {complete} files complete of a pull of {files}")]
    Files {
        /// As the request says.
        complete: u32,
        /// How many travel.
        files: u32,
    },
    /// As many segments as the next file has, or more: it would be complete.
    #[error("the request has {complete} segments of a file that has {segments}")]
    Segments {
        /// As the request says.
        complete: u32,
        /// How many the file has.
        segments: u32,
    },
}

/// Decides what travels for `request`: each distinct content of `wanted` once, in manifest order, unless one of the
/// `held` manifests contains it, and without what an interrupted pull of the same request completed. The held ones are
/// looked at one after the other, and let go.
///
/// The caller authorises: `wanted` is the manifest that the request names and may have, and `held` are those of the
/// request's `holds` that count for this agent.
pub fn plan_pull(
    wanted: Arc<Contents>,
    held: impl IntoIterator<Item = Arc<Contents>>,
    request: &PullRequest,
) -> Result<PullPlan, BadResume> {
    let mut missing: BTreeMap<Digest, u32> =
        (0..).zip(&wanted.files).map(|(place, (digest, _))| (*digest, place)).collect();
    for held in held {
        for (digest, _) in &held.files {
            missing.remove(digest);
        }
    }
    let mut travelling: Vec<u32> = missing.into_values().collect();
    travelling.sort_unstable();
    let size = |place: &u32| wanted.files[*place as usize].1;
    // A manifest has at most 200,000 entries.
    let files = u32::try_from(travelling.len()).expect("the count of a manifest's files fits 32 bits");
    let bytes = travelling.iter().map(size).sum();
    if request.complete_files > files {
        return Err(BadResume::Files { complete: request.complete_files, files });
    }
    travelling.drain(..request.complete_files as usize);
    check_segments(travelling.first().map(size), request.complete_segments)?;
    let manifest_bytes = if request.has_manifest { 0 } else { wanted.text_bytes };
    let header = PullHeader { manifest_bytes, files, bytes };
    let skip_segments = request.complete_segments;
    Ok(PullPlan { header, contents: wanted, travelling: travelling.into(), skip_segments })
}

/// Whether so many segments can be complete of the next content, which has this size, if there is one.
fn check_segments(next: Option<u64>, complete: u32) -> Result<(), BadResume> {
    let segments = next.map_or(0, segments);
    if complete == 0 || complete < segments {
        return Ok(());
    }
    Err(BadResume::Segments { complete, segments })
}

fn segments(size: u64) -> u32 {
    u32::try_from(size.div_ceil(SEGMENT_BYTES as u64)).expect("a package has at most 16,384 segments")
}

impl PullPlan {
    /// What the answer begins with.
    pub fn header(&self) -> &PullHeader {
        &self.header
    }

    /// How many bytes of content this answer carries, before compression.
    pub fn bytes_to_send(&self) -> u64 {
        let skipped = |file: &Travelling| u64::from(file.skip_segments) * SEGMENT_BYTES as u64;
        self.travelling().map(|file| file.size - skipped(&file)).sum()
    }

    /// What travels, in its order.
    pub(crate) fn travelling(&self) -> impl Iterator<Item = Travelling> {
        let skips = [self.skip_segments].into_iter().chain(std::iter::repeat(0));
        self.travelling.iter().zip(skips).map(|(place, skip_segments)| {
            let (digest, size) = self.contents.files[*place as usize];
            Travelling { digest, size, skip_segments }
        })
    }

    /// Whether anything follows the header.
    pub(crate) fn is_empty(&self) -> bool {
        self.header.manifest_bytes == 0 && self.travelling.is_empty()
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
