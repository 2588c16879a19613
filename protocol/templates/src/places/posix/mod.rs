//! Scripts of bash and of POSIX shells.

mod commands;
mod document;
mod expansions;
mod open;
mod word;

use document::Documents;
use open::{Case, Open, Outer};

/// How deep constructs may lie in each other. People write five.
const DEPTH: usize = 32;

/// Whether the next word is a command or an argument of one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Command,
    Argument,
}

/// What an unescaped `$` may still become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dollar {
    No,
    Sign,
    /// It begins a name, as far as read.
    Name,
}

/// A shell script, read so far.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Posix {
    /// bash, and not only what POSIX has.
    bash: bool,
    /// Nothing is certain any more.
    lost: bool,
    /// What is open, outermost first.
    open: Vec<Open>,
    /// The words of the innermost list of commands.
    outer: Outer,
    dollar: Dollar,
    /// A backslash was just read that takes the next character for itself.
    escaped: bool,
    /// The last character that was not escaped.
    previous: char,
    documents: Documents,
}

impl Posix {
    pub(super) fn new(bash: bool) -> Self {
        Self {
            bash,
            lost: false,
            open: Vec::new(),
            outer: Outer::default(),
            dollar: Dollar::No,
            escaped: false,
            previous: ' ',
            documents: Documents::default(),
        }
    }

    /// Whether a literal is a word here, or a part of one, that only commands other than the shell see.
    pub(super) fn admits_word(&self) -> bool {
        let part = match self.open.last() {
            None | Some(Open::Parenthesis { .. }) => true,
            Some(Open::Case(case)) => matches!(case, Case::Subject | Case::Pattern | Case::Body),
            Some(Open::Array { .. }) => !self.outer.word.text.starts_with('['),
            _ => false,
        };
        part && self.dollar != Dollar::Sign && !self.outer.word.has_bracket && self.admits_data()
    }

    /// The same for letters, digits and the few signs of encodings, which mean nothing inside quotes either.
    pub(super) fn admits_letters(&self) -> bool {
        let quoted = matches!(self.open.last(), Some(Open::Double | Open::Single | Open::Ansi));
        let part = if quoted { self.admits_data() } else { self.admits_word() };
        part && self.dollar == Dollar::No
    }

    fn admits_data(&self) -> bool {
        let around = |open: &Open| {
            matches!(
                open,
                Open::Parenthesis { .. }
                    | Open::Array { .. }
                    | Open::Case(_)
                    | Open::Double
                    | Open::Single
                    | Open::Ansi
            )
        };
        !self.lost
            && !self.escaped
            && !self.documents.is_naming()
            && self.open.iter().all(around)
            && self.outer.admits_data()
    }

    /// Goes on over something that is part of a word.
    pub(super) fn pass_word(&mut self) {
        if self.documents.is_naming() {
            self.lost = true;
        }
        self.settle_dollar(word::INSERTED);
        self.escaped = false;
        match self.open.last_mut() {
            Some(Open::Document(document)) => document.pass(word::INSERTED),
            Some(Open::Comment) => {}
            _ => self.outer.word.quoted(word::INSERTED),
        }
        self.remember(word::INSERTED);
    }

    pub(super) fn pass(&mut self, character: char) {
        if self.lost {
            return;
        }
        if self.open.len() > DEPTH {
            self.lost = true;
            return;
        }
        if std::mem::take(&mut self.escaped) {
            self.pass_escaped(character);
            self.remember('\\');
            return;
        }
        if self.settle_dollar(character) {
            self.remember(character);
            return;
        }
        match self.open.last_mut() {
            None | Some(Open::Parenthesis { .. } | Open::Array { .. } | Open::Case(_) | Open::Test) => {
                self.code(character);
            }
            Some(Open::Double) => self.double(character),
            Some(Open::Single) => match character {
                '\'' => self.close(),
                other => self.outer.word.quoted(other),
            },
            Some(Open::Ansi) => match character {
                '\'' => self.close(),
                '\\' => self.escaped = true,
                other => self.outer.word.quoted(other),
            },
            Some(Open::Backtick) => match character {
                '`' => self.close(),
                '\\' => self.escaped = true,
                _ => {}
            },
            Some(Open::Comment) => {
                if character == '\n' {
                    self.close();
                    self.code(character);
                }
            }
            Some(Open::Brace) => self.brace(character),
            Some(Open::Arithmetic { .. }) => self.arithmetic(character),
            Some(Open::Document(_)) => self.document(character),
        }
        self.remember(character);
    }

    /// Keeps of a character what matters to the next one, so that few places differ.
    fn remember(&mut self, character: char) {
        self.previous = match character {
            '<' | '>' | '&' | '|' | ';' | '(' | '=' | '{' => character,
            blank if blank.is_whitespace() => ' ',
            _ => 'x',
        };
    }

    fn document(&mut self, character: char) {
        let Some(Open::Document(document)) = self.open.last_mut() else { return };
        match document.pass_line(character) {
            document::Line::Goes => {}
            document::Line::Unsure => self.lost = true,
            document::Line::Ends => {
                self.open.pop();
                self.begin_document();
            }
        }
    }

    fn begin_document(&mut self) {
        if let Some(document) = self.documents.next() {
            self.open.push(Open::Document(document));
        }
    }
}

#[cfg(test)]
mod tests;
