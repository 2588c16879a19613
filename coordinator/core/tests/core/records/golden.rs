//! Journals of format 1 always come to the same state, and have every event that there is.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_coordinator_core::decide::Reply;
use windlass_coordinator_core::event::{
    Actor, Definition, DefinitionEvent, DefinitionId, DeploymentEvent, EnrolmentEvent, Event,
    InstallationEvent, Observation, Record, ReleaseEvent, StrangerReason, Stream, TargetEvent,
};
use windlass_coordinator_core::graph::WorkKind;
use windlass_coordinator_core::model::{
    DeploymentEnd, EndReason, Failure, Removal, RunOutcome, StoredValue, Subject, Unknown,
};

use super::story;
use crate::replay::{assert_same_indexes, replay};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/golden");

/// A journal as format 1 wrote it, and what it comes to. A published event never changes its meaning: a journal is
/// never written again, and what it comes to never changes, but that a state may come to keep more of what the events
/// say. What is new is told in another journal beside the others.
struct Golden {
    text: String,
    digest: String,
}

impl Golden {
    /// The journal of this number, if there is one.
    fn read(number: usize) -> Option<Self> {
        let read = |kind| std::fs::read_to_string(format!("{FOLDER}/journal-{number}.{kind}"));
        Some(Self {
            text: read("jsonl").ok()?,
            digest: read("digest").expect("it stands beside its journal"),
        })
    }

    fn all() -> Vec<Self> {
        (1..).map_while(Self::read).collect()
    }

    fn records(&self) -> Vec<Record> {
        self.text.lines().map(|line| serde_json::from_str(line).expect("a record of format 1")).collect()
    }
}

#[test]
fn a_journal_of_format_1_always_comes_to_the_same_state() {
    for golden in Golden::all() {
        let records = golden.records();
        let state = replay(&records);
        assert_eq!(state.digest().to_string(), golden.digest.trim());
        // It is read without loss as well: nothing that it says is forgotten.
        for (line, record) in golden.text.lines().zip(&records) {
            assert_eq!(serde_json::to_string(record).expect("a record is JSON"), line);
        }
        let text = serde_json::to_vec(&state).expect("a state is JSON");
        assert_same_indexes(&serde_json::from_slice(&text).expect("what was written can be read"), &state);
    }
}

/// Writes the story, which tells what no journal does yet, into another one of the next number.
fn write_another() {
    let (world, path) = (story::told(), format!("{FOLDER}/journal-{}", Golden::all().len() + 1));
    let line = |record| serde_json::to_string(record).expect("a record is JSON") + "\n";
    let text: String = world.records.iter().map(line).collect();
    std::fs::write(format!("{path}.jsonl"), text).expect("it can be written");
    std::fs::write(format!("{path}.digest"), format!("{}\n", world.state.digest()))
        .expect("it can be written");
}

/// The names of all variants of a type, as what reads it says them to who gives it none of them.
fn variants<T: DeserializeOwned>(tagged: bool) -> BTreeSet<String> {
    let text = if tagged { r#"{"event": "?"}"# } else { r#""?""# };
    let Err(why) = serde_json::from_str::<T>(text) else { panic!("`?` is no variant") };
    let why = why.to_string();
    let (_, expected) = why.split_once("expected").expect("it says what it expected");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The name of what a value is.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value).expect("it is JSON") {
        serde_json::Value::String(name) => name,
        serde_json::Value::Object(parts) => match parts.get("event") {
            Some(event) => event.as_str().expect("a name").to_owned(),
            None => parts.keys().next().expect("a name").clone(),
        },
        other => panic!("{other} has no name"),
    }
}

/// Everything in a journal that is one of several, with what it is one of.
fn found(records: &[Record]) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    for record in records {
        found.insert(("stream", name(&record.stream)));
        found.insert(("actor", name(&record.header.actor)));
        found.extend(record.header.answered.iter().map(|answered| ("reply", name(&answered.reply))));
        for event in &record.events {
            let family = match event {
                Event::Installation(event) => ("installation", name(event)),
                Event::Definition(event) => ("definition", name(event)),
                Event::Enrolment(event) => ("enrolment", name(event)),
                Event::Target(event) => ("target", name(event)),
                Event::Release(event) => ("release", name(event)),
                Event::Deployment(event) => ("deployment", name(event)),
                Event::Observation(event) => ("observation", name(event)),
            };
            found.insert(("event", family.0.to_owned()));
            found.insert(family);
            found.extend(parts(event));
        }
    }
    found
}

