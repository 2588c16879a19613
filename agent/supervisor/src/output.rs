//! The lines of a step's output, and reading them beside the supervisor that writes them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_segments::Lines;

use crate::error::StepError;
use crate::layout;

/// Where a line of output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// The step's standard output.
    #[serde(rename = "out")]
    Output,
    /// The step's standard error.
    #[serde(rename = "err")]
    Error,
    /// The supervisor, about what it did with the output, or the agent, about what it did beside the step's processes.
    #[serde(rename = "note")]
    Note,
}

/// A line of output, or a part of a long or slow one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When it was read, in milliseconds since 1970.
    pub time: u64,
    /// Where it comes from.
    pub stream: Stream,
    /// Its text without its end, secrets masked.
    pub text: String,
}

/// The output of the step in `folder` from line `from` on, the first being 1.
///
/// A line can be seen up to a second before it is durable. A crash of the machine, and nothing else, can take such a
/// line back; once the step has [ended](crate::StepStatus::Ended), all lines are durable.
pub fn output(folder: &Path, from: u64) -> OutputLines {
    OutputLines { folder: layout::output(folder), next: from.max(1), lines: None }
}

/// Lines of output with their sequence numbers. The end is only the end for now: ask again after `None`.
pub struct OutputLines {
    folder: PathBuf,
    next: u64,
    /// None until the step has written something.
    lines: Option<Lines>,
}

impl OutputLines {
    /// The sequence number of the line that comes next.
    pub fn position(&self) -> u64 {
        self.next
    }

    fn read(&mut self) -> Result<Option<(u64, OutputLine)>, StepError> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            None if self.folder.try_exists().map_err(StepError::io("look at", &self.folder))? => {
                self.lines.insert(windlass_segments::read(&self.folder, self.next)?)
            }
            None => return Ok(None),
        };
        let Some((number, line)) = lines.next_line()? else { return Ok(None) };
        self.next = number + 1;
        match serde_json::from_slice(line) {
            Ok(line) => Ok(Some((number, line))),
            Err(error) => Err(StepError::Damaged {
                folder: self.folder.clone(),
                line: number,
                reason: error.to_string(),
            }),
        }
    }
}

impl Iterator for OutputLines {
    type Item = Result<(u64, OutputLine), StepError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
