//! Retention: of all output together only so much is kept, and the oldest goes first, segment by segment. What is
//! protected in a segment that goes ([`is_protected`]) is written once more behind the newest.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_protocol::ids::TargetId;
use windlass_segments::{SegmentError, SegmentSize, Writer};

use super::Failure;
use super::files::{Files, parse};
use super::index::{Index, Placed};
use crate::output::{Limits, is_protected};

/// Segments that are looked through at once, so that nobody's lines wait for long. Where there is much to keep in them the
/// limit is passed by a sixteenth meanwhile: a segment that is written makes room for eight to be looked through, and at
/// most half of all is protected.
const AT_ONCE: usize = 8;

/// Removes the oldest segments beyond the limit. The index forgets them first, and durably: what a crash leaves in
/// between is files that nobody looks for, which the next opening removes.
pub(super) fn retain(files: &mut Files) -> Result<(), Failure> {
    let (folder, limits) = (files.folder.clone(), files.limits);
    let (writer, index) = files.both()?;
    let (first, mut held) = (writer.first(), index.held()?);
    for _ in 0..AT_ONCE {
        let Some(kept) = first_kept(&writer.sizes()?, limits.total_bytes) else { break };
        if let Err(why) = make_room(&folder, writer, &index, limits, &mut held, kept) {
            // What stays in the index of a damaged segment only costs room: a reader finds its lines removed.
            match why {
                Failure::Store(_) | Failure::Output(_) => return Err(why),
                Failure::Segments(ref full) if matches!(full, SegmentError::Full { .. }) => return Err(why),
                why => tracing::warn!(%why, "old output that is removed cannot be read"),
            }
        }
        index.keep_from(kept)?;
        index.commit()?;
        writer.truncate_before(kept)?;
    }
    if writer.first() > first {
        let batches = writer.first() - first;
        tracing::info!(batches, "the oldest output of steps was removed: `output-limit` is reached");
    }
    Ok(())
}

/// The first line of the second oldest segment, if the oldest has to go. The last one always stays.
fn first_kept(segments: &[SegmentSize], limit: u64) -> Option<u64> {
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    segments.get(1).filter(|_| total > limit).map(|second| second.first)
}

/// Writes what is protected of the batches before `kept` once more, and forgets the others.
fn make_room(
    folder: &Path,
    writer: &mut Writer,
    index: &Index,
    limits: Limits,
    held: &mut BTreeMap<TargetId, u64>,
    kept: u64,
) -> Result<(), Failure> {
    let holders = held.len() as u64;
    let (mut moved, mut gone) = (Vec::new(), Vec::new());
    let mut look = || {
        let mut lines = windlass_segments::read(folder, writer.first())?;
        while lines.position() < kept
            && let Some((place, line)) = lines.next_line()?
        {
            let batch = match parse(place, line) {
                Ok(batch) => batch,
                Err(why) => {
                    tracing::warn!(%why, "old output that is removed cannot be read");
                    continue;
                }
            };
            // Of lines that lie further on as well, these go.
            let is_only_one = index.is_at(batch.assignment, batch.first, place)?;
            match batch.target.and_then(|target| held.get_mut(&target)).filter(|_| is_only_one) {
                Some(its) if is_protected(*its, holders, limits) => {
                    moved.push(Placed::of(&batch, writer.append(line)?));
                }
                its => {
                    its.into_iter().for_each(|its| *its = its.saturating_sub(batch.bytes()));
                    gone.push(batch);
                }
            }
        }
        Ok(())
    };
    let looked = look();
    // Durable before the index names them, as every batch is.
    writer.sync()?;
    index.add(&moved, [])?;
    gone.iter().try_for_each(|batch| index.forget(batch, kept))?;
    looked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_segment_goes_and_never_the_last() {
        let segments = [(1, 10), (5, 20), (9, 30)].map(|(first, bytes)| SegmentSize { first, bytes });
        for (of, limit, kept) in
            [(0, 60, None), (0, 59, Some(5)), (1, 50, None), (1, 0, Some(9)), (2, 0, None)]
        {
            assert_eq!(first_kept(&segments[of..], limit), kept, "{limit}");
        }
    }
}
