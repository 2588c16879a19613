//! What happened in one deployment, from the record.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use serde_json::Value;
use windlass_api::answers::StoryLine;
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{DeploymentEvent, Event, TargetEvent};
use windlass_coordinator_core::model::EndReason;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::journal::{Entry, Journal, recorded};
use super::summary::{actor, said, shown};
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
    // Of a deployment that runs; their coming and going is a part of its story.
    let mut targets = BTreeSet::new();
    let mut journal = Journal::open(data, sight, (1, sight.record()), wanted)?;
    while let Some(entry) = journal.next()? {
        let names_it = entry.text.contains(&id);
        if !names_it && targets.is_empty() {
            continue;
        }
        for event in &entry.record.events {
            let presence = is_presence(event, &targets);
            if !names_it && !presence {
                continue;
            }
            let is_its = |value: &Value| presence || is_about(value, &id);
            let Some(mut shown_as) = recorded(event).filter(is_its) else { continue };
            follow(event, &mut targets);
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
                text: said(sight, sight.space(), event, &shown(shown_as)) + &who(sight, &entry, event),
            });
        }
    }
    Ok((earlier, lines.into()))
}

/// Whether a target that has a part went or came.
fn is_presence(event: &Event, targets: &BTreeSet<TargetId>) -> bool {
    let (Event::Target(TargetEvent::Lost { target }) | Event::Target(TargetEvent::Back { target })) = event
    else {
        return false;
    };
    targets.contains(target)
}

/// Keeps the targets that have a part, from the start of the deployment to its end.
fn follow(event: &Event, targets: &mut BTreeSet<TargetId>) {
    match event {
        Event::Deployment(DeploymentEvent::Started(started)) => {
            targets.extend(started.roles.iter().flat_map(|(_, targets)| targets));
        }
        Event::Deployment(DeploymentEvent::Ended { .. }) => targets.clear(),
        _ => {}
    }
}

/// Who asked for it or cancelled it, and the reason that was given, as far as who asks sees them.
fn who(sight: &Sight, entry: &Entry, event: &Event) -> String {
    let header = &entry.record.header;
    let by_somebody = match event {
        Event::Deployment(DeploymentEvent::Created { .. }) => true,
        Event::Deployment(DeploymentEvent::Ended { why, .. }) => *why == EndReason::Cancelled,
        _ => false,
    };
    if !by_somebody {
        return String::new();
    }
    let reason = header.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(", by {}{reason}", actor(sight, header.actor))
}

fn is_about(event: &Value, id: &str) -> bool {
    let named = event.get("deployment");
    named.and_then(Value::as_str).is_some_and(|named| named == id)
        || named.and_then(|inner| inner.get("id")).and_then(Value::as_str).is_some_and(|named| named == id)
}
