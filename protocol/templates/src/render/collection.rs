//! What `#{each}` goes through: variables with an index, JSON, or a list with commas.

use std::collections::BTreeSet;

use super::name::{Element, Path};
use super::outcome::Stop;
use super::{RenderError, Renderer};
use crate::json::{self, Elements};
use crate::limits;
use crate::syntax::{Symbol, fold};

impl Element {
    /// How many bytes a copy of it takes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Named { name: text, key } | Self::Member { key, value: text } => text.len() + key.len(),
            Self::Text(text) => text.len(),
        }
    }
}

/// A loop variable in force.
pub(super) struct Local {
    pub(super) folded: String,
    pub(super) element: Element,
    /// Whether it is data: what it stands for, or the name that it is found by.
    pub(super) data: bool,
    pub(super) index: usize,
    pub(super) last: bool,
}

impl Renderer<'_> {
    /// All elements of a collection. Variables with an index come before the collection's own value.
    pub(super) fn elements(&mut self, collection: &Symbol) -> Result<Vec<Element>, Stop> {
        if let Path::Variable(name) = self.path(collection)? {
            let keys = self.keys(&name.text)?;
            if !keys.is_empty() {
                let named = |key| Element::Named { name: format!("{}[{key}]", name.text), key };
                return Ok(keys.into_iter().map(named).collect());
            }
        }
        let text = self.symbol(collection)?;
        // No text has more elements than commas and one.
        self.charge(text.len() + text.matches(',').count() * limits::ELEMENT_WORK)?;
        Ok(match json::elements(&text) {
            Some(Elements::Values(values)) => values.into_iter().map(Element::Text).collect(),
            Some(Elements::Members(members)) => {
                members.into_iter().map(|(key, value)| Element::Member { key, value }).collect()
            }
            None => text.split(',').map(|part| Element::Text(part.to_owned())).collect(),
        })
    }

    /// The keys with which `name` is indexed, each once, in the order of the lookup.
    pub(super) fn keys(&mut self, name: &str) -> Result<Vec<String>, RenderError> {
        let prefix = format!("{name}[");
        let (mut seen, mut keys) = (BTreeSet::new(), Vec::new());
        for found in self.lookup.names_with_prefix(&prefix) {
            // Even the existence of what data may not read is none of its business.
            if self.get(&found)?.is_none() {
                continue;
            }
            if let Some(key) = found.get(prefix.len()..).and_then(first_key)
                && seen.insert(fold(key))
            {
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }
}

/// The key that `rest` begins with, up to the bracket that closes it.
fn first_key(rest: &str) -> Option<&str> {
    let mut open = 0_usize;
    let end = rest.bytes().position(|byte| {
        match byte {
            b'[' => open += 1,
            b']' if open == 0 => return true,
            b']' => open -= 1,
            _ => {}
        }
        false
    });
    end.map(|end| &rest[..end])
}
