//! One walk over the entries of a tar archive, from its first byte to its last.

use std::io::{self, Read};

use ::tar::{Archive, Entry, EntryType};
use windlass_protocol::manifest::EntryPath;

use super::extended;
use super::metered::{Meter, Metered};
use crate::format::entry_path;
use crate::plan::Kind;
use crate::source::{Faults, read_up_to};
use crate::{ArchiveError, BadPackage, Shown};

/// An entry that was met.
pub(super) struct Found {
    pub(super) path: EntryPath,
    pub(super) what: What,
}

/// What an entry is, or whose content it repeats.
pub(super) enum What {
    Entry(Kind),
    Copy { target: EntryPath },
}

/// Is told of each entry and reads the content of files to its end.
pub(super) type Visit<'a> = dyn FnMut(Found, &mut dyn Read) -> Result<(), ArchiveError> + 'a;

const BLOCK_BYTES: u64 = 512;
/// Bytes of the archive's end compared with zero at once.
const END_BYTES: usize = 64 << 10;

/// Shows each entry of the archive in `stream` to `visit` and checks that the archive is whole and ends there.
pub(super) fn walk(stream: impl Read, faults: &Faults, visit: &mut Visit<'_>) -> Result<(), ArchiveError> {
    let (meter, metered) = Meter::on(stream, faults.clone());
    let mut archive = Archive::new(metered);
    // Where the next entry begins if no extended headers stand before it.
    let mut next = 0;
    for entry in archive.entries().map_err(|error| damaged(faults, &error))? {
        let mut entry = entry.map_err(|error| damaged(faults, &error))?;
        let is_plain = entry.raw_header_position() == next;
        next = end_of(&entry).ok_or_else(|| bad("an entry is larger than any archive"))?;
        if entry.header().entry_type().is_pax_global_extensions() {
            if !is_plain {
                return Err(bad("a global header stands between an extended header and its entry"));
            }
            extended::check_global(&mut entry, faults)?;
            meter.expect_headers();
            continue;
        }
        extended::check(&mut entry, faults)?;
        meter.expect_content();
        if let Some(found) = identify(&entry)? {
            visit(found, &mut entry)?;
        }
        meter.expect_headers();
    }
    meter.expect_content();
    check_end(archive.into_inner(), &meter, next, faults)
}

fn bad(detail: &str) -> ArchiveError {
    BadPackage::Damaged { format: "tar", detail: Shown::new(detail) }.into()
}

fn damaged(faults: &Faults, error: &io::Error) -> ArchiveError {
    faults.or(BadPackage::Damaged { format: "tar", detail: Shown::new(error.to_string()) })
}

fn end_of<R: Read>(entry: &Entry<'_, R>) -> Option<u64> {
    entry.raw_file_position().checked_add(entry.size().checked_next_multiple_of(BLOCK_BYTES)?)
}

/// What the entry is; none for the root, which `tar -C folder .` writes first.
fn identify<R: Read>(entry: &Entry<'_, R>) -> Result<Option<Found>, ArchiveError> {
    let full = entry.path_bytes();
    let name = full.strip_prefix(b"./").unwrap_or(&full);
    let shown = || Shown::new(&*full);
    let kind = match entry.header().entry_type() {
        EntryType::Directory => {
            if entry.size() != 0 {
                return Err(BadPackage::FolderContent { name: shown() }.into());
            }
            let name = name.strip_suffix(b"/").unwrap_or(name);
            if matches!(&*full, b"." | b"./") {
                return Ok(None);
            }
            return Ok(Some(Found { path: entry_path(name)?, what: What::Entry(Kind::Directory) }));
        }
        EntryType::Regular => {
            let mode = entry.header().mode().map_err(|error| BadPackage::Entry {
                name: shown(),
                detail: Shown::new(error.to_string()),
            })?;
            Kind::File { executable: mode & 0o111 != 0, size: entry.size() }
        }
        EntryType::Symlink | EntryType::Link if entry.size() != 0 => {
            return Err(BadPackage::LinkContent { name: shown() }.into());
        }
        EntryType::Symlink => Kind::Link { target: target_text(entry, &shown)? },
        EntryType::Link => {
            let target = entry.link_name_bytes().unwrap_or_default();
            let target = entry_path(target.strip_prefix(b"./").unwrap_or(&target))?;
            return Ok(Some(Found { path: entry_path(name)?, what: What::Copy { target } }));
        }
        other => return Err(BadPackage::Kind { name: shown(), kind: kind_name(other) }.into()),
    };
    Ok(Some(Found { path: entry_path(name)?, what: What::Entry(kind) }))
}

fn target_text<R: Read>(entry: &Entry<'_, R>, name: &dyn Fn() -> Shown) -> Result<String, BadPackage> {
    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
    String::from_utf8(target).map_err(|_| BadPackage::TargetText { name: name() })
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => extended::SPARSE,
        _ => "of a type that tar programs disagree on",
    }
}

/// After the last entry come empty blocks to the end of the file, and nothing else. Without the first of them the
/// archive may have been cut off between two entries; what another reader would find after them nobody would see.
fn check_end<R: Read>(
    mut rest: Metered<R>,
    meter: &Meter,
    entries_end: u64,
    faults: &Faults,
) -> Result<(), ArchiveError> {
    if meter.position() <= entries_end {
        return Err(bad("it has no end marker"));
    }
    let mut buffer = vec![0; END_BYTES];
    loop {
        let count = read_up_to(&mut rest, &mut buffer).map_err(|error| damaged(faults, &error))?;
        if buffer[..count].iter().any(|byte| *byte != 0) {
            return Err(BadPackage::Surplus { format: "tar", place: "after its end" }.into());
        }
        if count < buffer.len() {
            break;
        }
    }
    if !meter.position().is_multiple_of(BLOCK_BYTES) {
        return Err(bad("its end marker is incomplete"));
    }
    Ok(())
}
