//! What the journal says, as anybody can read it: which steps were to run where, how they ended, what became of all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A deployment as its events tell it.
#[derive(Debug, Default)]
pub struct Told {
    /// The version's number.
    pub number: u64,
    /// Names of steps and targets that it ran on, by its start.
    pub planned: BTreeSet<(String, String)>,
    /// How each run ended.
    pub outcomes: BTreeMap<(String, String), String>,
    /// How it ended, and why.
    pub end: Option<(String, String)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The events of all whole records.
fn events(data: &Path) -> Vec<Value> {
    let mut segments: Vec<_> = fs::read_dir(data.join("journal")).expect("a journal").flatten().collect();
    segments.sort_by_key(|entry| entry.file_name());
    let mut events = Vec::new();
    for segment in segments.into_iter().filter(|entry| entry.path().extension().is_some()) {
        for line in fs::read_to_string(segment.path()).expect("text").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            events.extend(windlass_tests::journal::of_line(&line));
        }
    }
    events
}

/// Every deployment of the journal.
pub fn deployments(data: &Path) -> BTreeMap<String, Told> {
    let mut steps: BTreeMap<String, String> = BTreeMap::new();
    let mut targets: BTreeMap<String, String> = BTreeMap::new();
    let mut releases: BTreeMap<String, u64> = BTreeMap::new();
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for event in events(data) {
        match event["event"].as_str().unwrap_or_default() {
            "target-enrolled" => {
                targets.insert(text(&event["target"]["id"]), text(&event["target"]["name"]));
            }
            "release-created" => {
                let release = &event["release"];
                let version = text(&release["version"]);
                let number = version.rsplit('.').next().and_then(|number| number.parse().ok());
                releases.insert(text(&release["id"]), number.expect("1.0.NUMBER"));
                for step in list(&release["snapshot"]["steps"]) {
                    steps.insert(text(&step["id"]), text(&step["name"]));
                }
            }
            "deployment-created" => {
                let deployment = &event["deployment"];
                let one = told.entry(text(&deployment["id"])).or_default();
                one.number = releases[&text(&deployment["subject"]["release"])];
            }
            "deployment-started" => {
                let one = told.get_mut(&text(&event["deployment"])).expect("created before");
                for node in list(&event["nodes"]).iter().filter(|node| node["work"] != "fetch") {
                    for target in list(&node["targets"]) {
                        let name =
                            (steps[&text(&node["work"]["run"])].clone(), targets[&text(target)].clone());
                        one.planned.insert(name);
                    }
                }
            }
            "run-ended" if event["work"] != "fetch" => {
                let one = told.get_mut(&text(&event["deployment"])).expect("created before");
                let name =
                    (steps[&text(&event["work"]["run"])].clone(), targets[&text(&event["target"])].clone());
                let before = one.outcomes.insert(name.clone(), event["end"]["outcome"].to_string());
                assert!(before.is_none(), "{name:?} ended twice: {event}");
            }
            "deployment-ended" => {
                let one = told.get_mut(&text(&event["deployment"])).expect("created before");
                assert!(one.end.is_none(), "a deployment ended twice: {event}");
                let why =
                    steps.iter().fold(event["why"].to_string(), |why, (id, name)| why.replace(id, name));
                one.end = Some((text(&event["end"]), why));
            }
            _ => {}
        }
    }
    told
}
