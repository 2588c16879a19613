//! What of a package travels: a decision from manifests alone, before anything is read or sent.

use std::collections::BTreeSet;

use windlass_protocol::Digest;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::{PullHeader, PullRequest};

/// A content that travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Travelling {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Whole segments that the agent has already.
    pub(crate) skip_segments: u32,
}

/// A pull, decided: the header, the manifest's text if it travels, and the contents in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullPlan {
    pub(crate) header: PullHeader,
    pub(crate) text: Vec<u8>,
    pub(crate) travelling: Vec<Travelling>,
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

/// Decides what travels for `request`: each distinct content of `manifest` once, in manifest order, unless one of
/// the `held` manifests contains it, and without what an interrupted pull of the same request completed.
///
/// The caller authorises: `manifest` is the one that the request names and may have, and `held` are those of the
/// request's `holds` that count for this agent.
pub fn plan_pull(
    manifest: &Manifest,
    held: &[Manifest],
    request: &PullRequest,
) -> Result<PullPlan, BadResume> {
    let mut known: BTreeSet<Digest> =
        held.iter().flat_map(|held| held.files().map(|(_, digest, _)| digest)).collect();
    let mut travelling: Vec<Travelling> = manifest
        .files()
        .filter(|(_, digest, _)| known.insert(*digest))
        .map(|(_, digest, size)| Travelling { digest, size, skip_segments: 0 })
        .collect();
    // A manifest has at most 200,000 entries.
    let files = u32::try_from(travelling.len()).expect("the count of a manifest's files fits 32 bits");
    let bytes = travelling.iter().map(|file| file.size).sum();
    if request.complete_files > files {
        return Err(BadResume::Files { complete: request.complete_files, files });
    }
    travelling.drain(..request.complete_files as usize);
    skip_segments(travelling.first_mut(), request.complete_segments)?;
    let text = if request.has_manifest { Vec::new() } else { manifest.to_text() };
    let manifest_bytes = u32::try_from(text.len()).expect("a manifest's text has at most 32 MiB");
    Ok(PullPlan { header: PullHeader { manifest_bytes, files, bytes }, text, travelling })
}

fn skip_segments(next: Option<&mut Travelling>, complete: u32) -> Result<(), BadResume> {
    if complete == 0 {
        return Ok(());
    }
    let segments = next.as_ref().map_or(0, |file| segments(file.size));
    match next {
        Some(file) if complete < segments => {
            file.skip_segments = complete;
            Ok(())
        }
        _ => Err(BadResume::Segments { complete, segments }),
    }
}

fn segments(size: u64) -> u32 {
    u32::try_from(size.div_ceil(SEGMENT_BYTES as u64)).expect("a package has at most 16,384 segments")
}

impl PullPlan {
    /// What the answer begins with.
    pub fn header(&self) -> &PullHeader {
        &self.header
    }

    /// How many contents this answer carries: those that travel without those that the agent has complete.
    pub fn files_to_send(&self) -> usize {
        self.travelling.len()
    }

    /// How many bytes of content this answer carries, before compression.
    pub fn bytes_to_send(&self) -> u64 {
        let skipped = |file: &Travelling| u64::from(file.skip_segments) * SEGMENT_BYTES as u64;
        self.travelling.iter().map(|file| file.size - skipped(file)).sum()
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
