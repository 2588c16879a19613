//! From a name in a template to the text that it stands for.
//!
//! A variable of exactly that name comes first. Otherwise the longest part of the name that is a variable is taken for
//! JSON, and the rest for the way to a member of it.

use super::outcome::{Absence, Stop};
use super::{RenderError, Renderer};
use crate::json;
use crate::lookup::{Kind, Value};
use crate::syntax::{Special, Step, Symbol, fold};

/// One thing that a loop comes by.
#[derive(Clone)]
pub(super) enum Element {
    /// The variables `Collection[key]…`.
    Named { name: String, key: String },
    /// An element of a JSON array, or of a list with commas. It is rendered already.
    Text(String),
    /// A member of a JSON object. It is rendered already.
    Member { key: String, value: String },
}

/// A name with all its indexes known.
pub(super) enum Path {
    /// A variable, or a member of one.
    Variable(Name),
    /// A text that a loop goes through, and the way to a member of it.
    Inside(Element, Vec<String>),
    /// Something that loops know about themselves.
    Told(String),
}

/// The name of a variable, taken apart.
#[derive(Default)]
pub(super) struct Name {
    /// The whole name.
    pub(super) text: String,
    /// Where each further step begins in it, and the step's own text.
    steps: Vec<(usize, String)>,
    /// What stands for the name where no variable of it exists: the key of the element that it belongs to.
    key: Option<String>,
}

impl Name {
    fn step(&mut self, opening: &str, step: String, closing: &str) {
        let start = self.text.len();
        self.text.extend([opening, &step, closing]);
        self.steps.push((start, step));
    }
}

impl<'a> Renderer<'a> {
    /// The text that a name stands for.
    pub(super) fn symbol(&mut self, symbol: &Symbol) -> Result<String, Stop> {
        let path = self.path(symbol)?;
        let found = match path {
            Path::Told(text) => Some(text),
            Path::Inside(element, keys) => self.inside_element(element, &keys)?,
            Path::Variable(name) => self.variable(&name)?,
        };
        found.ok_or_else(|| Stop::Absent(Absence::Unknown(symbol.to_string())))
    }

    /// Evaluates the indexes of a name, and replaces a loop variable at its head by what it stands for.
    pub(super) fn path(&mut self, symbol: &Symbol) -> Result<Path, Stop> {
        let folded = fold(&symbol.head);
        let local = self.locals.iter().rev().find(|local| local.folded == folded);
        let mut path = match local.map(|local| (local.element.clone(), local.data)) {
            Some((element, data)) => {
                self.carries_data |= data;
                self.charge(element.len())?;
                match element {
                    Element::Named { name, key } => {
                        Path::Variable(Name { text: name, key: Some(key), ..Name::default() })
                    }
                    text => Path::Inside(text, Vec::new()),
                }
            }
            None => match (self.locals.last(), symbol.as_special()) {
                (Some(local), Some(Special::Index)) => return Ok(Path::Told(local.index.to_string())),
                (Some(local), Some(Special::First)) => return Ok(Path::Told(truth(local.index == 0))),
                (Some(local), Some(Special::Last)) => return Ok(Path::Told(truth(local.last))),
                _ => Path::Variable(Name { text: symbol.head.clone(), ..Name::default() }),
            },
        };
        for step in &symbol.steps {
            self.step(&mut path, step, symbol)?;
        }
        Ok(path)
    }

