//! How often something happened, and when: what counts are made of.

use windlass_protocol::Timestamp;

/// Under what those are counted that nobody names any more.
pub(super) const OTHERS: &str = "others";

/// How often something happened, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Times {
    pub(super) fn add(&mut self, more: Self) {
        self.count += more.count;
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }
}
