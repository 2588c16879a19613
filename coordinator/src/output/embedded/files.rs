//! The files and the index that follows them, opened together: what one knows and the other does not is put right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_segments::{Options, SegmentError, Writer};

use super::index::{Index, Placed};
use super::{Failure, SharedIndex};
use crate::output::batch::Batch;
use crate::output::entry::Entry;
use crate::output::{Limits, OutputError};

/// The files, open for writing, and the index. Either may have failed and be gone until the next [`Files::open`].
pub(super) struct Files {
    pub(super) folder: PathBuf,
    index_folder: PathBuf,
    pub(super) limits: Limits,
    pub(super) writer: Option<Writer>,
    /// As readers share it.
    pub(super) index: SharedIndex,
}

impl Files {
    pub(super) fn new(folder: &Path, index_folder: &Path, limits: Limits, index: SharedIndex) -> Self {
        let (folder, index_folder) = (folder.to_owned(), index_folder.to_owned());
        Self { folder, index_folder, limits, writer: None, index }
    }

    /// Lets go what has failed. Where only the files did, the index stays, so that output can be read on.
    pub(super) fn close_failed(&mut self, why: &Failure) {
        self.writer = None;
        if matches!(why, Failure::Store(_)) {
            self.index.set(None);
        }
    }

    /// Opens what is not open, and makes the index know what the files hold. One that is damaged is made anew.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        match self.open_as_it_is() {
            Err(Failure::Store(why)) if why.is_damage() => {
                tracing::warn!(%why, "the index of output is damaged; it is made anew from the files");
                self.index.set(None);
                windlass_store::remove(&self.index_folder)?;
                self.open_as_it_is()
            }
            opened => opened,
        }
    }

    fn open_as_it_is(&mut self) -> Result<(), Failure> {
        // The lock on the folder goes with the old writer, so that one has to be gone first.
        self.writer = None;
        let index = match self.index.get() {
            Ok(index) => index,
            Err(_) => Arc::new(Index::open(&self.index_folder)?),
        };
        // Whatever becomes of the files, what is indexed can be read.
        self.index.set(Some(Arc::clone(&index)));
        let options =
            Options { segment_bytes: self.limits.segment_bytes, name: "output", ..Options::default() };
        let (mut writer, _) = Writer::open(&self.folder, options)?;
        // Whoever removes segments notes it first.
        writer.truncate_before(index.kept()?)?;
        catch_up(&self.folder, &writer, &index)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// The files and the index, if both are open.
    pub(super) fn both(&mut self) -> Result<(&mut Writer, Arc<Index>), Failure> {
        let index = self.index.get()?;
        Ok((self.writer.as_mut().ok_or(OutputError::NotWorking)?, index))
    }
}

/// Adds to the index what the files have and it does not: it is committed more rarely.
fn catch_up(folder: &Path, files: &Writer, index: &Index) -> Result<(), Failure> {
    let mut indexed = index.indexed()?;
    if indexed > files.durable() {
        tracing::warn!("the index of output knows more than the files hold; it is made anew");
        index.clear()?;
        indexed = 0;
    }
    if index.kept()? < files.first() {
        index.keep_from(files.first())?;
    }
    let from = files.first().max(indexed + 1);
    if from > files.durable() {
        return Ok(());
    }
    for line in windlass_segments::read(folder, from)? {
        let (place, line) = line?;
        let batch: Batch = parse(place, &line)?;
        let entry = index.entry(batch.assignment)?.unwrap_or(Entry::NEW).with(&batch);
        index.add(&[Placed::of(&batch, place)], [(batch.assignment, entry)])?;
    }
    index.commit()
}

pub(super) fn parse(place: u64, line: &[u8]) -> Result<Batch, Failure> {
    serde_json::from_slice(line).map_err(|_| Failure::Damaged(place))
}

/// Whether lines were asked for that retention has removed.
pub(super) const fn is_removed(why: &Failure) -> bool {
    matches!(why, Failure::Segments(SegmentError::Removed { .. }))
}
