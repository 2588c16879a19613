//! Extended (pax) headers: what they may say about an entry, and that they say it once.
//!
//! The tar library applies the ones it understands and passes over those it cannot read. Readers of tar archives
//! disagree on exactly these cases, and an archive that two programs unpack differently has no place here.

use std::collections::BTreeSet;
use std::io::Read;

use ::tar::Entry;

use crate::source::Faults;
use crate::{ArchiveError, BadPackage, Shown};

/// What a file with holes is called; the library would fill the holes, and not in every dialect.
pub(super) const SPARSE: &str = "a sparse file";

const SPARSE_PREFIX: &[u8] = b"GNU.sparse.";
/// The records that decide what an entry is and where it ends.
const DECISIVE: [&[u8]; 3] = [b"path", b"linkpath", b"size"];

/// Checks that the records in front of an entry are readable, unambiguous and applied.
pub(super) fn check<R: Read>(entry: &mut Entry<'_, R>, faults: &Faults) -> Result<(), ArchiveError> {
    let name = Shown::new(&*entry.path_bytes());
    if entry.header().as_ustar().is_none() && entry.header().as_gnu().is_none() {
        return Err(
            BadPackage::Entry { name, detail: Shown::new("its header is not in the ustar format") }.into()
        );
    }
    let records = decisive_records(entry, &name, faults)?;
    for (key, value) in records {
        let applied = match key.as_slice() {
            b"path" => *entry.path_bytes() == *value,
            b"linkpath" => entry.link_name_bytes().is_some_and(|target| *target == *value),
            _ => std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()) == Some(entry.size()),
        };
        if !applied {
            return Err(BadPackage::Extended { name, fault: "contradicts another header of it" }.into());
        }
    }
    Ok(())
}

/// Checks that a header for all entries, as `git archive` writes one with a comment, decides nothing about them.
pub(super) fn check_global<R: Read>(entry: &mut Entry<'_, R>, faults: &Faults) -> Result<(), ArchiveError> {
    let name = Shown::new(&*entry.path_bytes());
    if decisive_records(entry, &name, faults)?.is_empty() {
        return Ok(());
    }
    Err(BadPackage::Extended { name, fault: "gives one name or size to all entries" }.into())
}

type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn decisive_records<R: Read>(
    entry: &mut Entry<'_, R>,
    name: &Shown,
    faults: &Faults,
) -> Result<Records, ArchiveError> {
    let refuse = |fault| BadPackage::Extended { name: name.clone(), fault };
    let mut found = Records::new();
    let mut keys = BTreeSet::new();
    let records = entry.pax_extensions().map_err(|error| {
        faults.or(BadPackage::Entry { name: name.clone(), detail: Shown::new(error.to_string()) })
    })?;
    for record in records.into_iter().flatten() {
        let record =
            record.map_err(|_| refuse("cannot be read; pack the files without extended attributes"))?;
        let key = record.key_bytes();
        if key.starts_with(SPARSE_PREFIX) {
            return Err(BadPackage::Kind { name: name.clone(), kind: SPARSE }.into());
        }
        if DECISIVE.contains(&key) {
            if !keys.insert(key.to_vec()) {
                return Err(refuse("says the same thing twice").into());
            }
            found.push((key.to_vec(), record.value_bytes().to_vec()));
        }
    }
    Ok(found)
}
