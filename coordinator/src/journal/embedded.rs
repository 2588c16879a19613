//! The journal as segment files below the data folder: one writer, which holds a lock on them.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use windlass_segments::{Options, SegmentError, Writer};

use super::{AppendError, Appended, Head, Journal, folder, lines};

/// The files, open for writing. There is one in the process, held by the engine's thread.
pub struct Embedded {
    data: PathBuf,
    /// `None` only after a full disk, until it could be opened anew.
    writer: Option<Writer>,
}

impl Embedded {
    /// Opens the journal below `data`.
    pub fn open(data: &Path) -> Result<Self, SegmentError> {
        Ok(Self { data: data.to_owned(), writer: Some(open(data)?) })
    }

    /// The number of the last durable record.
    pub fn durable(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::durable)
    }

    /// After a full disk the files are opened anew, at what is durable: nothing else is known of them. The lock on the
    /// folder goes with the old writer, so that one has to be gone first. Where there is no room for that either, it is
    /// tried again with the next append.
    fn reopen(&mut self, durable: u64) -> Result<(), AppendError> {
        self.writer = None;
        let writer = match open(&self.data) {
            Err(why) if passes(&why) => {
                tracing::warn!(%why, "the journal cannot be opened anew yet");
                return Err(AppendError::Full);
            }
            opened => opened.map_err(broken)?,
        };
        let found = writer.durable();
        if found != durable {
            let text = format!("it holds {found} records and not {durable} after a full disk");
            return Err(AppendError::Broken(text));
        }
        self.writer = Some(writer);
        Ok(())
    }
}

fn open(data: &Path) -> Result<Writer, SegmentError> {
    let options = Options { name: "journal", ..Options::default() };
    let (writer, recovery) = Writer::open(folder(data), options)?;
    if recovery.cut_bytes > 0 {
        tracing::warn!(bytes = recovery.cut_bytes, "cut an incomplete last record off the journal");
    }
    Ok(writer)
}

/// Whether opening may succeed later, and nothing is wrong with what lies there: there was no room, or nothing left to
/// open a file with.
fn passes(why: &SegmentError) -> bool {
    match why {
        SegmentError::Full { .. } => true,
        SegmentError::Io { source, .. } => {
            let errno = source.raw_os_error().map(Errno::from_raw);
            matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
        }
        _ => false,
    }
}

fn broken(why: SegmentError) -> AppendError {
    AppendError::Broken(why.to_string())
}

impl Journal for Embedded {
    fn append(&mut self, head: Head, lines: &[Appended]) -> Result<(), AppendError> {
        if self.writer.is_none() {
            self.reopen(head.number)?;
        }
        let Some(writer) = &mut self.writer else { return Err(AppendError::Full) };
        match writer.durable().cmp(&head.number) {
            Ordering::Less => return Err(AppendError::AnotherHistory { number: writer.durable() }),
            Ordering::Equal => {}
            Ordering::Greater => {
                let there = self.read(head, lines.len())?;
                let same = there.iter().eq(lines.iter().map(|appended| &appended.line));
                return if same { Ok(()) } else { Err(AppendError::Overtaken) };
            }
        }
        let write = |writer: &mut Writer| -> Result<(), SegmentError> {
            for appended in lines {
                writer.append(&appended.line)?;
            }
            writer.sync()
        };
        match write(writer) {
            Ok(()) => Ok(()),
            Err(SegmentError::Full { .. }) => {
                self.reopen(head.number)?;
                Err(AppendError::Full)
            }
            Err(why) => Err(broken(why)),
        }
    }

    fn read(&mut self, head: Head, most: usize) -> Result<Vec<Vec<u8>>, AppendError> {
        let lines = lines(&self.data, head.number + 1).map_err(broken)?;
        let lines = lines.take(most).map(|line| line.map(|(_, line)| line));
        lines.collect::<Result<_, _>>().map_err(broken)
    }

    /// Nobody else appends: the folder is locked.
    fn watch(&mut self, _told: Box<dyn Fn() + Send + Sync>) {}
}
