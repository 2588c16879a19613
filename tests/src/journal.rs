//! The journal, read as anybody can: JSON, one record a line.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The segments of the journal below a data folder, oldest first.
pub fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("journal")).expect("a journal");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect();
    segments.sort();
    segments
}

/// All events, in the order in which they happened. An incomplete last line is not written yet.
pub fn events(data: &Path) -> Vec<Value> {
    let mut events = Vec::new();
    for segment in segments(data) {
        let text = std::fs::read_to_string(segment).expect("text");
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let line: Value = serde_json::from_str(line).expect("JSON");
            events.extend(of_line(&line));
        }
    }
    events
}

/// The events of a line: each is the only entry of its family.
pub fn of_line(line: &Value) -> Vec<Value> {
    let parts = line["events"].as_array().into_iter().flatten();
    let families = parts.filter_map(|part| part["body"].as_object());
    families.filter_map(|family| family.values().next()).cloned().collect()
}

/// A field that is a text.
pub fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}
