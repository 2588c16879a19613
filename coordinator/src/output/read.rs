//! Reading output back: lines, and for those that are not there, how many and why.

use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::OutputLine;

use super::batch::Batch;
use super::files::{is_removed, parse};
use super::index::{Entry, Index};
use super::{OutputError, OutputStore};

/// A line of output with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number in its assignment's output, from 1.
    pub number: u64,
    /// The line.
    pub line: OutputLine,
}

/// Lines that were there and are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The number of the first of them.
    pub first: u64,
    /// The number of the last of them.
    pub last: u64,
    /// Why.
    pub why: Why,
}

/// Why lines are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Retention removed them: all output together is more than is kept.
    Removed,
    /// The assignment printed more than is kept of one.
    LeftOut,
}

/// A part of an assignment's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A line.
    Line(NumberedLine),
    /// Lines that are not there.
    Missing(Missing),
}

impl Piece {
    /// The number of its last line.
    pub const fn last(&self) -> u64 {
        match self {
            Self::Line(line) => line.number,
            Self::Missing(missing) => missing.last,
        }
    }
}

impl OutputStore {
    /// Reads the output of an assignment from line `from` on, about `most` pieces. `announced` is how many lines it has
    /// in all where that is known, so that the ones which are gone altogether are told too. Blocking.
    pub fn read(
        &self,
        assignment: AssignmentId,
        from: u64,
        most: usize,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, OutputError> {
        let index = self.index.get()?;
        let entry = index.entry(assignment)?;
        let mut found = Found { next: from.max(1), pieces: Vec::new() };
        let mut open: Option<(u64, windlass_segments::Lines)> = None;
        for place in index.places(assignment, found.next)? {
            if found.pieces.len() >= most {
                return Ok(found.pieces);
            }
            // Batches that lie side by side are read on; others are looked up.
            let lines = match open.take() {
                Some((next, lines)) if next == place => Ok(lines),
                _ => windlass_segments::read(&self.folder, place).map_err(OutputError::from),
            };
            match lines.and_then(|lines| batch_of(lines, place)) {
                Ok((batch, lines)) => {
                    found.take(batch);
                    open = Some((place + 1, lines));
                }
                // It went between the index and here; the numbers of what follows show it.
                Err(why) if is_removed(&why) => {}
                Err(why) => return Err(why),
            }
        }
        found.take_end(&index, entry, announced)?;
        Ok(found.pieces)
    }
}

fn batch_of(
    mut lines: windlass_segments::Lines,
    place: u64,
) -> Result<(Batch, windlass_segments::Lines), OutputError> {
    let (_, line) = lines.next().ok_or(OutputError::Damaged(place))??;
    Ok((parse(place, &line)?, lines))
}

struct Found {
    /// The number of the line that comes next.
    next: u64,
    pieces: Vec<Piece>,
}

impl Found {
    fn take(&mut self, batch: Batch) {
        for (number, line) in (batch.first..).zip(batch.lines) {
            if number < self.next {
                continue;
            }
            self.miss_until(number, Why::Removed);
            self.pieces.push(Piece::Line(NumberedLine { number, line }));
            self.next = number + 1;
        }
    }

    /// Tells what is missing after the last line that is kept.
    fn take_end(
        &mut self,
        index: &Index,
        entry: Option<Entry>,
        announced: Option<u64>,
    ) -> Result<(), OutputError> {
        let announced = announced.unwrap_or(0).saturating_add(1);
        match entry {
            Some(entry) if entry.full => self.miss_until(entry.next.max(announced), Why::LeftOut),
            Some(entry) => self.miss_until(entry.next, Why::Removed),
            None if index.kept()? > 1 => self.miss_until(announced, Why::Removed),
            None => {}
        }
        Ok(())
    }

    fn miss_until(&mut self, number: u64, why: Why) {
        if number > self.next {
            self.pieces.push(Piece::Missing(Missing { first: self.next, last: number - 1, why }));
            self.next = number;
        }
    }
}
