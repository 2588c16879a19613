//! From tree to text.
//!
//! What a substitution yields is never parsed again: a value cannot become part of an expression. A value's own `#{…}`
//! is resolved inside that value, before anything is done with it, and sees no loop variables of the text around it.

mod collection;
mod evaluate;
mod insert;
mod name;
mod outcome;

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

pub use outcome::{RenderError, Rendered};

use collection::Local;
use name::Element;
use outcome::{Absence, Stop};

use crate::limits;
use crate::lookup::{Kind, Lookup, Value};
use crate::places::Places;
use crate::shell::Shell;
use crate::syntax::{Node, Template, fold};

/// How a text is to be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Render {
    /// The shell that runs the text, for the filter `Quoted`. Without one, what uses that filter stays as written; with
    /// one, what would insert data bare does, or where its filter does not protect, since it would be run (SEMANTICS 6).
    pub shell: Option<Shell>,
}

impl Template {
    /// Renders this text, which is code: what the people who write the process wrote.
    ///
    /// An error means that the limits of [`limits`] were reached; there is no usable text then.
    pub fn render(&self, lookup: &dyn Lookup, options: Render) -> Result<Rendered, RenderError> {
        let mut renderer = Renderer::new(lookup, options);
        let mut text = String::new();
        renderer.nodes(self, &self.nodes, &mut text)?;
        Ok(renderer.finish(text))
    }
}

/// The value of the variable `name`, rendered as its kind allows; `None` where it does not exist.
///
/// Unlike a template that consists of `#{name}` this takes any name, also one that the syntax has no way to write.
pub fn render_value(
    name: &str,
    lookup: &dyn Lookup,
    options: Render,
) -> Result<Option<Rendered>, RenderError> {
    let mut renderer = Renderer::new(lookup, options);
    let Some(value) = lookup.get(name) else {
        return Ok(None);
    };
    let text = match renderer.expand(name, &value) {
        Ok(text) => text,
        Err(Stop::Failed(error)) => return Err(error),
        // The first value cannot be inside itself.
        Err(Stop::Absent(absence)) => {
            renderer.rendered.note(absence);
            value.text.into_owned()
        }
    };
    Ok(Some(renderer.finish(text)))
}

/// One rendering, from its first text down to the values in values.
struct Renderer<'a> {
    lookup: &'a dyn Lookup,
    shell: Option<Shell>,
    /// Whether what is rendered just now is code or data.
    kind: Kind,
    /// What is left of [`limits::WORK`].
    work: usize,
    /// How deep in blocks, expressions and values it is.
    depth: usize,
    /// The values that are being rendered, outermost first, folded.
    inside: Vec<String>,
    /// Whether it is in a value whose text nobody may be told: a sensitive one, or data.
    hidden: bool,
    /// The loop variables in force, innermost last.
    locals: Vec<Local>,
    /// Whether data was read for the text that is being made.
    carries_data: bool,
    /// Where a text that is run has come to.
    places: Option<Places>,
    /// The data that it refers to, and how many bytes that is.
    referred: BTreeMap<String, usize>,
    referred_bytes: usize,
    rendered: Rendered,
}

impl<'a> Renderer<'a> {
    fn new(lookup: &'a dyn Lookup, options: Render) -> Self {
        Self {
            lookup,
            shell: options.shell,
            kind: Kind::Code,
            work: limits::WORK,
            depth: 0,
            inside: Vec::new(),
            hidden: false,
            locals: Vec::new(),
            carries_data: false,
            places: options.shell.map(Places::new),
            referred: BTreeMap::new(),
            referred_bytes: 0,
            rendered: Rendered::default(),
        }
    }

    fn finish(self, text: String) -> Rendered {
        let mut referred: Vec<_> = self.referred.into_iter().collect();
        referred.sort_by_key(|(_, place)| *place);
        let quoted = referred.into_iter().map(|(text, _)| text).collect();
        Rendered { text, quoted, ..self.rendered }
    }

    /// Pays for a step that reads or writes so many bytes.
    fn charge(&mut self, bytes: usize) -> Result<(), RenderError> {
        self.work = self.work.checked_sub(bytes + limits::STEP_WORK).ok_or(RenderError::TooMuchWork)?;
        Ok(())
    }

    fn write(&mut self, text: &str, output: &mut String) -> Result<(), RenderError> {
        self.charge(text.len())?;
        if output.len() + text.len() > limits::RENDERED_BYTES {
            return Err(RenderError::TooLarge);
        }
        output.push_str(text);
        if self.inside.is_empty()
            && let Some(places) = &mut self.places
        {
            places.pass(text);
        }
        Ok(())
    }

