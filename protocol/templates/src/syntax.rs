//! A parsed text as a tree. How it comes about is in `parse`; what is done with it in `walk` and `render`.

use std::fmt;
use std::ops::Range;

use crate::filters::Filter;
use crate::problem::Problem;

/// A parsed text. It has no `Debug`, since the text may be a secret.
#[derive(Clone)]
pub struct Template {
    pub(crate) source: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) problems: Vec<Problem>,
}

impl Template {
    /// What in the text is not well-formed and so stays literal; the first [`limits::PROBLEMS`](crate::limits::PROBLEMS).
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// One piece of a template. Ranges are byte ranges of the source.
#[derive(Clone)]
pub(crate) enum Node {
    /// Stays as it is.
    Text(Range<usize>),
    /// `#{Expression}`.
    Substitution { expression: Expression, source: Range<usize> },
    /// `#{if}` or `#{unless}`; the latter has its branches swapped. The opening tag is a part of the source.
    Choice {
        condition: Box<Condition>,
        truthy: Vec<Node>,
        falsy: Vec<Node>,
        tag: Range<usize>,
        source: Range<usize>,
    },
    /// `#{each}`.
    Repetition {
        variable: String,
        collection: Symbol,
        body: Vec<Node>,
        tag: Range<usize>,
        source: Range<usize>,
    },
}

/// A symbol and the filters that it goes through. Without a symbol (`#{ | Append x}`) the first filter gets nothing.
#[derive(Clone)]
pub(crate) struct Expression {
    pub(crate) symbol: Option<Symbol>,
    pub(crate) filters: Vec<Call>,
}

/// A filter with its arguments.
#[derive(Clone)]
pub(crate) struct Call {
    /// `None` where no such filter exists.
    pub(crate) filter: Option<Filter>,
    pub(crate) arguments: Vec<Operand>,
}

/// A literal, or something to be evaluated.
#[derive(Clone)]
pub(crate) enum Operand {
    Text(String),
    Expression(Expression),
}

/// What decides a [`Node::Choice`].
#[derive(Clone)]
pub(crate) struct Condition {
    pub(crate) left: Expression,
    /// What the left side is compared with, and whether it has to be equal. Otherwise its truthiness decides.
    pub(crate) comparison: Option<(bool, Operand)>,
}

/// A name: `Foo.Bar[key][#{Other}].Baz`.
#[derive(Clone)]
pub(crate) struct Symbol {
    /// The first identifier.
    pub(crate) head: String,
    pub(crate) steps: Vec<Step>,
}

/// A further part of a name.
#[derive(Clone)]
pub(crate) enum Step {
    /// `.identifier`.
    Name(String),
    /// `[key]`, where brackets in the key are balanced.
    Key(String),
    /// `[*]`: the first there is.
    Any,
    /// `[#{…}]`.
    Computed(Expression),
}

impl fmt::Display for Symbol {
    /// The name as written; what an index evaluates to is not part of it, since that may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.head)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(formatter, ".{name}")?,
                Step::Key(key) => write!(formatter, "[{key}]")?,
                Step::Any => formatter.write_str("[*]")?,
                Step::Computed(Expression { symbol: Some(symbol), .. }) => {
                    write!(formatter, "[#{{{symbol}}}]")?
                }
                Step::Computed(_) => formatter.write_str("[#{…}]")?,
            }
        }
        Ok(())
    }
}

/// A name as it is compared.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// What `#{each}` tells about where it stands.
#[derive(Clone, Copy)]
pub(crate) enum Special {
    Index,
    First,
    Last,
}

impl Symbol {
    /// Which of the names that mean something inside `#{each}` this is.
    pub(crate) fn as_special(&self) -> Option<Special> {
        let special = |part: &str| match fold(part).as_str() {
            "index" => Some(Special::Index),
            "first" => Some(Special::First),
            "last" => Some(Special::Last),
            _ => None,
        };
        match self.steps.as_slice() {
            [Step::Name(template), Step::Name(each), Step::Name(part)]
                if fold(&self.head) == "octopus" && fold(template) == "template" && fold(each) == "each" =>
            {
                special(part)
            }
            _ => None,
        }
    }
}
