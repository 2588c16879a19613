//! Reading output back: lines, and for those that are not there, how many and why.

use windlass_protocol::message::OutputLine;

use super::batch::{Batch, line_bytes};
use super::entry::Entry;

/// A line of output with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number in its assignment's output, from 1.
    pub number: u64,
    pub line: OutputLine,
}

/// Lines that were there and are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The number of the first of them.
    pub first: u64,
    /// The number of the last of them.
    pub last: u64,
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

/// How much is read at once. It ends with the first piece that fills it: a reader with room for one piece, or one byte,
/// gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub pieces: usize,
    /// Bytes of lines, as they are counted against the limit of their assignment.
    pub bytes: u64,
}

/// What a reader has found so far, batch by batch.
pub(super) struct Found {
    /// The number of the line that comes next.
    next: u64,
    room: Room,
    pieces: Vec<Piece>,
    bytes: u64,
}

impl Found {
    /// Nothing yet, of lines from `from` on.
    pub(super) const fn new(from: u64, room: Room) -> Self {
        Self { next: if from > 1 { from } else { 1 }, room, pieces: Vec::new(), bytes: 0 }
    }

    /// The number of the line that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether no more is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() >= self.room.pieces || self.bytes >= self.room.bytes
    }

    pub(super) fn take(&mut self, batch: Batch) {
        for (number, line) in (batch.first..).zip(batch.lines) {
            if number < self.next {
                continue;
            }
            self.miss_until(number, Why::Removed);
            if self.is_full() {
                return;
            }
            self.bytes += line_bytes(&line);
            self.pieces.push(Piece::Line(NumberedLine { number, line }));
            self.next = number + 1;
        }
    }

    /// Tells what is missing after the last line that is kept, of `announced` ones in all where that is known. Of an
    /// assignment that nothing is known of, `forgotten` says whether that may be because retention took all of it.
    pub(super) fn end(mut self, entry: Option<Entry>, forgotten: bool, announced: Option<u64>) -> Vec<Piece> {
        if self.is_full() {
            return self.pieces;
        }
        let announced = announced.unwrap_or(0).saturating_add(1);
        match entry {
            Some(entry) if entry.full => self.miss_until(entry.next.max(announced), Why::LeftOut),
            Some(entry) => self.miss_until(entry.next, Why::Removed),
            None if forgotten => self.miss_until(announced, Why::Removed),
            None => {}
        }
        self.pieces
    }

    /// What was found, where there is more.
    pub(super) fn pieces(self) -> Vec<Piece> {
        self.pieces
    }

    fn miss_until(&mut self, number: u64, why: Why) {
        if number > self.next {
            self.pieces.push(Piece::Missing(Missing { first: self.next, last: number - 1, why }));
            self.next = number;
        }
    }
}
