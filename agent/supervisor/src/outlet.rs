//! Writes a step's output: in batches, up to its cap, and without ever stopping the step for a disk that refuses.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use windlass_segments::{Options, SegmentError, Writer};

use crate::clock;
use crate::layout;
use crate::limits;
use crate::output::{OutputLine, Stream};

/// The writing end of a step's output.
pub struct Outlet {
    folder: PathBuf,
    /// None before the first line and after a failure.
    writer: Option<Writer>,
    cap: u64,
    /// Bytes on the disk so far, of what counts against the cap.
    used: u64,
    capped: bool,
    dropped_bytes: u64,
    /// Bytes of which no note says yet that the disk did not take them.
    unreported_bytes: u64,
    /// The lines that are not durable yet: their numbers and how much text they hold.
    unsynced: VecDeque<(u64, u64)>,
    oldest: Option<Instant>,
    newest: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Outlet {
    /// For the step in `folder`, of whose output `cap` bytes may lie on the disk. Touches the disk with the first
    /// line only.
    pub fn new(folder: &Path, cap: u64) -> Self {
        Self {
            folder: layout::output(folder),
            writer: None,
            cap,
            used: 0,
            capped: false,
            dropped_bytes: 0,
            unreported_bytes: 0,
            unsynced: VecDeque::new(),
            oldest: None,
            newest: None,
            retry_at: None,
        }
    }

    /// Takes one masked line that was read at `now`, which the wall clock calls `time`.
    pub fn put(&mut self, stream: Stream, text: String, now: Instant, time: u64) {
        let bytes = text.len() as u64;
        if self.capped {
            self.dropped_bytes += bytes;
            return;
        }
        let line = encode(stream, text, time);
        // What is counted is what the disk bears: a million empty lines are not nothing.
        let size = line.len() as u64 + 1;
        if self.used + size > self.cap {
            self.capped = true;
            self.dropped_bytes += bytes;
            let note = format!("more output than {} bytes is not kept", self.cap);
            self.write(&encode(Stream::Note, note, time), 0, now, time);
            return;
        }
        self.used += size;
        self.write(&line, bytes, now, time);
    }

    /// When [`Outlet::sync`] is due.
    pub fn sync_at(&self) -> Option<Instant> {
        let quiet = self.newest? + limits::SYNC_QUIET;
        Some(quiet.min(self.oldest? + limits::SYNC_AGE))
    }

    /// Makes all lines durable, or gives them up.
    pub fn sync(&mut self, now: Instant) {
        self.oldest = None;
        self.newest = None;
        let Some(writer) = &mut self.writer else { return };
        match writer.sync() {
            Ok(()) => self.unsynced.clear(),
            Err(_) => self.fail(now),
        }
    }

    /// Makes the last lines durable, or gives them up. Returns how many bytes of text were dropped altogether.
    pub fn close(mut self, now: Instant, time: u64) -> u64 {
        self.sync(now);
        if self.writer.is_none() && self.retry_at.is_some() && self.reopen(time).is_ok() {
            self.sync(now);
        }
        self.settle(0);
        self.dropped_bytes
    }

    fn write(&mut self, line: &[u8], bytes: u64, now: Instant, time: u64) {
        if self.writer.is_none() && self.retry_at.is_none_or(|at| now >= at) && self.reopen(time).is_err() {
            self.retry_at = Some(now + limits::DISK_PATIENCE);
        }
        let Some(writer) = &mut self.writer else {
            self.lose(bytes);
            return;
        };
        let Ok(number) = writer.append(line) else {
            self.lose(bytes);
            return;
        };
        let gathered = writer.buffered_bytes();
        self.unsynced.push_back((number, bytes));
        self.oldest.get_or_insert(now);
        self.newest = Some(now);
        if gathered >= limits::SYNC_BYTES {
            self.sync(now);
        }
    }

    fn fail(&mut self, now: Instant) {
        self.writer = None;
        self.retry_at = Some(now + limits::DISK_PATIENCE);
    }

    /// Opens the folder, and finds out which lines a failed write has lost.
    fn reopen(&mut self, time: u64) -> Result<(), SegmentError> {
        let options = Options {
            segment_bytes: limits::OUTPUT_SEGMENT_BYTES,
            name: "supervisor-output",
            ..Options::default()
        };
        let (mut writer, _) = Writer::open(&self.folder, options)?;
        self.settle(writer.next());
        let lost = std::mem::take(&mut self.unreported_bytes);
        if lost > 0 {
            let note = format!("{lost} bytes of output were lost, because the disk did not take them");
            writer.append(&encode(Stream::Note, note, time))?;
        }
        self.writer = Some(writer);
        self.retry_at = None;
        Ok(())
    }

    /// Counts the lines from `next` to the last one that is not durable as lost.
    fn settle(&mut self, next: u64) {
        for (number, bytes) in std::mem::take(&mut self.unsynced) {
            if number >= next {
                self.lose(bytes);
            }
        }
    }

    fn lose(&mut self, bytes: u64) {
        self.dropped_bytes += bytes;
        self.unreported_bytes += bytes;
    }
}

/// Makes a folder whose output is these lines of the agent's own, durably: what a step's log says beside what its
/// processes printed. Answers whether the disk took them all.
pub fn note(folder: &Path, lines: Vec<String>) -> io::Result<bool> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    let (now, time) = (Instant::now(), clock::now());
    let mut outlet = Outlet::new(folder, u64::MAX);
    for line in lines {
        outlet.put(Stream::Note, line, now, time);
    }
    Ok(outlet.close(now, time) == 0)
}

