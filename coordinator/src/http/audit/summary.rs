//! Records as people read them: names for ids, a sentence for each event, and nothing that is sealed.

use serde_json::{Map, Value};
use windlass_api::answers::AuditRecord;
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Actor, DeploymentEvent, Event};
use windlass_coordinator_core::graph::WorkKind;
use windlass_coordinator_core::model::Deployment;
use windlass_coordinator_core::names;
use windlass_coordinator_core::reasons;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{DeploymentId, ReleaseId};
use windlass_protocol::names::nearest;

use super::journal::{Entry, recorded};
use crate::http::{deployments, display};
use windlass_coordinator_core::sight::Sight;

/// What is there and not seen is called so, with its kind.
const UNSEEN: &str = "another ";

/// What is never shown, whatever it stands in: digests of tokens' secrets, and ciphertexts.
const HIDDEN: [&str; 2] = ["secret", "ciphertext"];

pub(super) fn record(sight: &Sight, entry: &Entry) -> AuditRecord {
    let record = &entry.record;
    let space = record.stream.space().and_then(|id| sight.space_of_id(id));
    let events = events(sight, entry);
    AuditRecord {
        sequence: record.number,
        time: display::time(record.time),
        space: space.map(|space| space.head.name.to_string()),
        actor: actor(sight, record.header.actor),
        origin: record.header.origin.clone(),
        reason: record.header.reason.clone(),
        summary: record
            .events
            .iter()
            .zip(&events)
            .map(|(event, shown)| said(sight, space.unwrap_or(sight.space()), event, shown))
            .collect(),
        events,
        hash: entry.hash.clone(),
    }
}

/// What is shown of a record as one text, to be searched.
pub(super) fn shown_text(sight: &Sight, entry: &Entry) -> String {
    let header = &entry.record.header;
    let events = events(sight, entry);
    if sight.is_whole() {
        return serde_json::json!([header.actor, header.origin, header.reason, events]).to_string();
    }
    // The ids of others are not found either.
    serde_json::json!([actor(sight, header.actor), header.origin, header.reason, events]).to_string()
}

/// The events of a record as they are shown.
fn events(sight: &Sight, entry: &Entry) -> Vec<Value> {
    let shown = entry.record.events.iter().filter_map(recorded).map(shown);
    shown.map(|event| in_words(sight, event)).collect()
}

/// An event without the ids of what is not seen. Of who is limited, nothing but what they see is told; this is about
/// machines that served them and are not theirs any more, and the like.
fn in_words(sight: &Sight, value: Value) -> Value {
    match value {
        _ if sight.is_whole() => value,
        Value::String(text) => Value::String(match hidden_kind(sight.space(), &text) {
            Some(kind) => format!("{UNSEEN}{kind}"),
            None => text,
        }),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, in_words(sight, value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| in_words(sight, item)).collect()),
        other => other,
    }
}

/// What kind of thing an id is of that is not in the space, if it is one.
fn hidden_kind<'a>(space: &Space, id: &'a str) -> Option<&'a str> {
    let (kind, _) = id.rsplit_once('-').filter(|(_, rest)| rest.len() == 26)?;
    let unseen = match kind {
        "target" => !id.parse().is_ok_and(|id| space.targets.get(id).is_some()),
        "environment" => !id.parse().is_ok_and(|id| space.environments.get(id).is_some()),
        "project" => !id.parse().is_ok_and(|id| space.projects.get(id).is_some()),
        "tenant" => !id.parse().is_ok_and(|id| space.tenants.get(id).is_some()),
        "release" => !id.parse().is_ok_and(|id: ReleaseId| space.releases.contains_key(&id)),
        "deployment" => !id.parse().is_ok_and(|id: DeploymentId| space.deployments.contains_key(&id)),
        // Parts of what is seen, which stand in no event of anybody else's.
        "assignment" | "step" | "template" | "value" | "tag" | "tagset" | "lifecycle" | "libraryset" => false,
        _ => true,
    };
    unseen.then_some(kind)
}

