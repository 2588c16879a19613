//! How often something happened, and when: what counts are made of.

use windlass_protocol::Timestamp;

/// Under what those are counted that nobody names any more.
pub(crate) const OTHERS: &str = "others";

/// How often something happened, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Times {
    pub(crate) fn add(&mut self, more: Self) {
        self.count += more.count;
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }
}