    fn step(&mut self, path: &mut Path, step: &Step, symbol: &Symbol) -> Result<(), Stop> {
        let unknown = || Stop::Absent(Absence::Unknown(symbol.to_string()));
        let (step, is_name) = match step {
            Step::Name(name) => (name.clone(), true),
            Step::Key(key) => (key.clone(), false),
            Step::Computed(index) => {
                let (key, _) = self.apart(|renderer| renderer.expression(index, &symbol.to_string()));
                let key = key?;
                // It must stay one key: `a].Password` would read what the template does not name.
                (is_balanced(&key).then_some(key).ok_or_else(unknown)?, false)
            }
            Step::Any => match path {
                Path::Variable(name) => {
                    let keys = self.keys(&name.text)?;
                    (keys.into_iter().next().ok_or_else(unknown)?, false)
                }
                _ => return Err(unknown()),
            },
        };
        self.charge(step.len())?;
        match path {
            Path::Variable(name) if is_name => name.step(".", step, ""),
            Path::Variable(name) => name.step("[", step, "]"),
            Path::Inside(_, keys) => keys.push(step),
            Path::Told(_) => return Err(unknown()),
        }
        Ok(())
    }

    /// The text of a variable, or of a member of its longest part that is one.
    pub(super) fn variable(&mut self, name: &Name) -> Result<Option<String>, Stop> {
        if let Some(value) = self.get(&name.text)? {
            return self.expand(&name.text, &value).map(Some);
        }
        for (at, (start, _)) in name.steps.iter().enumerate().rev() {
            let holder = &name.text[..*start];
            if let Some(value) = self.get(holder)? {
                let text = self.held(holder, &value)?;
                let keys = name.steps[at..].iter().map(|(_, step)| step.as_str());
                if let Some(found) = self.member(text, keys)? {
                    return Ok(Some(found));
                }
                break;
            }
        }
        let is_key = match name.steps.as_slice() {
            [] => true,
            [(_, step)] => step.eq_ignore_ascii_case("key"),
            _ => false,
        };
        Ok(name.key.clone().filter(|_| is_key))
    }

    /// A value as the JSON it is. Inside itself it is taken as written, so that its members may refer to each other.
    fn held(&mut self, holder: &str, value: &Value<'_>) -> Result<String, Stop> {
        if self.inside.contains(&fold(holder)) {
            self.charge(value.text.len())?;
            return Ok(value.text.as_ref().to_owned());
        }
        self.expand(holder, value)
    }

    fn inside_element(&mut self, element: Element, keys: &[String]) -> Result<Option<String>, RenderError> {
        let keys = keys.iter().map(String::as_str);
        match element {
            Element::Text(text) => self.member(text, keys),
            Element::Member { key, value } => {
                let mut keys = keys;
                match keys.next() {
                    None => Ok(Some(key)),
                    Some(word) if word.eq_ignore_ascii_case("key") && keys.len() == 0 => Ok(Some(key)),
                    Some(word) if word.eq_ignore_ascii_case("value") => self.member(value, keys),
                    Some(_) => Ok(None),
                }
            }
            Element::Named { .. } => Ok(None),
        }
    }

    /// Follows `keys` into `text`, which is JSON unless there are none.
    fn member<'k>(
        &mut self,
        text: String,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Option<String>, RenderError> {
        let mut text = text;
        for key in keys {
            self.charge(text.len())?;
            match json::member(&text, key) {
                Some(found) => text = found,
                None => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// The value of a variable, as far as what is being rendered may see it, which carries data if it is.
    pub(super) fn get(&mut self, name: &str) -> Result<Option<Value<'a>>, RenderError> {
        self.charge(name.len())?;
        let found = match self.kind {
            Kind::Code => self.lookup.get(name),
            Kind::Data => {
                let own = self.lookup.get_for_data(name);
                own.map(|text| Value { text, kind: Kind::Data, sensitive: false })
            }
        };
        self.carries_data |= found.as_ref().is_some_and(|value| value.kind == Kind::Data);
        Ok(found)
    }
}

fn truth(holds: bool) -> String {
    if holds { "True" } else { "False" }.to_owned()
}

/// Whether every bracket that closes was opened before.
fn is_balanced(key: &str) -> bool {
    let mut open = 0_usize;
    for byte in key.bytes() {
        match byte {
            b'[' => open += 1,
            b']' if open == 0 => return false,
            b']' => open -= 1,
            _ => {}
        }
    }
    open == 0
}
