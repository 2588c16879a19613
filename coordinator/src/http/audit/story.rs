//! What happened in one deployment, from the record.

use std::path::Path;

use serde_json::Value;
use windlass_api::answers::StoryLine;
use windlass_api::error::Problem;
use windlass_protocol::ids::DeploymentId;

use super::journal::Journal;
use super::summary::{sentence, shown};
use crate::http::caller::Moment;
use crate::http::heavy::Wanted;
use crate::http::words;

/// The events of a deployment as sentences, in order. Reads the journal from its beginning.
pub(in crate::http) fn tell(
    data: &Path,
    moment: &Moment,
    wanted: &Wanted,
    id: DeploymentId,
) -> Result<Vec<StoryLine>, Problem> {
    let id = id.to_string();
    let mut lines = Vec::new();
    let mut journal = Journal::open(data, 1, moment.state.sequence, wanted)?;
    while let Some(entry) = journal.next()? {
        if !entry.text.contains(&id) {
            continue;
        }
        for mut event in entry.record.events.iter().filter_map(|event| serde_json::to_value(event).ok()) {
            if !is_about(&event, &id) {
                continue;
            }
            // Of which deployment, the reader knows.
            if let Value::Object(fields) = &mut event {
                fields.retain(|key, value| key != "deployment" || !value.is_string());
            }
            lines.push(StoryLine {
                sequence: entry.record.sequence,
                time: words::time(entry.record.time),
                text: sentence(moment.space(), &shown(event)),
            });
        }
    }
    Ok(lines)
}

fn is_about(event: &Value, id: &str) -> bool {
    let named = event.get("deployment");
    named.and_then(Value::as_str).is_some_and(|named| named == id)
        || named.and_then(|inner| inner.get("id")).and_then(Value::as_str).is_some_and(|named| named == id)
}
