//! Any file that is no archive: a package of one entry, named like the file.

use crate::content::store;
use crate::format::{base_name, entry_path};
use crate::plan::{Kind, Plan};
use crate::{ArchiveError, Contents, Format, Job};

/// Reads the file as it is. Nothing tells whether it may be executed, so it may not.
pub(crate) fn read(mut job: Job<'_>, file_name: &str) -> Result<Contents, ArchiveError> {
    let path = entry_path(base_name(file_name).as_bytes())?;
    let mut plan = Plan::new(job.limits, job.length);
    plan.add(path.clone(), Kind::File { executable: false, size: job.length })?;
    let mut tree = plan.finish()?;
    tree.set_digest(0, store(job.sink, &mut job.source, path.as_str(), job.length, &job.faults)?);
    let manifest = tree.into_manifest()?;
    Ok(Contents { manifest, format: Format::SingleFile })
}
