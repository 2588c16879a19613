//! Retention: of all output together only so much is kept, and the oldest goes first.

use std::path::Path;

use windlass_segments::SegmentSize;

use super::Failure;
use super::files::{Files, parse};
use super::index::Index;

/// Removes the oldest segments beyond the limit. The index forgets them first, and durably: what a crash leaves in
/// between is files that nobody looks for, which the next opening removes.
pub(super) fn retain(files: &mut Files) -> Result<(), Failure> {
    let (folder, limit) = (files.folder.clone(), files.limits.total_bytes);
    let (writer, index) = files.both()?;
    let Some(kept) = first_kept(&writer.sizes()?, limit) else { return Ok(()) };
    let first = writer.first();
    if let Err(why) = forget(&folder, &index, first, kept) {
        // What stays in the index of a damaged segment only costs room: a reader finds its lines removed.
        match why {
            Failure::Store(_) => return Err(why),
            why => tracing::warn!(%why, "old output that is removed cannot be read"),
        }
    }
    index.keep_from(kept)?;
    index.commit()?;
    writer.truncate_before(kept)?;
    tracing::info!(
        batches = kept - first,
        "the oldest output of steps was removed: `output-limit` is reached"
    );
    Ok(())
}

/// The first line of the oldest segment that stays, if any has to go. The last one always stays.
fn first_kept(segments: &[SegmentSize], limit: u64) -> Option<u64> {
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut kept = None;
    for pair in segments.windows(2) {
        if total <= limit {
            break;
        }
        total -= pair[0].bytes;
        kept = Some(pair[1].first);
    }
    kept
}

fn forget(folder: &Path, index: &Index, first: u64, kept: u64) -> Result<(), Failure> {
    let mut lines = windlass_segments::read(folder, first)?;
    while lines.position() < kept
        && let Some((place, line)) = lines.next_line()?
    {
        match parse(place, line) {
            Ok(batch) => index.forget(batch.assignment, batch.first, kept)?,
            Err(why) => tracing::warn!(%why, "old output that is removed cannot be read"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_segments_go_and_never_the_last() {
        let segments = [(1, 10), (5, 20), (9, 30)].map(|(first, bytes)| SegmentSize { first, bytes });
        for (limit, kept) in
            [(60, None), (59, Some(5)), (50, Some(5)), (49, Some(9)), (30, Some(9)), (0, Some(9))]
        {
            assert_eq!(first_kept(&segments, limit), kept, "{limit}");
        }
        assert_eq!(first_kept(&segments[2..], 0), None);
    }
}
