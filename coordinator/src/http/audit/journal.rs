//! The journal's files, read beside the engine that writes them. Only what is durable counts.

use std::path::Path;

use serde_json::Value;
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Event, Record};

use crate::http::heavy::Wanted;
use crate::journal::{self, Line, Lines};

/// A record with its text and the chain's hash at it.
pub(super) struct Entry {
    pub(super) hash: String,
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
}

impl<'a> Journal<'a> {
    /// Opens the journal below `data` at record `from`; it ends with the record `last`, the newest durable one, or with
    /// an error as soon as nobody waits for it.
    pub(super) fn open(data: &Path, from: u64, last: u64, wanted: &'a Wanted) -> Result<Self, Problem> {
        // One past the last is a place to wait at; further out there is nothing yet.
        let from = from.min(last.saturating_add(1));
        let lines = journal::lines(data, from).map_err(|why| unreadable(&why))?;
        Ok(Self { lines, last, wanted })
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Problem> {
        self.wanted.expect()?;
        if self.lines.position() > self.last {
            return Ok(None);
        }
        let Some((_, line)) = self.lines.next_line().map_err(|why| unreadable(&why))? else {
            return Ok(None);
        };
        let line = Line::stored(line).map_err(|why| unreadable(&why))?;
        let record = line.parse().map_err(|why| unreadable(&why))?;
        let text = line.texts().collect::<Vec<_>>().join("\n");
        Ok(Some(Entry { hash: line.hash.to_string(), record, text }))
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%why, "the journal cannot be read");
    Problem::failed("the journal cannot be read; `windlass audit verify` tells where it is not whole")
}
