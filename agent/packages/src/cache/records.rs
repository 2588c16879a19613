//! When packages were last used, for the order in which they are held and evicted.
//!
//! "When" is a count of uses, not a time: a machine's clock may jump. A record is a small file that is not synced; a
//! lost one makes its package the first to go, nothing worse.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use windlass_protocol::Digest;

use super::Layout;
use crate::{CacheError, files};

/// Bytes of a record that are read; a label is a package's id.
const RECORD_BYTES: u64 = 4 << 10;

#[derive(Debug, Clone, Default)]
struct Record {
    used: u64,
    label: String,
}

pub(crate) struct Records {
    records: BTreeMap<Digest, Record>,
}

impl Records {
    pub(crate) fn load(layout: &Layout) -> Result<Self, CacheError> {
        let mut records = BTreeMap::new();
        for manifest in files::digests(&layout.manifests())?.into_keys() {
            let text = files::read(&layout.record(manifest), RECORD_BYTES)?;
            records.insert(manifest, text.and_then(parse).unwrap_or_default());
        }
        Ok(Self { records })
    }

    /// All packages, those with this label first, the most recently used first.
    pub(crate) fn nearest(&self, label: &str) -> Vec<Digest> {
        let mut nearest: Vec<_> = self.records.iter().collect();
        nearest.sort_by_key(|(_, record)| (record.label != label, Reverse(record.used)));
        nearest.into_iter().map(|(digest, _)| *digest).collect()
    }

    /// All packages, the least recently used first.
    pub(crate) fn oldest(&self) -> Vec<Digest> {
        let mut oldest: Vec<_> = self.records.iter().collect();
        oldest.sort_by_key(|(_, record)| record.used);
        oldest.into_iter().map(|(digest, _)| *digest).collect()
    }

    /// Makes a package the most recently used one, and gives it a label if there is one.
    pub(crate) fn touch(
        &mut self,
        layout: &Layout,
        manifest: Digest,
        label: Option<&str>,
    ) -> Result<(), CacheError> {
        let used = self.records.values().map(|record| record.used).max().map_or(1, |last| last + 1);
        let record = self.records.entry(manifest).or_default();
        record.used = used;
        if let Some(label) = label {
            label.clone_into(&mut record.label);
        }
        let path = layout.record(manifest);
        let written = path.with_extension("new");
        files::write(&written, format!("{used}\n{}", record.label).as_bytes())?;
        files::rename(&written, &path)
    }

    pub(crate) fn forget(&mut self, layout: &Layout, manifest: Digest) -> Result<(), CacheError> {
        self.records.remove(&manifest);
        files::remove(&layout.record(manifest))
    }
}

fn parse(text: Vec<u8>) -> Option<Record> {
    let text = String::from_utf8(text).ok()?;
    let (used, label) = text.split_once('\n')?;
    // A count that a damaged file makes huge must not end the counting.
    let used = used.parse().ok().filter(|used| *used < u64::MAX / 2)?;
    Some(Record { used, label: label.to_owned() })
}
