//! Tar archives, plain or compressed: walked twice from the start, because only a walk tells what is in them.

mod extended;
mod metered;
mod walk;

use std::io;

use crate::content::{Content, store};
use crate::decompress::{Compression, Expanded};
use crate::plan::{Kind, Plan, Planned};
use crate::source::{Faults, Source};
use crate::{ArchiveError, BadPackage, Contents, Format, Job, Limits, Shown};
use walk::{Found, What};

/// Reads a tar archive.
pub(crate) fn read(job: Job<'_>, compression: Compression) -> Result<Contents, ArchiveError> {
    let Job { mut source, length, limits, sink, faults } = job;
    let mut plan = Plan::new(limits, length);
    {
        let stream = open(compression, &mut source, length, limits, &faults)?;
        walk::walk(stream, &faults, &mut |found, content| match found.what {
            What::Entry(kind @ Kind::File { size, .. }) => {
                let name = found.path.as_str().to_owned();
                plan.add(found.path, kind)?;
                Content::new(content, &name, size, &faults).drain()
            }
            What::Entry(kind) => Ok(plan.add(found.path, kind)?),
            What::Copy { target } => Ok(plan.add_copy(found.path, &target)?),
        })?;
    }
    let mut tree = plan.finish()?;
    source.restart()?;
    let mut index = 0;
    let stream = open(compression, &mut source, length, limits, &faults)?;
    walk::walk(stream, &faults, &mut |found, content| {
        let planned = tree.entry(index).ok_or_else(changed)?;
        if !is_same(planned, &found) {
            return Err(changed());
        }
        if let What::Entry(Kind::File { size, .. }) = found.what {
            let digest = store(&mut *sink, content, found.path.as_str(), size, &faults)?;
            tree.set_digest(index, digest);
        }
        index += 1;
        Ok(())
    })?;
    if index != tree.len() {
        return Err(changed());
    }
    let manifest = tree.into_manifest()?;
    Ok(Contents { manifest, format: format(compression) })
}

fn open<'a>(
    compression: Compression,
    source: &'a mut Source<'_>,
    length: u64,
    limits: &'a Limits,
    faults: &Faults,
) -> Result<Expanded<'a, Box<dyn io::Read + 'a>>, ArchiveError> {
    let stream = compression.open(source).map_err(|error| {
        let detail = Shown::new(error.to_string());
        faults.or(BadPackage::Damaged { format: compression.name(), detail })
    })?;
    Ok(Expanded::new(stream, length, limits, faults.clone()))
}

fn format(compression: Compression) -> Format {
    match compression {
        Compression::None => Format::Tar,
        Compression::Gzip => Format::TarGzip,
        Compression::Zstd => Format::TarZstd,
        Compression::Xz => Format::TarXz,
    }
}

/// Whether the second pass met what the first one checked.
fn is_same(planned: &Planned, found: &Found) -> bool {
    planned.path == found.path
        && match &found.what {
            What::Entry(kind) => *kind == planned.kind,
            What::Copy { .. } => matches!(planned.kind, Kind::File { .. }),
        }
}

fn changed() -> ArchiveError {
    ArchiveError::Read(io::Error::other("it changed while it was read"))
}
