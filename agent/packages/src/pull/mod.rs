//! Pulls: from the stream of an answer into the cache.
//!
//! Four hands work at once, so that the network, hashing and the disk overlap: `receive` takes frames off the stream
//! and checks their shape, a `digesting` thread decompresses and hashes, a `writing` thread writes, and a `settling`
//! thread makes what is verified durable and gives it its name. Between them are short queues; memory is bounded by
//! the pools' buffers.

mod begin;
mod digesting;
mod ending;
mod incoming;
mod order;
mod pool;
mod receive;
mod settling;
mod workers;
mod writing;

pub use begin::PullState;

use windlass_protocol::limits::SEGMENT_BYTES;

/// How far a pull is, or how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes of contents that travelled in this pull, as they travelled.
    pub moved: u64,
    /// Bytes of the package that are there and did not travel: held already, complete since an interrupted pull,
    /// the same as another file, or gained by compression.
    pub saved: u64,
    /// Bytes of all files of the package.
    pub total: u64,
}

/// How many segments a content of `size` bytes has.
fn segments(size: u64) -> u32 {
    u32::try_from(size.div_ceil(SEGMENT_BYTES as u64)).expect("a package has at most 16,384 segments")
}

/// Bytes of the segment at `index`, one of a content of `size` bytes.
fn segment_length(size: u64, index: u32) -> usize {
    let left = size.saturating_sub(u64::from(index) * SEGMENT_BYTES as u64);
    usize::try_from(left).unwrap_or(usize::MAX).min(SEGMENT_BYTES)
}
