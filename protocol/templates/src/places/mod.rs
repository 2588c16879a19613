//! Where in a script what is inserted would stand: as a word of it, inside quotes, or where nothing is safe.
//!
//! A literal protects as a word of its own and nowhere else: inside quotes, comments, here-documents or arithmetic the
//! text around it decides what it means (SEMANTICS 6, "A tenant's value is data, not code"). So a script is read as its
//! shell would read it, up to each place. What cannot be told for certain admits nothing. That a literal is delivered
//! by reference ([`Shell::reference`](crate::Shell)) is a second wall and no replacement: in arithmetic, `[[ ]]` or `eval`
//! a shell runs what a variable holds.

mod course;
mod posix;
mod pwsh;
mod python;

pub(crate) use course::Course;
use posix::Posix;
use pwsh::Pwsh;
use python::Python;

use crate::filters::Escape;
use crate::shell::Shell;

/// How many ways there may be to come to one place of a template before nothing is certain there.
const MOST_WAYS: usize = 8;

/// Where a script is, as one shell reads it.
#[derive(Clone, PartialEq, Eq)]
enum Reader {
    Posix(Posix),
    Python(Python),
    Pwsh(Pwsh),
}

impl Reader {
    fn new(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Posix(Posix::new(true)),
            Shell::Sh => Self::Posix(Posix::new(false)),
            Shell::Python => Self::Python(Python::default()),
            Shell::Pwsh => Self::Pwsh(Pwsh::default()),
        }
    }

    fn pass(&mut self, text: &str) {
        for character in text.chars() {
            match self {
                Self::Posix(posix) => posix.pass(character),
                Self::Python(python) => python.pass(character),
                Self::Pwsh(pwsh) => pwsh.pass(character),
            }
        }
    }

    fn pass_word(&mut self) {
        match self {
            Self::Posix(posix) => posix.pass_word(),
            Self::Python(python) => python.pass_word(),
            Self::Pwsh(pwsh) => pwsh.pass_word(),
        }
    }

    fn admits(&self, escape: Escape) -> bool {
        match (self, escape) {
            (_, Escape::Answer) => true,
            (Self::Posix(posix), Escape::Literal) => posix.admits_word(),
            (Self::Posix(posix), Escape::Letters) => posix.admits_letters(),
            (Self::Python(python), Escape::Literal) => python.admits_word(),
            (Self::Python(python), Escape::Letters) => python.admits_letters(),
            (Self::Pwsh(pwsh), Escape::Literal) => pwsh.admits_word(),
            (Self::Pwsh(pwsh), Escape::Letters) => pwsh.admits_letters(),
        }
    }
}

/// The place that a script has come to: one for each way that leads there.
#[derive(Clone)]
pub(crate) struct Places {
    /// None where nothing is certain any more.
    readers: Vec<Reader>,
}

impl Places {
    /// The beginning of a script.
    pub(crate) fn new(shell: Shell) -> Self {
        Self { readers: vec![Reader::new(shell)] }
    }

    /// Goes on over text of the script.
    pub(crate) fn pass(&mut self, text: &str) {
        for reader in &mut self.readers {
            reader.pass(text);
        }
        self.merge();
    }

    /// Goes on over something inserted that is taken for part of a word, or for text between quotes.
    pub(crate) fn pass_word(&mut self) {
        for reader in &mut self.readers {
            reader.pass_word();
        }
        self.merge();
    }

    /// Whether what was made harmless in this way stays so here, whichever way led here.
    pub(crate) fn admits(&self, escape: Escape) -> bool {
        let answer = escape == Escape::Answer;
        answer || (!self.readers.is_empty() && self.readers.iter().all(|reader| reader.admits(escape)))
    }

    /// Whether every way of `other` is one of these.
    pub(crate) fn contain(&self, other: &Self) -> bool {
        self.readers.is_empty() || {
            !other.readers.is_empty() && other.readers.iter().all(|reader| self.readers.contains(reader))
        }
    }

    /// Adds the ways that led to `other`.
    pub(crate) fn join(&mut self, other: Self) {
        if self.readers.is_empty() || other.readers.is_empty() {
            self.lose();
            return;
        }
        self.readers.extend(other.readers);
        self.merge();
    }

    /// Forgets where it is.
    pub(crate) fn lose(&mut self) {
        self.readers.clear();
    }

    fn merge(&mut self) {
        let mut kept: Vec<Reader> = Vec::with_capacity(self.readers.len());
        for reader in std::mem::take(&mut self.readers) {
            if !kept.contains(&reader) {
                kept.push(reader);
            }
        }
        if kept.len() <= MOST_WAYS {
            self.readers = kept;
        }
    }
}
