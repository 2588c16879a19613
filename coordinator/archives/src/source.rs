//! The uploaded file underneath all decoders, and the memory of why a read failed.
//!
//! Decoders turn every failure below them into an `io::Error` of their own making, and sinks pass those on as if they
//! were theirs. So whatever in this crate makes a read fail puts its true reason into [`Faults`] first.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::rc::Rc;

use crate::{ArchiveError, BadPackage};

/// The reason of the first failed read of this job, shared by all readers in it.
#[derive(Clone, Default)]
pub(crate) struct Faults(Rc<RefCell<Option<ArchiveError>>>);

impl Faults {
    /// Notes `reason`, unless there is an earlier one, and gives the error that a reader has to answer with.
    pub(crate) fn raise(&self, reason: impl Into<ArchiveError>) -> io::Error {
        self.0.borrow_mut().get_or_insert(reason.into());
        io::Error::other("reading the package failed")
    }

    /// Fails if a read failed.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        self.0.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// The noted reason; else `otherwise`, which a decoder found by itself.
    pub(crate) fn or(&self, otherwise: BadPackage) -> ArchiveError {
        self.0.borrow_mut().take().unwrap_or(ArchiveError::Package(otherwise))
    }
}

/// Anything that an upload can be read from.
pub(crate) trait Upload: Read + Seek {}
impl<R: Read + Seek> Upload for R {}

pub(crate) struct Source<'a> {
    upload: &'a mut dyn Upload,
    faults: Faults,
}

impl<'a> Source<'a> {
    pub(crate) fn new(upload: &'a mut dyn Upload, faults: Faults) -> Self {
        Self { upload, faults }
    }

    /// The file's bytes, counted to its end; leaves the position at the start.
    pub(crate) fn length(&mut self) -> Result<u64, ArchiveError> {
        let length = self.upload.seek(SeekFrom::End(0)).map_err(ArchiveError::Read)?;
        self.restart()?;
        Ok(length)
    }

    /// Goes back to the start of the file.
    pub(crate) fn restart(&mut self) -> Result<(), ArchiveError> {
        self.upload.seek(SeekFrom::Start(0)).map(|_| ()).map_err(ArchiveError::Read)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.upload.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::Interrupted => error,
            _ => self.faults.raise(ArchiveError::Read(error)),
        })
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.upload.seek(position).map_err(|error| match error.kind() {
            // An archive may name places beyond any file; that is no failure of the disk.
            ErrorKind::InvalidInput => error,
            _ => self.faults.raise(ArchiveError::Read(error)),
        })
    }
}

/// Fills `buffer` as far as the reader goes and says how far that was.
pub(crate) fn read_up_to(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