/// What an event is made of that is one of several.
fn parts(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::Definition(DefinitionEvent::Defined { definition }) => vec![("defined", name(definition))],
        Event::Definition(DefinitionEvent::Deleted { definition, .. }) => vec![("deleted", name(definition))],
        Event::Deployment(DeploymentEvent::Created { deployment }) => {
            vec![("subject", name(&deployment.subject))]
        }
        Event::Deployment(DeploymentEvent::Started(started)) => {
            started.nodes.iter().map(|node| ("work", name(&node.work))).collect()
        }
        Event::Deployment(DeploymentEvent::ScopeRemoved { why, .. }) => vec![("removal", name(why))],
        Event::Deployment(DeploymentEvent::Ended { end, why, .. }) => {
            vec![("end", name(end)), ("reason", name(why))]
        }
        Event::Deployment(DeploymentEvent::RunEnded { end, outputs, .. }) => {
            let mut parts = vec![("outcome", name(&end.outcome))];
            if let RunOutcome::Failed(why) = &end.outcome {
                parts.push(("failure", name(why)));
            }
            if let RunOutcome::Unknown(why) = &end.outcome {
                parts.push(("unknown", name(why)));
            }
            parts.extend(outputs.values().map(|value| ("value", name(value))));
            parts
        }
        Event::Observation(Observation::StrangerRefused { reason, .. }) => vec![("stranger", name(reason))],
        _ => Vec::new(),
    }
}

/// What is new has to be told by the story, and is then written with
/// `WINDLASS_GOLDEN=write cargo test -p windlass-coordinator-core the_journals_of_format_1`.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the test says whether it writes")]
fn the_journals_of_format_1_have_every_event_with_every_kind_of_part() {
    let all = [
        ("event", variants::<Event>(false)),
        ("installation", variants::<InstallationEvent>(true)),
        ("definition", variants::<DefinitionEvent>(true)),
        ("enrolment", variants::<EnrolmentEvent>(true)),
        ("target", variants::<TargetEvent>(true)),
        ("release", variants::<ReleaseEvent>(true)),
        ("deployment", variants::<DeploymentEvent>(true)),
        ("observation", variants::<Observation>(true)),
        ("stream", variants::<Stream>(false)),
        ("actor", variants::<Actor>(false)),
        ("defined", variants::<Definition>(false)),
        ("deleted", variants::<DefinitionId>(false)),
        ("subject", variants::<Subject>(false)),
        ("work", variants::<WorkKind>(false)),
        ("removal", variants::<Removal>(false)),
        ("end", variants::<DeploymentEnd>(false)),
        ("reason", variants::<EndReason>(false)),
        ("outcome", variants::<RunOutcome>(false)),
        ("failure", variants::<Failure>(false)),
        ("unknown", variants::<Unknown>(false)),
        ("value", variants::<StoredValue>(false)),
        ("stranger", variants::<StrangerReason>(false)),
        ("reply", variants::<Reply>(false)),
    ];
    // Whoever reads an event knows it by its name alone.
    let names: Vec<_> = all[1..8].iter().flat_map(|(_, names)| names).collect();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "two events have one name: {names:?}"
    );
    // What agents are answered is remembered by no key.
    let agents =
        ["enrolled", "enrolment-refused", "enrolment-refused-again", "read-before", "renewed", "greeted"];
    let expected = all.into_iter().flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name)));
    let expected: BTreeSet<_> =
        expected.filter(|(kind, name)| *kind != "reply" || !agents.contains(&name.as_str())).collect();
    assert!(expected.len() > 100, "the variants are known: {expected:?}");
    let found: BTreeSet<_> = Golden::all().iter().flat_map(|golden| found(&golden.records())).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    if !missing.is_empty() && std::env::var("WINDLASS_GOLDEN").is_ok_and(|golden| golden == "write") {
        write_another();
    }
    assert!(missing.is_empty(), "in no journal: {missing:?}");
}
