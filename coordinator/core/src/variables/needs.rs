//! Which variables a step needs: only those travel (SEMANTICS 6), and which a tenant has not filled.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::Control;
use windlass_protocol::names::fold;
use windlass_templates::{Reference, Template as Text};

use super::resolve::{Context, Resolution, resolve};
use crate::model::{Snapshot, StoredValue};

/// Names and prefixes of names that a step reads, closed over what the values refer to in turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The variables, by folded name, as they are spelled where they are defined or used.
    pub names: BTreeMap<String, String>,
}

impl Needs {
    /// What `written` (names as they stand in the step, its hooks and files) comes to in `context`. A name that ends
    /// with `[` or `.` stands for all variables that begin with it. What a tenant's own value refers to is not followed:
    /// it never makes another value travel (SEMANTICS 6).
    pub fn of(written: &BTreeSet<String>, context: &Context<'_, '_>) -> Self {
        let mut needs = Self::default();
        let mut open: Vec<String> = written.iter().cloned().collect();
        while let Some(name) = open.pop() {
            if name.ends_with(['[', '.']) {
                open.extend(names_with_prefix(context.snapshot, &name));
                continue;
            }
            if needs.names.contains_key(&fold(&name)) {
                continue;
            }
            match resolve(&name, context) {
                Resolution::Value(candidate, _) if candidate.is_data() => {}
                Resolution::Value(candidate, _) => open.extend(references(candidate.value)),
                // `Foo.Bar` may be a member of the JSON in `Foo`: then it is `Foo` that is needed.
                Resolution::Undefined => open.extend(holder(&name, context)),
                Resolution::Ambiguous(..) => {}
            }
            needs.names.insert(fold(&name), name);
        }
        needs
    }
}

/// The variables that a value refers to.
fn references(value: &StoredValue) -> BTreeSet<String> {
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

/// The first defined variable whose JSON value `name` may be a member of.
fn holder(name: &str, context: &Context<'_, '_>) -> Option<String> {
    let defined = |holder: &&str| !matches!(resolve(holder, context), Resolution::Undefined);
    let reference = Reference::Name(name.to_owned());
    reference.holders().into_iter().find(defined).map(str::to_owned)
}

/// A sensitive variable of this name, or that begins so if it ends with `[`: one with a sensitive value in whatever scope,
/// or a template that tenants fill with one.
pub fn sensitive(snapshot: &Snapshot, name: &str) -> Option<String> {
    let names = if name.ends_with('[') { names_with_prefix(snapshot, name) } else { vec![name.to_owned()] };
    let sets = &snapshot.library_sets;
    let is_sensitive = |name: &String| {
        let mut variables = snapshot.variables.iter().chain(sets.iter().flat_map(|set| &set.variables));
        let mut templates = snapshot.templates.iter().chain(sets.iter().flat_map(|set| &set.templates));
        variables.any(|variable| {
            fold(&variable.name) == fold(name)
                && variable.values.iter().any(|scoped| scoped.value.is_sensitive())
        }) || templates
            .any(|template| fold(&template.name) == fold(name) && template.control == Control::Sensitive)
    };
    names.into_iter().find(is_sensitive)
}

/// The variables and templates whose name begins so.
pub fn names_with_prefix(snapshot: &Snapshot, prefix: &str) -> Vec<String> {
    let prefix = fold(prefix);
    let sets = &snapshot.library_sets;
    let variables = snapshot.variables.iter().chain(sets.iter().flat_map(|set| &set.variables));
    let templates = snapshot.templates.iter().chain(sets.iter().flat_map(|set| &set.templates));
    let names = variables.map(|variable| &variable.name).chain(templates.map(|template| &template.name));
    names.filter(|name| fold(name).starts_with(&prefix)).cloned().collect()
}

/// The templates without a value for the context: neither the tenant's nor a default, nor an applicable variable.
pub fn missing(context: &Context<'_, '_>) -> Vec<String> {
    let sets = context.snapshot.library_sets.iter().flat_map(|set| &set.templates);
    let templates = context.snapshot.templates.iter().chain(sets);
    let unfilled =
        templates.filter(|template| matches!(resolve(&template.name, context), Resolution::Undefined));
    unfilled.map(|template| template.name.clone()).collect()
}