fn encode(stream: Stream, text: String, time: u64) -> Vec<u8> {
    serde_json::to_vec(&OutputLine { time, stream, text }).expect("a line has only text keys")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::output;

    fn texts(folder: &Path) -> Vec<String> {
        output(folder, 1).map(|line| line.expect("a line").1.text).collect()
    }

    #[test]
    fn lines_are_kept_up_to_the_cap_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = Instant::now();
        let line = encode(Stream::Output, "12345".into(), 7).len() as u64 + 1;
        let mut outlet = Outlet::new(folder.path(), 2 * line);
        for _ in 0..5 {
            outlet.put(Stream::Output, "12345".into(), now, 7);
        }
        assert_eq!(outlet.close(now, 7), 15);
        let note = format!("more output than {} bytes is not kept", 2 * line);
        assert_eq!(texts(folder.path()), ["12345", "12345", &note]);
    }

    #[test]
    fn lines_are_synced_when_it_is_quiet_or_when_they_have_waited_long_enough() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = Instant::now();
        let mut outlet = Outlet::new(folder.path(), 1 << 20);
        assert_eq!(outlet.sync_at(), None);
        outlet.put(Stream::Error, "first".into(), start, 7);
        assert_eq!(outlet.sync_at(), Some(start + limits::SYNC_QUIET));
        let busy = start + limits::SYNC_AGE - Duration::from_millis(1);
        outlet.put(Stream::Error, "second".into(), busy, 7);
        assert_eq!(outlet.sync_at(), Some(start + limits::SYNC_AGE));
        assert!(texts(folder.path()).is_empty());
        outlet.sync(busy);
        assert_eq!(outlet.sync_at(), None);
        assert_eq!(texts(folder.path()), ["first", "second"]);
    }

    #[test]
    fn the_agents_own_lines_are_output_like_any_other() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("notes");
        assert!(note(&folder, vec!["one".into(), "two".into()]).expect("it can be made"));
        assert_eq!(texts(&folder), ["one", "two"]);
        assert!(output(&folder, 1).all(|line| line.expect("a line").1.stream == Stream::Note));
        note(&folder, Vec::new()).expect_err("each folder is made once");
    }

    #[test]
    fn a_large_batch_does_not_wait() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut outlet = Outlet::new(folder.path(), 1 << 20);
        outlet.put(Stream::Output, "x".repeat(limits::SYNC_BYTES), Instant::now(), 7);
        assert_eq!((texts(folder.path()).len(), outlet.sync_at()), (1, None));
    }

    #[test]
    fn what_the_disk_refuses_is_counted_and_noted_once_it_works_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let obstacle = layout::output(folder.path());
        fs::write(&obstacle, "not a folder").expect("written");
        let start = Instant::now();
        let mut outlet = Outlet::new(folder.path(), 1 << 20);
        outlet.put(Stream::Output, "lost".into(), start, 7);
        fs::remove_file(&obstacle).expect("removed");
        let patience = Duration::from_millis(1);
        outlet.put(Stream::Output, "too".into(), start + limits::DISK_PATIENCE - patience, 7);
        outlet.put(Stream::Output, "kept".into(), start + limits::DISK_PATIENCE, 7);
        assert_eq!(outlet.close(start + limits::DISK_PATIENCE, 7), 7);
        let note = "7 bytes of output were lost, because the disk did not take them";
        assert_eq!(texts(folder.path()), [note, "kept"]);
    }
}
