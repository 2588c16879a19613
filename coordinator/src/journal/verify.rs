//! `verify`: reads the whole journal and says where it was changed, if it was.

use std::path::Path;

use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;

use super::line::{GENESIS, Line};

/// A journal that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    /// The hash of the chain at the last one: what a witness compares.
    pub head: Digest,
}

/// The first place at which the journal is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The files: a gap, a cut, a foreign file.
    #[error("after record {after}: {what}")]
    Files {
        /// The last record before it that is whole.
        after: u64,
        what: String,
    },
    /// A line was changed, or one before it was taken out, put in or moved.
    #[error("{place}: record {sequence}: {what}")]
    Record {
        /// Its file and line.
        place: String,
        /// Its number.
        sequence: u64,
        what: String,
    },
    /// The end does not have the hash that a witness holds: the tail was cut off, or another history written.
    #[error(
        "{place}: record {sequence} has the hash {found}, but the witness says {expected}: this is another history"
    )]
    Forked {
        /// Its file and line.
        place: String,
        /// The record that the witness names.
        sequence: u64,
        /// Its hash here.
        found: Digest,
        /// Its hash by the witness.
        expected: Digest,
    },
    /// Nobody waits for the rest.
    #[error("after record {after}: nobody waits for the answer any more")]
    Abandoned {
        /// The last record that was looked at.
        after: u64,
    },
    /// The journal ends before the last record that it says itself was acknowledged.
    #[error(
        "the journal ends at record {records}, but its records up to {acknowledged} were acknowledged: its tail is \
         missing; restore the journal from a backup"
    )]
    Lost {
        records: u64,
        /// The last record that was acknowledged.
        acknowledged: u64,
    },
    /// The journal ends before the record that a witness names.
    #[error(
        "the journal ends at record {records}, but the witness has seen record {sequence}: its tail is missing"
    )]
    Missing {
        records: u64,
        /// The record that the witness names.
        sequence: u64,
    },
}

/// Verifies the journal below `data`. `witness` is a record's number and hash that somebody outside kept.
pub fn verify(data: &Path, witness: Option<(u64, Digest)>) -> Result<Verified, Finding> {
    verify_while(data, witness, &|| true)
}

/// The same as long as it is `wanted`, which is asked with every record.
pub fn verify_while(
    data: &Path,
    witness: Option<(u64, Digest)>,
    wanted: &dyn Fn() -> bool,
) -> Result<Verified, Finding> {
    let files = |after, why: windlass_segments::SegmentError| Finding::Files { after, what: why.to_string() };
    // Before the lines, so that of a journal in use it says no more than they do.
    let acknowledged = windlass_segments::durable(super::folder(data)).map_err(|why| files(0, why))?;
    let mut lines = super::lines(data, 1).map_err(|why| files(0, why))?;
    let mut verified = Verified { records: 0, head: GENESIS };
    let mut state = State::default();
    loop {
        if !wanted() {
            return Err(Finding::Abandoned { after: verified.records });
        }
        let next = lines.next_line().map_err(|why| files(verified.records, why))?;
        let Some((sequence, line)) = next else { break };
        let checked = check(line, verified.head, &mut state);
        let place = || super::place(&lines);
        let hash = checked.map_err(|what| Finding::Record { place: place(), sequence, what })?;
        if let Some((named, expected)) = witness
            && named == sequence
            && expected != hash
        {
            return Err(Finding::Forked { place: place(), sequence, found: hash, expected });
        }
        verified = Verified { records: sequence, head: hash };
    }
    if let Some(acknowledged) = acknowledged.filter(|acknowledged| *acknowledged > verified.records) {
        return Err(Finding::Lost { records: verified.records, acknowledged });
    }
    match witness {
        Some((sequence, _)) if sequence > verified.records => {
            Err(Finding::Missing { records: verified.records, sequence })
        }
        _ => Ok(verified),
    }
}

/// Checks one line against the chain and the state before it; its own hash is the chain's next one.
fn check(line: &[u8], previous: Digest, state: &mut State) -> Result<Digest, String> {
    let line = Line::read(line, previous).map_err(|why| why.to_string())?;
    let record = line.parse().map_err(|why| why.to_string())?;
    state.apply(&record).map_err(|why| why.to_string())?;
    Ok(line.hash)
}
