//! Blobs: the content of one file as the store keeps it, in segments that can be read, sent and verified alone.

mod format;
mod read;
mod write;

pub(crate) use format::Encoding;
pub(crate) use read::Blob;
pub(crate) use write::BlobWriter;

use windlass_protocol::limits::SEGMENT_BYTES;

/// How many segments a content of `size` bytes has.
pub(crate) fn segments(size: u64) -> u64 {
    size.div_ceil(SEGMENT_BYTES as u64)
}

/// Plain bytes of the segment at `index`, one of a content of `size` bytes.
pub(crate) fn plain_length(size: u64, index: u64) -> usize {
    let left = size.saturating_sub(index.saturating_mul(SEGMENT_BYTES as u64));
    usize::try_from(left).unwrap_or(usize::MAX).min(SEGMENT_BYTES)
}

/// Most bytes that a segment of `plain` bytes takes in the store.
pub(crate) fn most_stored(plain: usize) -> usize {
    zstd::zstd_safe::compress_bound(plain)
}
