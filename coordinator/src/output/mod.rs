//! The output of steps: a trait with two implementations, [files](Embedded) below the data folder, and one
//! [in memory](InMemory).
//!
//! What is acknowledged is durable. Two things are limited: what one assignment may have, and what all output together
//! may take ([`Limits`]); and what one machine prints removes no other's output, as long as that has its share
//! ([`is_protected`]). A store that does not work acknowledges nothing, and agents keep their lines until it does.

mod batch;
mod embedded;
mod entry;
mod memory;
mod read;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::OutputLine;

pub use embedded::Embedded;
pub use memory::InMemory;
pub use read::{Missing, NumberedLine, Piece, Room, Why};

/// Bytes of one assignment's output that are kept: the agent's own cap of 32 MiB for each of the four hooks of a
/// package, and a little. It is not taken on the agent's word.
const ASSIGNMENT_BYTES: u64 = 144 << 20;

/// Why output cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// No assignment has so many lines.
    #[error("lines with such numbers cannot be")]
    Numbers,
    /// The store does not work, or has no room, and nothing was acknowledged; or the coordinator stops.
    #[error("the store of output does not work at the moment")]
    NotWorking,
    /// The thread that stores it has ended, and only a new process has another one.
    #[error("the thread that stores output has ended, which it never should")]
    Ended,
    /// What is stored cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one assignment's output. What comes after them is acknowledged, counted, and not kept.
    pub assignment_bytes: u64,
    /// Bytes of all output. Beyond them the oldest goes, a whole segment at a time, but for what is protected in it.
    pub total_bytes: u64,
    /// Bytes of a segment: a reader skips from the start of one, and it is what is removed at once.
    pub segment_bytes: u64,
}

impl Limits {
    /// The limits of an installation that keeps this many bytes of output altogether.
    pub const fn with_total(total_bytes: u64) -> Self {
        Self { assignment_bytes: ASSIGNMENT_BYTES, total_bytes, segment_bytes: 4 << 20 }
    }
}

/// Whether the output of a machine that holds so many bytes stays where the oldest goes: it has at most half of an even
/// share among all `holders`. So all that is protected is at most half of what may be kept, and finding room costs no
/// more than writing it once more; and a machine alone may have everything.
const fn is_protected(held: u64, holders: u64, limits: Limits) -> bool {
    held.saturating_mul(holders.saturating_mul(2)) <= limits.total_bytes
}

/// A store of output.
pub trait Logs: Send + Sync {
    /// Appends lines that `target` printed, the first of which has the number `first`. Answers with the number that is expected next, when
    /// everything before it is durable or was left out for good. Lines that are there already are not taken again;
    /// if lines are missing before these, none is taken, and the answer says which one has to come.
    fn append(
        &self,
        target: TargetId,
        assignment: AssignmentId,
        first: u64,
        lines: Vec<OutputLine>,
    ) -> BoxFuture<'_, Result<u64, OutputError>>;

    /// Reads the output of an assignment from line `from` on (the first is 1), as much as there is room for. `announced` is how
    /// many lines it has in all where that is known, so that the ones which are gone altogether are told too. Blocking.
    fn read(
        &self,
        assignment: AssignmentId,
        from: u64,
        room: Room,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, OutputError>;
}