    /// Runs `step` by itself, and says whether its result carries data; what is around it hears nothing of that.
    fn apart<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let before = mem::replace(&mut self.carries_data, false);
        let result = step(self);
        (result, mem::replace(&mut self.carries_data, before))
    }

    /// Runs `step` one level deeper, or not at all where that is too deep.
    fn deeper<T>(
        &mut self,
        what: impl FnOnce() -> String,
        step: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.depth == limits::RENDER_DEPTH {
            return Err(Stop::Absent(Absence::Endless(what())));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }

    fn nodes(&mut self, template: &Template, nodes: &[Node], output: &mut String) -> Result<(), RenderError> {
        for node in nodes {
            self.charge(0)?;
            self.node(template, node, output)?;
        }
        Ok(())
    }

    fn node(&mut self, template: &Template, node: &Node, output: &mut String) -> Result<(), RenderError> {
        let written = |range: &Range<usize>| &template.source[range.clone()];
        let (result, source) = match node {
            Node::Text(source) => return self.write(written(source), output),
            Node::Substitution { expression, source } => {
                let shell = self.shell.filter(|_| self.inside.is_empty());
                let result = match shell {
                    Some(shell) => self.insert(shell, expression, written(source), output),
                    None => self
                        .expression(expression, written(source))
                        .and_then(|text| Ok(self.write(&text, output)?)),
                };
                (result, source)
            }
            Node::Choice { condition, truthy, falsy, tag, source } => {
                let result = self.condition(condition, written(tag)).and_then(|holds| {
                    let branch = if holds { truthy } else { falsy };
                    self.block(template, branch, written(tag), output)
                });
                (result, source)
            }
            Node::Repetition { variable, collection, body, tag, source } => {
                let (elements, data) = self.apart(|renderer| renderer.elements(collection));
                let result = match elements {
                    Ok(elements) => self.repeat(variable, elements, data, |renderer| {
                        renderer.block(template, body, written(tag), output)
                    }),
                    // As in Octostache there is nothing to go through then, and nothing missing.
                    Err(Stop::Absent(Absence::Unknown(_))) => Ok(()),
                    Err(stop) => Err(stop),
                };
                (result, source)
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(stop) => self.leave(stop, written(source), output),
        }
    }

    /// The nodes inside of a block.
    fn block(
        &mut self,
        template: &Template,
        nodes: &[Node],
        tag: &str,
        output: &mut String,
    ) -> Result<(), Stop> {
        self.deeper(|| tag.to_owned(), |renderer| Ok(renderer.nodes(template, nodes, output)?))
    }

    /// Runs `step` once for each element, with `variable` standing for it; `data` says whether any of them is.
    fn repeat(
        &mut self,
        variable: &str,
        elements: Vec<Element>,
        data: bool,
        mut step: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let count = elements.len();
        for (index, element) in elements.into_iter().enumerate() {
            self.charge(variable.len())?;
            let last = index + 1 == count;
            self.locals.push(Local { folded: fold(variable), element, data, index, last });
            let result = step(self);
            self.locals.pop();
            result?;
        }
        Ok(())
    }

    /// Leaves a piece of the text as it was written, and notes why, unless what is written there may be a secret.
    fn leave(&mut self, stop: Stop, source: &str, output: &mut String) -> Result<(), RenderError> {
        match stop {
            Stop::Failed(error) => Err(error),
            Stop::Absent(absence) => {
                if !self.hidden {
                    self.rendered.note(absence);
                }
                self.write(source, output)
            }
        }
    }

    /// A value's text with its own `#{…}` resolved.
    fn expand(&mut self, name: &str, value: &Value<'_>) -> Result<String, Stop> {
        self.charge(value.text.len())?;
        if !value.text.contains("#{") {
            return Ok(value.text.as_ref().to_owned());
        }
        let folded = fold(name);
        if self.inside.contains(&folded) {
            return Err(Stop::Absent(Absence::Endless(name.to_owned())));
        }
        self.deeper(
            || name.to_owned(),
            |renderer| {
                renderer.charge(limits::EXPANSION_WORK)?;
                let template = Template::parse(&value.text);
                let kind = mem::replace(&mut renderer.kind, value.kind);
                let hides = renderer.hidden || value.sensitive || value.kind == Kind::Data;
                let hidden = mem::replace(&mut renderer.hidden, hides);
                let locals = mem::take(&mut renderer.locals);
                renderer.inside.push(folded);
                let mut text = String::new();
                let result = renderer.nodes(&template, &template.nodes, &mut text);
                renderer.inside.pop();
                renderer.locals = locals;
                renderer.kind = kind;
                renderer.hidden = hidden;
                result?;
                Ok(text)
            },
        )
    }
}
