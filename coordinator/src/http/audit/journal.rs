//! The journal's files, read beside the engine that writes them. Only what is durable counts, and only what its reader
//! sees of it comes out.

use std::path::Path;

use serde_json::Value;
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Event, Record};
use windlass_coordinator_core::sight::{SeenRecords, Sight};

use crate::http::heavy::Wanted;
use crate::journal::{self, Line, Lines};

/// What is seen of a record, its text, and the chain's hash at it: that one for who sees all, since it is of everything.
pub(super) struct Entry {
    pub(super) hash: Option<String>,
    pub(super) record: Record,
    pub(super) text: String,
}

impl Entry {
    /// Whether the record has an event of this kind. The text alone does not tell: what people wrote stands in it too.
    pub(super) fn has_event(&self, kind: &str) -> bool {
        let is = |event| recorded(event).is_some_and(|event| event["event"] == kind);
        self.text.contains(&format!(r#""event":"{kind}""#)) && self.record.events.iter().any(is)
    }
}

/// An event as it stands in the record, without its family: the names of events are unique among all.
pub(super) fn recorded(event: &Event) -> Option<Value> {
    match serde_json::to_value(event).ok()? {
        Value::Object(families) => families.into_iter().next().map(|(_, event)| event),
        other => Some(other),
    }
}

pub(super) struct Journal<'a> {
    lines: Lines,
    last: u64,
    wanted: &'a Wanted,
    sight: &'a Sight,
    seen: SeenRecords<'a>,
}

impl<'a> Journal<'a> {
    /// Opens the journal below `data` at record `from`; it ends with the record `last`, or with an error as soon as nobody
    /// waits for it. For who is limited these are two numbers of nothing: they get all of it that is theirs, since what
    /// is theirs follows from all that was, and how much lay between is not told by the time that it takes.
    pub(super) fn open(
        data: &Path,
        sight: &'a Sight,
        (from, last): (u64, u64),
        wanted: &'a Wanted,
    ) -> Result<Self, Problem> {
        let (from, last) = if sight.is_whole() { (from, last) } else { (1, sight.record()) };
        // One past the last is a place to wait at; further out there is nothing yet.
        let from = from.min(last.saturating_add(1));
        let lines = journal::lines(data, from).map_err(|why| unreadable(&why))?;
        Ok(Self { lines, last, wanted, sight, seen: sight.records() })
    }

    /// The next record of which something is seen.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Problem> {
        loop {
            self.wanted.expect()?;
            if self.lines.position() > self.last {
                return Ok(None);
            }
            let Some((_, line)) = self.lines.next_line().map_err(|why| unreadable(&why))? else {
                return Ok(None);
            };
            let line = Line::stored(line).map_err(|why| unreadable(&why))?;
            let record = line.parse().map_err(|why| unreadable(&why))?;
            let Some(record) = self.seen.see(record) else { continue };
            let whole = self.sight.is_whole();
            let text = match whole {
                true => line.texts().collect::<Vec<_>>().join("\n"),
                false => serde_json::to_string(&record).map_err(|why| unreadable(&why))?,
            };
            return Ok(Some(Entry { hash: whole.then(|| line.hash.to_string()), record, text }));
        }
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%why, "the journal cannot be read");
    Problem::failed("the journal cannot be read; `windlass audit verify` tells where it is not whole")
}
