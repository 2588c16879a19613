//! What a document changes of a thing, by the names of its parts and never by their values: a document says the whole
//! of it, so that what is left out is gone, and somebody should be told of what.
//!
//! One comparison of the two things as they are written, for all kinds. It knows of lists that are keyed by ids or names,
//! of what is sealed, and of a few words that documents write in another way.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use windlass_api::answers::{ChangedField, FieldChange};
use windlass_protocol::DisplayName;
use windlass_protocol::ids::{EnvironmentId, LibrarySetId, LifecycleId, ProjectId, TagId, TemplateId};
use windlass_protocol::names::fold;

use crate::catalogue::{Catalogue, Named};
use crate::model::{RetiredTemplate, Tag, TagSet, Template};
use crate::state::Space;

/// Names of a path: what lies deeper is told as a change of the part that it is in.
const MOST_DEEP: usize = 4;
/// Parts that documents do not write, or that are told in another way.
const HIDDEN: [&str; 3] = ["id", "key", "retired"];
/// Parts that are one thing to people, whatever they are made of.
const WHOLE: [&str; 2] = ["tenants", "script"];
/// Parts that documents write in another way; one without a word is not written at all, but what is in it.
const WORDS: [(&str, &str); 4] = [
    ("single", "type"),
    ("excluded_environments", "exclude-environments"),
    ("rule", "minimum"),
    ("action", ""),
];

/// A part that differs. Its path is of ids where things have them: only what is told has to be looked up.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    rank: u8,
    path: Vec<String>,
    change: FieldChange,
    secrets: usize,
}

/// Characters of a name that are told: nothing bounds some words, such as the options of a template.
const LONGEST_NAME: usize = 64;

impl Difference {
    /// As it is told: by the names that things have after the change, or had before it.
    pub(super) fn told(&self, before: &Names<'_>, after: &Names<'_>) -> ChangedField {
        let name =
            |word: &String| after.find(word).or_else(|| before.find(word)).unwrap_or_else(|| word.clone());
        let cut = |name: String| match name.char_indices().nth(LONGEST_NAME) {
            Some((end, _)) => format!("{}…", &name[..end]),
            None => name,
        };
        let path: Vec<_> = self.path.iter().map(|word| cut(name(word))).collect();
        ChangedField { field: path.join("/"), change: self.change, secrets_removed: self.secrets }
    }
}

/// The parts in which two things of a kind differ, but for their names: what is lost first, and of that the secrets, which
/// nobody can read to set them again.
pub(super) fn between(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&[], before, after, &mut found);
    found.sort_unstable();
    found
}

fn compare(path: &[String], before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let whole = path.len() >= MOST_DEEP
        || (path.len() > 1 && path.last().is_some_and(|word| WHOLE.contains(&&**word)));
    let (Some(old), Some(new), false) = (parts(path, before), parts(path, after), whole) else {
        let lost = secrets(before).saturating_sub(secrets(after));
        return tell(path.to_vec(), FieldChange::Changed, lost, found);
    };
    let told = found.len();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let below = |part: &Part<'_>| [path, &part.shown].concat();
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => compare(&below(new), old.value, new.value, found),
            (Some(old), None) => all_of(below(old), old.value, FieldChange::Removed, found),
            (None, Some(new)) => all_of(below(new), new.value, FieldChange::Added, found),
            (None, None) => {}
        }
    }
    // Then it is their order.
    if found.len() == told && !path.is_empty() {
        tell(path.to_vec(), FieldChange::Changed, 0, found);
    }
}

/// A part that only one of the two has: each of what it lists by name.
fn all_of(path: Vec<String>, value: &Value, change: FieldChange, found: &mut Vec<Difference>) {
    let words = value.as_array().filter(|words| !words.is_empty() && words.iter().all(Value::is_string));
    match words {
        Some(words) => {
            for word in words.iter().filter_map(Value::as_str) {
                tell([&path[..], &[word.to_owned()]].concat(), change, 0, found);
            }
        }
        None => {
            let lost = if change == FieldChange::Removed { secrets(value) } else { 0 };
            tell(path, change, lost, found);
        }
    }
}

fn tell(path: Vec<String>, change: FieldChange, secrets: usize, found: &mut Vec<Difference>) {
    let rank = match change {
        _ if secrets > 0 => 0,
        FieldChange::Removed => 1,
        FieldChange::Changed => 2,
        FieldChange::Added => 3,
    };
    found.push(Difference { rank, path, change, secrets });
}

/// One of what something is made of.
struct Part<'a> {
    /// What it adds to the path.
    shown: Vec<String>,
    value: &'a Value,
}

