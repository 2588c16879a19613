//! What rendering ends with.

use std::collections::BTreeSet;

/// A rendered text, and what in it stayed as written. It has no `Debug`, since the text may hold secrets; the sets
/// hold names and tags as they are written in templates, neither the text around them nor what they stand for, and
/// nothing at all that is written in data or in a sensitive value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// Names that have no value.
    pub unknown: BTreeSet<String>,
    /// Names whose values lead back to themselves, and what lies deeper than
    /// [`limits::RENDER_DEPTH`](crate::limits::RENDER_DEPTH).
    pub endless: BTreeSet<String>,
    /// Expressions with a filter that does not exist, or that cannot do what it was asked.
    pub unapplied: BTreeSet<String>,
    /// Expressions that would have put data into a text that a shell runs, as code.
    pub bare: BTreeSet<String>,
    /// Expressions whose filter makes data harmless, but not where they stand: inside quotes, say.
    pub misplaced: BTreeSet<String>,
    /// Data that the text refers to instead of having it in itself: [`Shell::definitions`](crate::Shell::definitions)
    /// has to stand before it.
    pub quoted: Vec<String>,
}

/// Why a text could not be rendered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Beyond [`limits::WORK`](crate::limits::WORK).
    #[error("substituting takes too much work: values multiply each other")]
    TooMuchWork,
    /// Beyond [`limits::RENDERED_BYTES`](crate::limits::RENDERED_BYTES).
    #[error("substituting makes the text larger than {} bytes", crate::limits::RENDERED_BYTES)]
    TooLarge,
}

/// Why an expression stays as written.
pub(super) enum Absence {
    Unknown(String),
    Endless(String),
    Unapplied(String),
    Bare(String),
    Misplaced(String),
}

/// Why something has no text: an expression that stays as written, or the end of everything.
pub(super) enum Stop {
    Absent(Absence),
    Failed(RenderError),
}

impl Stop {
    pub(super) fn unapplied(source: &str) -> Self {
        Self::Absent(Absence::Unapplied(source.to_owned()))
    }
}

impl From<RenderError> for Stop {
    fn from(error: RenderError) -> Self {
        Self::Failed(error)
    }
}

impl Rendered {
    /// Whether nothing stayed as written for want of a value or a filter, or because it would have been run.
    pub fn is_complete(&self) -> bool {
        self.unknown.is_empty()
            && self.endless.is_empty()
            && self.unapplied.is_empty()
            && self.bare.is_empty()
            && self.misplaced.is_empty()
    }

    pub(super) fn note(&mut self, absence: Absence) {
        match absence {
            Absence::Unknown(name) => self.unknown.insert(name),
            Absence::Endless(name) => self.endless.insert(name),
            Absence::Unapplied(expression) => self.unapplied.insert(expression),
            Absence::Bare(expression) => self.bare.insert(expression),
            Absence::Misplaced(expression) => self.misplaced.insert(expression),
        };
    }
}