pub(super) fn actor(sight: &Sight, actor: Actor) -> String {
    let (kind, id, name) = match actor {
        Actor::Installer => return "the installer".to_owned(),
        Actor::Coordinator => return "the coordinator".to_owned(),
        Actor::Token(id) => ("token", id.to_string(), sight.token(id).map(|token| token.name.to_string())),
        Actor::Target(id) => ("target", id.to_string(), sight.target_name(id)),
        Actor::Enrolment(id) if sight.is_whole() => return id.to_string(),
        Actor::Enrolment(id) => ("enrolment token", id.to_string(), None),
    };
    match name {
        Some(name) => format!("{kind} {name}"),
        None if sight.is_whole() => format!("{kind} {id}"),
        None => format!("{UNSEEN}{kind}"),
    }
}

/// Says so where no event is called this: an empty list would be the wrong answer to a typing error.
pub(super) fn expect_event(name: &str) -> Result<(), Problem> {
    // The one list of all events is their type; what reads it names them in the error for one that is none.
    let known = |event: Value| {
        let said =
            serde_json::from_value::<Event>(event).err().map(|why| why.to_string()).unwrap_or_default();
        // Of two it says `one` or `other`, of more that it expected one of them.
        let (_, known) = said.split_once("expected ").unwrap_or_default();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let families = known(serde_json::json!({"?": {}}));
    let events =
        families.iter().flat_map(|family| known(serde_json::json!({family.as_str(): {"event": "?"}})));
    let events: Vec<_> = events.collect();
    if events.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(Problem::usage(match nearest(name, events.iter().map(String::as_str)) {
        Some(nearest) => format!("there is no event `{name}`; did you mean `{nearest}`?"),
        None => {
            format!("there is no event `{name}`; `windlass audit list -o json` shows what events are called")
        }
    }))
}

/// The event without what is sealed in it.
pub(super) fn shown(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("ciphertext") => Value::String("(sensitive)".to_owned()),
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(key, _)| !HIDDEN.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key, shown(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(shown).collect()),
        other => other,
    }
}

/// Who looks, and the space that an event is about.
type About<'a> = (&'a Sight, &'a Space);

/// An event as a sentence, with the reason that it has by rules and ids. `shown` is the event as it is shown.
pub(super) fn said(sight: &Sight, space: &Space, event: &Event, shown: &Value) -> String {
    let text = sentence((sight, space), shown);
    let Event::Deployment(event) = event else { return text };
    let of = |id| space.deployments.get(id);
    let reason = match event {
        DeploymentEvent::Ended { deployment, why, .. } => {
            of(deployment).map(|of| reasons::end(space, of, why))
        }
        DeploymentEvent::ScopeRemoved { deployment, target, why } => {
            of(deployment).map(|of| reasons::removal(space, of, *target, *why))
        }
        DeploymentEvent::RunEnded { deployment, target, end, .. } => of(deployment).and_then(|of| {
            reasons::outcome_in_words(&end.outcome, &reasons::target_name(space, of, *target))
        }),
        DeploymentEvent::Assigned { deployment, node, .. } => {
            return of(deployment).and_then(|of| assigned(space, of, *node)).unwrap_or(text);
        }
        DeploymentEvent::LeftOut { rules, .. } => {
            rules.first().map(|rule| reasons::tenant_rule(*rule).to_owned())
        }
        _ => None,
    };
    match reason {
        None => text,
        Some(reason) if text.contains(": ") => format!("{text}, reason {reason}"),
        Some(reason) => format!("{text}: reason {reason}"),
    }
}

/// What of a deployment became work of which targets.
fn assigned(space: &Space, of: &Deployment, node: usize) -> Option<String> {
    let plot = &of.graph.node(node)?.plot;
    let what = match plot.work {
        WorkKind::Fetch => "fetching packages".to_owned(),
        WorkKind::Run(step) => {
            let release = space.releases.get(&of.release());
            format!("step {}", deployments::step_name(release.map(AsRef::as_ref), step))
        }
    };
    let names = plot.targets.iter().map(|target| reasons::target_name(space, of, *target));
    Some(format!("assigned: {what} on {}", names::listed(names)))
}

