//! Which variables a step needs: only those travel (SEMANTICS 6), and which a tenant has not filled.

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::names::fold;
use windlass_templates::{Reference, Template as Text};

use super::resolve::{Context, Resolution, resolve};
use crate::model::{Snapshot, StoredValue};

/// Names and prefixes of names that a step reads, closed over what the values refer to in turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The variables, by folded name, as they are spelled where they are defined or used.
    pub names: BTreeMap<String, String>,
    /// Names that nothing defines here, and beginnings of names, folded: what steps set may have them.
    outputs: BTreeSet<String>,
}

impl Needs {
    /// What `written` (names as they stand in the step, its hooks and files) comes to in `context`. A name that ends
    /// with `[` or `.` stands for all variables that begin with it. What a tenant's own value refers to is not followed:
    /// it never makes another value travel (SEMANTICS 6).
    pub fn of(written: &BTreeSet<String>, context: &Context<'_, '_>) -> Self {
        let mut needs = Self::default();
        let (mut open, mut met) = (Vec::new(), BTreeSet::new());
        // A thousand that all refer to each other are a million references: each name is open once.
        let mut meet = |open: &mut Vec<String>, names: &mut dyn Iterator<Item = String>| {
            open.extend(names.filter(|name| met.insert(fold(name))));
        };
        meet(&mut open, &mut written.iter().cloned());
        while let Some(name) = open.pop() {
            if name.ends_with(['[', '.']) {
                if !needs.outputs.contains(&as_output(&name)) {
                    meet(&mut open, &mut names_with_prefix(context.snapshot, &name).into_iter());
                    // Where none of them is what is asked for at last, it is a member of the JSON that they would be in.
                    meet(&mut open, &mut needs.undefined(&name, context).into_iter());
                }
                continue;
            }
            match resolve(&name, context) {
                Resolution::Value(candidate, _) if candidate.is_data() => {}
                Resolution::Value(candidate, _) => {
                    meet(&mut open, &mut references(candidate.value).into_iter())
                }
                Resolution::Undefined => meet(&mut open, &mut needs.undefined(&name, context).into_iter()),
                Resolution::Ambiguous(..) => {}
            }
            needs.names.insert(fold(&name), name);
        }
        needs
    }

    /// What no variable defines is what a step set, or lies in the JSON of the longest part of its name that is one or
    /// the other: `Foo` for `Foo.Bar`. That variable, if there is one.
    fn undefined(&mut self, name: &str, context: &Context<'_, '_>) -> Option<String> {
        self.outputs.insert(as_output(name));
        let reference = Reference::Name(name.to_owned());
        for holder in reference.holders() {
            if !matches!(resolve(holder, context), Resolution::Undefined) {
                return Some(holder.to_owned());
            }
            self.outputs.insert(as_output(holder));
        }
        None
    }

    /// Whether an output variable is read by this name, its own or its full one.
    pub(super) fn reads_output(&self, name: &str) -> bool {
        let name = as_output(name);
        let mut beginnings = name.match_indices(['[', '.']).map(|(at, _)| &name[..=at]);
        self.outputs.contains(&name) || beginnings.any(|beginning| self.outputs.contains(beginning))
    }
}

/// How names of output variables are compared: the full ones may be written in Octopus's way as well.
fn as_output(name: &str) -> String {
    let name = fold(name);
    name.strip_prefix("octopus.").map_or(name.clone(), |rest| format!("windlass.{rest}"))
}

/// The variables that a value refers to.
pub(super) fn references(value: &StoredValue) -> BTreeSet<String> {
    match value {
        StoredValue::Plain(text) => references_in(text),
        StoredValue::Sealed(sealed) => sealed.references.clone(),
    }
}

/// The variables that a text refers to by `#{…}`; a prefix ends with `[` or `.`.
pub fn references_in(text: &str) -> BTreeSet<String> {
    let written = Text::parse(text).references();
    let name = |reference| match reference {
        Reference::Name(name) | Reference::Prefix(name) => name,
    };
    written.into_iter().map(name).collect()
}

/// The variables and templates whose name begins so.
pub fn names_with_prefix(snapshot: &Snapshot, prefix: &str) -> Vec<String> {
    snapshot.beginning(prefix).iter().map(|found| found.name().to_owned()).collect()
}

/// The templates without a value for the context: neither the tenant's nor a default, nor an applicable variable.
pub fn missing(context: &Context<'_, '_>) -> Vec<String> {
    let sets = context.snapshot.library_sets.iter().flat_map(|set| &set.templates);
    let templates = context.snapshot.templates.iter().chain(sets);
    let unfilled =
        templates.filter(|template| matches!(resolve(&template.name, context), Resolution::Undefined));
    unfilled.map(|template| template.name.clone()).collect()
}