/// What something is made of, by what stays the same of each; `None` where it is one thing.
fn parts<'a>(path: &[String], value: &'a Value) -> Option<BTreeMap<String, Part<'a>>> {
    match value {
        Value::Object(fields) if !is_value(fields) => {
            // A package's id is what documents write; the ids of things are not.
            let in_package = path.last().is_some_and(|above| above == "package");
            let hidden =
                |name: &str| (HIDDEN.contains(&name) && !in_package) || (path.is_empty() && name == "name");
            let fields = fields.iter().filter(|(name, _)| !hidden(name));
            Some(fields.map(|(name, value)| (name.clone(), Part { shown: words(name), value })).collect())
        }
        Value::Array(items) => items.iter().map(element).collect(),
        _ => None,
    }
}

/// How documents write the name of a part.
fn words(name: &str) -> Vec<String> {
    match WORDS.iter().find(|(stored, _)| *stored == name) {
        Some((_, "")) => Vec::new(),
        Some((_, written)) => vec![(*written).to_owned()],
        None => vec![name.replace('_', "-")],
    }
}

/// One of a list: a word, a pair of a map that is written as a list, or something with a name.
fn element(value: &Value) -> Option<(String, Part<'_>)> {
    match value {
        Value::String(word) => Some((word.clone(), Part { shown: vec![word.clone()], value })),
        Value::Array(pair) => {
            let [key, value] = pair.as_slice() else { return None };
            let names = key.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
            Some((key.to_string(), Part { shown: names.collect(), value }))
        }
        Value::Object(fields) => {
            let name = fields.get("name")?.as_str()?;
            let key = fields.get("id").and_then(Value::as_str).map_or_else(|| fold(name), str::to_owned);
            Some((key, Part { shown: vec![name.to_owned()], value }))
        }
        _ => None,
    }
}

/// Whether it is a [`StoredValue`](crate::model::StoredValue), plain or sealed.
fn is_value(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && (fields.contains_key("plain") || fields.contains_key("sealed"))
}

/// How many sealed values there are in it.
fn secrets(value: &Value) -> usize {
    match value {
        Value::Object(fields) if is_value(fields) => usize::from(fields.contains_key("sealed")),
        Value::Object(fields) => fields.values().map(secrets).sum(),
        Value::Array(items) => items.iter().map(secrets).sum(),
        _ => 0,
    }
}

/// What things with ids are called in a space, as documents write it; what has to be searched for is gone through once.
pub(super) struct Names<'a> {
    space: &'a Space,
    tags: OnceCell<BTreeMap<TagId, String>>,
    /// Also those that their owners have no more.
    templates: OnceCell<BTreeMap<TemplateId, String>>,
}

impl<'a> Names<'a> {
    pub(super) const fn of(space: &'a Space) -> Self {
        Self { space, tags: OnceCell::new(), templates: OnceCell::new() }
    }

    fn find(&self, text: &str) -> Option<String> {
        fn of<T: Named>(known: &Catalogue<T>, id: T::Id) -> Option<String> {
            known.get(id).map(|found| found.name().to_string())
        }
        let space = self.space;
        let environment = text.parse::<EnvironmentId>().ok().and_then(|id| of(&space.environments, id));
        let project = || text.parse::<ProjectId>().ok().and_then(|id| of(&space.projects, id));
        let library_set = || text.parse::<LibrarySetId>().ok().and_then(|id| of(&space.library_sets, id));
        let lifecycle = || text.parse::<LifecycleId>().ok().and_then(|id| of(&space.lifecycles, id));
        let tag = || {
            let id: TagId = text.parse().ok()?;
            self.tags.get_or_init(|| tags(space)).get(&id).cloned()
        };
        let template = || {
            let id: TemplateId = text.parse().ok()?;
            self.templates.get_or_init(|| templates(space)).get(&id).cloned()
        };
        environment.or_else(project).or_else(library_set).or_else(lifecycle).or_else(tag).or_else(template)
    }
}

fn tags(space: &Space) -> BTreeMap<TagId, String> {
    let named = |set: &TagSet| {
        let name = |tag: &Tag| (tag.id, format!("{}/{}", set.name, tag.name));
        set.tags.iter().map(name).collect::<Vec<_>>()
    };
    space.tag_sets.iter().flat_map(named).collect()
}

fn templates(space: &Space) -> BTreeMap<TemplateId, String> {
    let named = |owner: &DisplayName, templates: &[Template], retired: &[RetiredTemplate]| {
        let gone = retired.iter().map(|template| (template.id, &template.name));
        let all = gone.chain(templates.iter().map(|template| (template.id, &template.name)));
        all.map(|(id, name)| (id, format!("{owner}/{name}"))).collect::<Vec<_>>()
    };
    let projects = space.projects.iter().flat_map(|one| named(&one.name, &one.templates, &one.retired));
    let sets = space.library_sets.iter().flat_map(|one| named(&one.name, &one.templates, &one.retired));
    projects.chain(sets).collect()
}