/// An event as a sentence: its kind, and what it is about. It works from the recorded form, so that an event that was
/// added later is told as well.
fn sentence((sight, space): About<'_>, event: &Value) -> String {
    let Value::Object(fields) = event else { return event.to_string() };
    let kind = fields.get("event").and_then(Value::as_str).unwrap_or("event").replace('-', " ");
    let mut about = Vec::new();
    describe((sight, space), fields, 2, &mut about);
    if about.is_empty() { kind } else { format!("{kind}: {}", about.join(", ")) }
}

/// Collects what the fields are about, as far down as `depth` says.
fn describe((sight, space): About<'_>, fields: &Map<String, Value>, depth: usize, about: &mut Vec<String>) {
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("event" | "id" | "slug" | "key" | "why", _) => {}
            ("reason" | "name" | "version" | "end" | "rule", Value::String(text)) => {
                about.push(format!("{key} {text}"))
            }
            ("work", Value::String(text)) if text == "fetch" => about.push("fetching packages".to_owned()),
            // How else something ended, its reason says in words.
            ("outcome", Value::String(text)) if text == "succeeded" => about.push(format!("{key} {text}")),
            ("outcome", _) => {}
            ("count", Value::Number(count)) => about.push(format!("{count} times")),
            ("origin" | "older" | "newer", Value::String(place)) => about.push(format!("{key} {place}")),
            ("claims" | "names", Value::Array(items)) => {
                about.push(format!("{key} {}", items.iter().map(plain).collect::<Vec<_>>().join(" ")));
            }
            (key, Value::String(id)) => {
                // What is run is a step.
                let key = if key == "run" { "step" } else { key };
                let named =
                    |name: String| if name.starts_with(UNSEEN) { name } else { format!("{key} {name}") };
                about.extend(thing((sight, space), id).map(named));
            }
            ("package", Value::Object(inner)) => {
                let part = |key| inner.get(key).map(plain).unwrap_or_default();
                about.push(format!("{key} {} {}", part("id"), part("version")));
            }
            (key, Value::Object(inner)) if depth > 0 => match inner.get("name").and_then(Value::as_str) {
                Some(name) => about.push(format!("{key} {name}")),
                None => describe((sight, space), inner, depth - 1, about),
            },
            _ => {}
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The name of the thing with this id, if it is one.
fn thing((sight, space): About<'_>, id: &str) -> Option<String> {
    let (kind, _) = id.rsplit_once('-').filter(|(_, rest)| rest.len() == 26)?;
    let found = match kind {
        "token" => id.parse().ok().map(|id| display::token(sight, id)),
        "environment" => id.parse().ok().map(|id| display::name(&space.environments, id)),
        "project" => id.parse().ok().map(|id| display::name(&space.projects, id)),
        "tenant" => id.parse().ok().map(|id| display::name(&space.tenants, id)),
        "target" => id.parse().ok().map(|id| display::name(&space.targets, id)),
        "release" => {
            let id: Option<ReleaseId> = id.parse().ok();
            let release = id.and_then(|id| space.releases.get(&id));
            release.map(|release| release.version.to_string())
        }
        "step" => {
            let wanted = id.parse().ok()?;
            let mut steps = space.projects.iter().flat_map(|project| &project.steps);
            steps.find(|step| step.id == wanted).map(|step| step.name.to_string())
        }
        _ => None,
    };
    let found = found.unwrap_or_else(|| id.to_owned());
    let hidden = hidden_kind(space, &found).filter(|_| !sight.is_whole());
    Some(hidden.map_or_else(|| found.clone(), |kind| format!("{UNSEEN}{kind}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sealed_is_not_shown() {
        let event = json!({
            "event": "defined",
            "value": {"sealed": {"key": "key-1", "ciphertext": "abc", "digest": "00"}},
            "token": {"name": "ci", "secret": "ff"},
            "list": [{"ciphertext": "def"}],
        });
        let text = shown(event).to_string();
        for hidden in ["abc", "def", "ff", "00"] {
            assert!(!text.contains(&format!("\"{hidden}\"")), "{hidden} in {text}");
        }
        assert!(text.contains("(sensitive)") && text.contains("ci"));
    }
}
