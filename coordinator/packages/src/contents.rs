//! What pulls need of manifests, in little memory: the contents and no names. Many targets pull the same package at
//! once, so what was read is kept for a while, and shared as long as anybody uses it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;

/// Bytes of contents that are kept for the next pull: 16 packages of 50,000 files, or 250 of everyday size.
const KEPT_BYTES: usize = 32 << 20;
/// And so many of them at most, so that looking through them costs nothing.
const KEPT: usize = 256;

/// The distinct contents of a manifest, in its order: 40 bytes each.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    pub(crate) manifest: Digest,
    /// Bytes of the manifest's text.
    pub(crate) text_bytes: u32,
    pub(crate) files: Box<[(Digest, u64)]>,
}

impl Contents {
    pub fn of(manifest: &Manifest) -> Self {
        let text = manifest.to_text();
        Self::of_text(Digest::of(&text), text.len(), manifest)
    }

    /// The same, where the text is at hand.
    pub(crate) fn of_text(digest: Digest, text_bytes: usize, manifest: &Manifest) -> Self {
        let mut seen = BTreeSet::new();
        let files = manifest.files().filter(|(_, digest, _)| seen.insert(*digest));
        Self {
            manifest: digest,
            text_bytes: u32::try_from(text_bytes).expect("a manifest's text has at most 32 MiB"),
            files: files.map(|(_, digest, size)| (digest, size)).collect(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.files)
    }
}

/// Contents that were read lately, and those that pulls use.
pub(crate) struct Shelf(Mutex<Known>);

struct Known {
    /// Also those that are in use and were not asked for lately.
    all: HashMap<Digest, Weak<Contents>>,
    /// Kept for the next one, the latest first.
    kept: VecDeque<Arc<Contents>>,
    kept_bytes: usize,
    most_bytes: usize,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::with_room(KEPT_BYTES)
    }
}

impl Shelf {
    fn with_room(most_bytes: usize) -> Self {
        let (all, kept) = (HashMap::new(), VecDeque::new());
        Self(Mutex::new(Known { all, kept, kept_bytes: 0, most_bytes }))
    }

    /// Those of this manifest, if they are known.
    pub(crate) fn get(&self, manifest: Digest) -> Option<Arc<Contents>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.all.get(&manifest)?.upgrade()?;
        known.keep(Arc::clone(&found));
        Some(found)
    }

    /// Keeps what was read. Where another one was quicker, its are used.
    pub(crate) fn put(&self, read: Contents) -> Arc<Contents> {
        if let Some(found) = self.get(read.manifest) {
            return found;
        }
        let read = Arc::new(read);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.all.insert(read.manifest, Arc::downgrade(&read));
        known.keep(Arc::clone(&read));
        known.all.retain(|_, contents| contents.strong_count() > 0);
        read
    }
}

impl Known {
    fn keep(&mut self, contents: Arc<Contents>) {
        match self.kept.iter().position(|kept| Arc::ptr_eq(kept, &contents)) {
            Some(place) => drop(self.kept.remove(place)),
            None => self.kept_bytes += contents.bytes(),
        }
        self.kept.push_front(contents);
        while self.kept.len() > KEPT || self.kept_bytes > self.most_bytes {
            let Some(oldest) = self.kept.pop_back() else { return };
            self.kept_bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(name: u8, files: usize) -> Contents {
        let files = vec![(Digest::of("content"), 1); files].into();
        Contents { manifest: Digest::of([name]), text_bytes: 1, files }
    }

    #[test]
    fn what_was_read_lately_is_kept_up_to_so_many_bytes_and_what_is_used_is_shared_beyond_them() {
        let size = contents(0, 100).bytes();
        let shelf = Shelf::with_room(3 * size);
        let is_known = |name: u8| shelf.0.lock().unwrap().all.contains_key(&Digest::of([name]));
        let used = shelf.put(contents(0, 100));
        (1..=3).for_each(|name| drop(shelf.put(contents(name, 100))));
        assert!(shelf.get(Digest::of([1])).is_some(), "asked for again, it is not the oldest any more");
        drop(shelf.put(contents(4, 100)));
        assert_eq!([0, 1, 2, 3, 4].map(is_known), [true, true, false, true, true]);
        assert!(Arc::ptr_eq(&used, &shelf.get(Digest::of([0])).unwrap()), "in use, it is not read again");
        assert!(Arc::ptr_eq(&used, &shelf.put(contents(0, 100))));
        assert!(shelf.get(Digest::of([2])).is_none());
        drop(shelf.put(contents(5, 100)));
        let known = shelf.0.lock().unwrap();
        assert_eq!((known.kept.len(), known.kept_bytes, known.all.len()), (3, 3 * size, 3));
    }

    #[test]
    fn many_small_ones_are_kept_up_to_a_number() {
        let shelf = Shelf::default();
        for number in 0..=u16::try_from(KEPT).unwrap() {
            drop(shelf.put(Contents { manifest: Digest::of(number.to_be_bytes()), ..contents(0, 1) }));
        }
        assert_eq!(shelf.0.lock().unwrap().kept.len(), KEPT);
    }
}
