//! Reading output back: lines, and for those that are not there, how many and why.

use windlass_protocol::message::OutputLine;

use super::batch::Batch;
use super::entry::Entry;

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

/// What a reader has found so far, batch by batch.
pub(super) struct Found {
    /// The number of the line that comes next.
    next: u64,
    most: usize,
    pieces: Vec<Piece>,
}

impl Found {
    /// Nothing yet, of lines from `from` on, at most so many pieces.
    pub(super) const fn new(from: u64, most: usize) -> Self {
        Self { next: if from > 1 { from } else { 1 }, most, pieces: Vec::new() }
    }

    /// The number of the line that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether no more is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() >= self.most
    }

    pub(super) fn take(&mut self, batch: Batch) {
        for (number, line) in (batch.first..).zip(batch.lines) {
            if number < self.next {
                continue;
            }
            self.miss_until(number, Why::Removed);
            self.pieces.push(Piece::Line(NumberedLine { number, line }));
            self.next = number + 1;
        }
    }

    /// Tells what is missing after the last line that is kept, of `announced` ones in all where that is known. Of an
    /// assignment that nothing is known of, `forgotten` says whether that may be because retention took all of it.
    pub(super) fn end(mut self, entry: Option<Entry>, forgotten: bool, announced: Option<u64>) -> Vec<Piece> {
        let announced = announced.unwrap_or(0).saturating_add(1);
        match entry {
            Some(entry) if entry.full => self.miss_until(entry.next.max(announced), Why::LeftOut),
            Some(entry) => self.miss_until(entry.next, Why::Removed),
            None if forgotten => self.miss_until(announced, Why::Removed),
            None => {}
        }
        self.pieces()
    }

    /// What was found, where there is more.
    pub(super) fn pieces(mut self) -> Vec<Piece> {
        self.pieces.truncate(self.most);
        self.pieces
    }

    fn miss_until(&mut self, number: u64, why: Why) {
        if number > self.next {
            self.pieces.push(Piece::Missing(Missing { first: self.next, last: number - 1, why }));
            self.next = number;
        }
    }
}
