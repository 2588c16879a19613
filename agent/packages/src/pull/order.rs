//! The distinct contents of a package in the order in which they may travel.

use std::collections::BTreeMap;

use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;

/// A content of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Bytes of all files of the package whose contents come before this one.
    pub(super) before: u64,
}

/// The contents, and where in them a pull is.
pub(super) struct ContentOrder {
    contents: Vec<Content>,
    places: BTreeMap<Digest, usize>,
    next: usize,
    total: u64,
}

impl ContentOrder {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let mut places = BTreeMap::new();
        let mut bytes = Vec::new();
        let mut contents = Vec::new();
        for (_, digest, size) in manifest.files() {
            let place = *places.entry(digest).or_insert_with(|| {
                contents.push(Content { digest, size, before: 0 });
                bytes.push(0);
                contents.len() - 1
            });
            bytes[place] += size;
        }
        let mut total = 0;
        for (content, bytes) in contents.iter_mut().zip(bytes) {
            content.before = total;
            total += bytes;
        }
        Self { contents, places, next: 0, total }
    }

    pub(super) fn contents(&self) -> &[Content] {
        &self.contents
    }

    pub(super) fn get(&self, digest: Digest) -> Option<Content> {
        self.places.get(&digest).map(|place| self.contents[*place])
    }

    /// Bytes of all files together.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Takes the content that a frame names: one of the package, after all that came before.
    pub(super) fn take(&mut self, digest: Digest) -> Option<Content> {
        let place = self.places.get(&digest).copied().filter(|place| *place >= self.next)?;
        self.next = place + 1;
        Some(self.contents[place])
    }
}

#[cfg(test)]
mod tests {
    use windlass_protocol::manifest::{Entry, EntryKind, EntryPath};

    use super::*;

    #[test]
    fn contents_come_once_and_in_the_order_of_the_manifest() {
        let file = |path: &str, content: &str| Entry {
            path: EntryPath::new(path.as_bytes()).unwrap(),
            kind: EntryKind::File {
                executable: false,
                size: content.len() as u64,
                digest: Digest::of(content),
            },
        };
        let entries = vec![file("a", "one"), file("b", "three"), file("c", "one"), file("d", "seven")];
        let mut order = ContentOrder::of(&Manifest::new(entries).unwrap());
        let before: Vec<_> = order.contents().iter().map(|content| (content.size, content.before)).collect();
        assert_eq!((before, order.total()), (vec![(3, 0), (5, 6), (5, 11)], 16));
        assert_eq!(order.take(Digest::of("other")), None);
        assert!(order.take(Digest::of("three")).is_some());
        assert_eq!(order.take(Digest::of("one")), None, "its turn has passed");
        assert_eq!(order.take(Digest::of("three")), None, "it came already");
        assert!(order.take(Digest::of("seven")).is_some());
    }
}
