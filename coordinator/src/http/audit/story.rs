//! What happened in one deployment, from the record.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::Value;
use windlass_api::answers::StoryLine;
use windlass_api::error::Problem;
use windlass_protocol::ids::DeploymentId;

use super::journal::{Journal, recorded};
use super::summary::{said, shown};
use crate::http::heavy::Wanted;
use crate::http::{deployments, display};
use windlass_coordinator_core::sight::Sight;

/// The last `most` events of a deployment as sentences, in order, and how many came before them. Reads the journal from its
/// beginning.
pub(in crate::http) fn tell(
    data: &Path,
    sight: &Sight,
    wanted: &Wanted,
    id: DeploymentId,
    most: usize,
) -> Result<(u64, Vec<StoryLine>), Problem> {
    // The record is of everybody's deployments, also of those that the space does not remember any more.
    if !sight.is_whole() {
        deployments::find(sight.space(), id)?;
    }
    let id = id.to_string();
    let (mut earlier, mut told, mut lines) = (0, 0, VecDeque::new());
    let mut journal = Journal::open(data, sight, (1, sight.record()), wanted)?;
    while let Some(entry) = journal.next()? {
        if !entry.text.contains(&id) {
            continue;
        }
        for event in &entry.record.events {
            let Some(mut shown_as) = recorded(event).filter(|value| is_about(value, &id)) else { continue };
            // Of which deployment, the reader knows.
            if let Value::Object(fields) = &mut shown_as {
                fields.retain(|key, value| key != "deployment" || !value.is_string());
            }
            told += 1;
            if lines.len() == most {
                lines.pop_front();
                earlier += 1;
            }
            lines.push_back(StoryLine {
                // To who is limited, the record's number would tell how much others do.
                sequence: if sight.is_whole() { entry.record.number } else { told },
                time: display::time(entry.record.time),
                text: said(sight, sight.space(), event, &shown(shown_as)),
            });
        }
    }
    Ok((earlier, lines.into()))
}

fn is_about(event: &Value, id: &str) -> bool {
    let named = event.get("deployment");
    named.and_then(Value::as_str).is_some_and(|named| named == id)
        || named.and_then(|inner| inner.get("id")).and_then(Value::as_str).is_some_and(|named| named == id)
}
