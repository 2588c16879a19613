//! The output of a step on its way to the coordinator: that of its stages, one after the other, numbered through.
//!
//! One sender for each assignment, from its first stage to its last line. Nobody interrupts it: on a far link an answer
//! takes longer than the next look at the step, and what is not waited for is sent again.

use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use windlass_agent_core::telling::{Lines, Next};
use windlass_protocol::Timestamp;
use windlass_protocol::message::{OutputLine, OutputStream, Request};
use windlass_supervisor::{OutputLines, Stream};

use super::script::{self, LOOK, STAGES};
use super::{RETRY, TaskContext, notes};

/// Bytes of output in one request.
const REQUEST_BYTES: usize = 512 << 10;

/// How much output a step has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// None: it waits for its turn.
    Nothing,
    /// It runs, so there may be more at any time.
    Growing,
    /// This is the number of its last line; 0 where it has none.
    Until(u64),
}

/// Sends what the step prints, until it is over and the coordinator has the last line. An error of the connection is no
/// error: it is sent again later.
pub(super) async fn send(context: &TaskContext, mut extent: watch::Receiver<Extent>) -> anyhow::Result<()> {
    extent.wait_for(|extent| *extent != Extent::Nothing).await?;
    let mut lines = Lines::default();
    let mut reader = Reader::new(context.agent.ledger().folder(context.id()));
    loop {
        let over = if let Extent::Until(last) = *extent.borrow_and_update() {
            lines.end_with(last);
            true
        } else {
            false
        };
        if lines.is_over() {
            return Ok(());
        }
        let (from, most) = (lines.next(), lines.at_once());
        let read = spawn_blocking(move || {
            let batch = reader.batch(from, most, over);
            (reader, batch)
        });
        let batch;
        (reader, batch) = read.await?;
        let batch = batch?;
        if batch.is_empty() {
            tokio::select! {
                changed = extent.changed() => changed?,
                () = sleep(LOOK) => {}
            }
            continue;
        }
        let request = Request::Output { assignment: context.id(), first: from, lines: batch };
        loop {
            let answer = context.agent.linked().await.answer(&request).await.ok();
            match lines.heard(answer.as_ref()) {
                Next::Again => sleep(RETRY).await,
                Next::GoOn | Next::Over => break,
            }
        }
    }
}

/// Reads the lines of a step's stages, and keeps its place between two looks.
struct Reader {
    /// The assignment's folder.
    work: PathBuf,
    /// Which of its folders of output is being read.
    folder: usize,
    /// None before that one is there.
    lines: Option<OutputLines>,
    /// Whether a later folder was seen, so that nothing will be added to this one.
    followed: bool,
    /// The number of the line that comes next.
    next: u64,
}

impl Reader {
    const fn new(work: PathBuf) -> Self {
        Self { work, folder: 0, lines: None, followed: false, next: 1 }
    }

    /// Lines from number `from` on: as many as there are now, as may be, and as fit one request. What the agent itself
    /// has to say comes last, and not before the step is `over`.
    fn batch(&mut self, from: u64, most: usize, over: bool) -> anyhow::Result<Vec<OutputLine>> {
        if from < self.next {
            *self = Self::new(std::mem::take(&mut self.work));
        }
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < most && bytes < REQUEST_BYTES {
            let Some(line) = self.line(over)? else { break };
            self.next += 1;
            if self.next > from {
                bytes += line.text.len() + 16;
                found.push(travelling(line));
            }
        }
        Ok(found)
    }

    /// The next line, if it is there now.
    fn line(&mut self, over: bool) -> anyhow::Result<Option<windlass_supervisor::OutputLine>> {
        loop {
            if let Some(line) = self.lines.as_mut().and_then(Iterator::next) {
                return Ok(Some(line?.1));
            }
            if self.followed {
                (self.folder, self.lines, self.followed) = (self.folder + 1, None, false);
            }
            let mut folders = output_folders(&self.work, over).skip(self.folder);
            match (folders.next(), &self.lines) {
                (Some(folder), None) => self.lines = Some(windlass_supervisor::output(&folder, 1)),
                // Read to its end once more: its last lines may have been written since it was read.
                (Some(_), Some(_)) if folders.next().is_some() => self.followed = true,
                _ => return Ok(None),
            }
        }
    }
}

/// A line of a supervisor as it travels.
fn travelling(line: windlass_supervisor::OutputLine) -> OutputLine {
    OutputLine {
        time: Timestamp::from_milliseconds(i64::try_from(line.time).unwrap_or(i64::MAX)),
        stream: match line.stream {
            Stream::Output => OutputStream::Out,
            Stream::Error => OutputStream::Err,
            Stream::Note => OutputStream::Note,
        },
        text: line.text,
    }
}

/// Where lines of a step's output lie, in the order in which they are numbered through: of each stage that has begun
/// so far, and, once all is `over`, of the agent itself.
pub(super) fn output_folders(work: &Path, over: bool) -> impl Iterator<Item = PathBuf> {
    stage_folders(work).chain(over.then(|| notes::folder(work)))
}

/// The same of its stages alone.
pub(super) fn stage_folders(work: &Path) -> impl Iterator<Item = PathBuf> {
    STAGES.into_iter().flat_map(move |stage| script::attempts(work, stage).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[OutputLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    fn write(work: &std::path::Path, folder: &str, lines: &[&str]) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        assert!(windlass_supervisor::note(&work.join(folder), lines).unwrap());
    }

    #[test]
    fn lines_of_all_stages_are_numbered_through_and_notes_come_when_the_step_is_over() {
        let work = tempfile::tempdir().unwrap();
        let work = work.path();
        let mut reader = Reader::new(work.to_owned());
        let mut read = |from, over| reader.batch(from, 3, over).map(|lines| texts(&lines).join(" ")).unwrap();
        assert_eq!(read(1, false), "");
        write(work, "PreDeploy-1", &["a", "b"]);
        assert_eq!(read(1, false), "a b");
        assert_eq!(read(3, false), "");
        write(work, "PreDeploy-2", &[]);
        write(work, "Deploy-1", &["c", "d"]);
        write(work, "Notes", &["e"]);
        assert_eq!(read(3, false), "c d");
        assert_eq!(read(5, false), "");
        assert_eq!(read(5, true), "e");
        assert_eq!(read(6, true), "");
        // The coordinator has lost some, or has some already.
        assert_eq!(read(2, true), "b c d");
        assert_eq!(Reader::new(work.to_owned()).batch(4, 9, true).map(|lines| lines.len()).unwrap(), 2);
    }

    #[test]
    fn a_request_has_as_much_as_fits_it() {
        let work = tempfile::tempdir().unwrap();
        let line = "x".repeat(windlass_supervisor::limits::LINE_BYTES);
        write(work.path(), "Script-1", &vec![line.as_str(); 100]);
        let mut reader = Reader::new(work.path().to_owned());
        let (mut from, mut counts) = (1, Vec::new());
        loop {
            let lines = reader.batch(from, 1000, false).unwrap();
            if lines.is_empty() {
                break;
            }
            from += lines.len() as u64;
            counts.push(lines.len());
        }
        assert_eq!(counts, [32, 32, 32, 4]);
    }
}
