//! Sensitive values that would come into a text in clear (SEMANTICS 6).

use std::collections::BTreeSet;

use windlass_api::documents::Control;
use windlass_protocol::names::fold;
use windlass_templates::Reference;

use super::leads::{Found, leading};
use super::needs::references;
use crate::model::{Named, Snapshot};

/// A sensitive value that a text inserts.
#[derive(Debug, PartialEq, Eq)]
pub struct Secret<'n> {
    /// The name by which the text inserts it; all that begin so, where it ends with `[`.
    pub inserted: &'n str,
    /// The variable or template that is sensitive.
    pub name: String,
}

impl Secret<'_> {
    /// Whether it comes through the value of something else.
    pub fn is_through_another(&self) -> bool {
        let (inserted, name) = (fold(self.inserted), fold(&self.name));
        if inserted.ends_with('[') { !name.starts_with(&inserted) } else { name != inserted }
    }
}

/// What of these names inserts something sensitive for anybody, itself or through what any value of it refers to: a
/// variable with a sensitive value in whatever scope, or a template that tenants fill with one. What tenants fill in is
/// not followed, here as everywhere.
pub fn secret_in<'n>(snapshot: &Snapshot, names: &'n BTreeSet<String>) -> Option<Secret<'n>> {
    let secrets = leading(names.iter().cloned(), |name| look(snapshot, name));
    names.iter().find_map(|inserted| Some(Secret { inserted, name: secrets.get(&fold(inserted))?.clone() }))
}

fn look(snapshot: &Snapshot, name: &str) -> Found<String> {
    let prefix = name.ends_with('[');
    let defined = if prefix { snapshot.beginning(name) } else { snapshot.called(name) };
    let mut inside = BTreeSet::new();
    let mut everywhere = false;
    for found in defined {
        let sensitive = match found.named {
            Named::Variable(variable) => {
                everywhere |= variable.values.iter().any(|scoped| scoped.scope.is_everywhere());
                variable.values.iter().any(|scoped| scoped.value.is_sensitive())
            }
            Named::Template(template) => {
                everywhere = true;
                template.control == Control::Sensitive
            }
        };
        if sensitive {
            return Found::Itself(found.name().to_owned());
        }
        inside.extend(match found.named {
            Named::Variable(variable) => {
                variable.values.iter().flat_map(|scoped| references(&scoped.value)).collect()
            }
            Named::Template(template) => template.default.as_ref().map(references).unwrap_or_default(),
        });
    }
    // Where nothing defines it, it lies in the JSON of the longest part of its name that something does.
    if prefix || !everywhere {
        let reference = Reference::Name(name.to_owned());
        let holder = reference.holders().into_iter().find(|holder| !snapshot.called(holder).is_empty());
        inside.extend(holder.map(str::to_owned));
    }
    Found::Inside(inside)
}
