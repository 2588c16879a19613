//! What in a template is not well-formed and so stays as it is written (SEMANTICS 6), and where. A place never repeats any
//! of the text, which may be somebody's own.

use windlass_api::plan::MalformedTemplate;
use windlass_templates::Template as Text;

use crate::model::{Snapshot, StepAction, StoredValue, Variable};

/// The places in a text; `place` says whose text it is.
pub fn malformed(place: &str, text: &str) -> Vec<MalformedTemplate> {
    // Most texts are no templates, and are not parsed.
    if !text.contains("#{") {
        return Vec::new();
    }
    let told = |problem: &windlass_templates::Problem| MalformedTemplate {
        place: place.to_owned(),
        line: problem.line,
        column: problem.column,
        problem: problem.fault.to_string(),
    };
    Text::parse(text).problems().iter().map(told).collect()
}

/// The places in what a release freezes: its scripts, the values of its variables that are not sensitive, and the defaults
/// of its templates.
pub fn malformed_in(snapshot: &Snapshot) -> impl Iterator<Item = MalformedTemplate> {
    let scripts = snapshot.steps.iter().flat_map(|step| match &step.action {
        StepAction::Script(body) => malformed(&format!("step `{}`, its script", step.name), &body.text),
        StepAction::Package { .. } => Vec::new(),
    });
    let sets = &snapshot.library_sets;
    let variables = snapshot.variables.iter().chain(sets.iter().flat_map(|set| &set.variables));
    let templates = snapshot.templates.iter().chain(sets.iter().flat_map(|set| &set.templates));
    let defaults = templates.filter_map(|template| Some((&template.name, template.default.as_ref()?)));
    let values = variables.flat_map(values_of).chain(defaults).flat_map(|(name, value)| match value {
        StoredValue::Plain(text) => malformed(&format!("variable `{name}`"), text),
        StoredValue::Sealed(_) => Vec::new(),
    });
    scripts.chain(values)
}

fn values_of(variable: &Variable) -> impl Iterator<Item = (&String, &StoredValue)> {
    variable.values.iter().map(|scoped| (&variable.name, &scoped.value))
}
