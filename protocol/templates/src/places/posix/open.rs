//! What can be open in a shell script, and the words that it interrupts.

use super::Position;
use super::document::Document;
use super::word::{Takes, Word};

/// Something that was opened and not closed yet.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// Commands in `( )`, `$( )`, `<( )`.
    Parenthesis {
        outer: Outer,
    },
    /// `name=( )`.
    Array {
        outer: Outer,
    },
    /// `(( ))` and `$(( ))`, with how many parentheses are open.
    Arithmetic {
        depth: isize,
        outer: Outer,
    },
    /// `${ }`.
    Brace,
    /// `case` up to `esac`.
    Case(Case),
    /// `[[ ]]`.
    Test,
    /// `" "`.
    Double,
    /// `' '`.
    Single,
    /// `$' '`.
    Ansi,
    /// `` ` ` ``.
    Backtick,
    /// `#` to the end of the line.
    Comment,
    Document(Document),
}

/// How far a `case` is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Subject,
    In,
    Pattern,
    Body,
}

/// The words of a list of commands.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Outer {
    /// The word that is being read.
    pub(super) word: Word,
    pub(super) position: Position,
    /// What the command makes of its arguments.
    takes: Takes,
    /// Whether the word is the file of a redirection.
    pub(super) redirected: bool,
    /// What an `&` ended, in case that it belongs to `&>`.
    before_ampersand: (Position, Takes),
    /// Whether the word before names a variable to come, such as `-v`.
    names_next: bool,
}

impl Default for Outer {
    fn default() -> Self {
        Self {
            word: Word::default(),
            position: Position::Command,
            takes: Takes::Words,
            redirected: false,
            before_ampersand: (Position::Command, Takes::Words),
            names_next: false,
        }
    }
}

impl Outer {
    /// Puts itself aside for what lies inside of it.
    pub(super) fn inside(&mut self, position: Position) -> Self {
        std::mem::replace(self, Self { position, ..Self::default() })
    }

    pub(super) fn begin_command(&mut self) {
        *self = Self::default();
    }

    pub(super) fn end_command(&mut self, operator: char) {
        let before = (self.position, self.takes);
        self.begin_command();
        if operator == '&' {
            self.before_ampersand = before;
        }
    }

    pub(super) fn take_back_ampersand(&mut self) {
        (self.position, self.takes) = self.before_ampersand;
    }

    /// The word before was the command.
    pub(super) fn call(&mut self, takes: Takes) {
        self.position = Position::Argument;
        self.takes = takes;
    }

    /// The word before was an argument.
    pub(super) fn argument(&mut self, word: &Word) {
        self.names_next = word.names_next();
        if self.takes == Takes::Assignments && word.changes_meaning() {
            self.takes = Takes::Code;
        }
    }

    /// Whether the word at hand may have data in it without the shell taking it for more.
    pub(super) fn admits_data(&self) -> bool {
        if self.redirected {
            return true;
        }
        match (self.position, self.takes) {
            (Position::Command, _) | (Position::Argument, Takes::Assignments) => self.word.assigns,
            (Position::Argument, Takes::Words) => true,
            (Position::Argument, Takes::Names) => !self.names_next,
            (Position::Argument, Takes::Code) => false,
        }
    }
}
