//! Commands: words, operators, redirections, parentheses.

use super::open::{Case, Open};
use super::word::{self, Command, Word};
use super::{Dollar, Position, Posix};

impl Posix {
    /// A character of commands and their words.
    pub(super) fn code(&mut self, character: char) {
        let after_operator = self.previous == '<' && matches!(character, '<' | '-');
        if after_operator && self.documents.is_naming() && self.documents.name_after(character) {
            return;
        }
        match character {
            '\\' => {
                self.escaped = true;
                self.outer.word.begin_quoted();
            }
            '\'' | '"' => {
                self.outer.word.begin_quoted();
                self.open.push(if character == '"' { Open::Double } else { Open::Single });
            }
            '`' => {
                self.outer.word.quoted(word::INSERTED);
                self.open.push(Open::Backtick);
            }
            '$' => {
                self.outer.word.quoted(word::INSERTED);
                self.dollar = Dollar::Sign;
            }
            '#' if !self.outer.word.begun => {
                // Inside `[[ ]]` it may be a pattern.
                self.lost |= matches!(self.open.last(), Some(Open::Test));
                self.open.push(Open::Comment);
            }
            '\n' => self.end_line(),
            ' ' | '\t' => self.end_word(),
            ';' | '&' | '|' | '<' | '>' | '(' | ')' => self.operator(character),
            other => self.outer.word.plain(other),
        }
    }

    pub(super) fn end_line(&mut self) {
        self.end_word();
        self.lost |= self.documents.is_naming();
        if matches!(self.open.last(), None | Some(Open::Parenthesis { .. } | Open::Case(Case::Body))) {
            self.outer.begin_command();
        }
        self.begin_document();
    }

    /// A word is over, and may have been one that the grammar knows.
    pub(super) fn end_word(&mut self) {
        if !self.outer.word.begun {
            return;
        }
        let word = std::mem::take(&mut self.outer.word);
        let redirected = std::mem::take(&mut self.outer.redirected);
        if self.documents.is_naming() {
            self.lost |= !self.documents.name(&word);
            return;
        }
        if redirected {
            return;
        }
        match self.open.last_mut() {
            Some(Open::Array { .. }) => return,
            Some(Open::Test) => {
                if word.is("]]") {
                    self.open.pop();
                }
                return;
            }
            Some(Open::Case(case @ Case::Subject)) => {
                *case = Case::In;
                return;
            }
            Some(Open::Case(case @ Case::In)) => {
                *case = Case::Pattern;
                self.lost |= !word.is("in");
                return;
            }
            Some(Open::Case(Case::Pattern)) => {
                if word.is("esac") {
                    self.open.pop();
                    self.outer.begin_command();
                }
                return;
            }
            _ => {}
        }
        if self.outer.position == Position::Argument {
            // Where it is none of the grammar's after all, what closes what is not certain.
            self.lost |= (word.is("case") || word.is("esac")) && !self.open.is_empty();
            self.outer.argument(&word);
            return;
        }
        match word.command() {
            Command::Prefix => {}
            Command::Case => {
                self.open.push(Open::Case(Case::Subject));
                self.outer.position = Position::Argument;
            }
            Command::Esac => match self.open.last() {
                Some(Open::Case(Case::Body)) => {
                    self.open.pop();
                }
                _ => self.lost = true,
            },
            Command::Test if self.bash => {
                self.open.push(Open::Test);
                self.outer.position = Position::Argument;
            }
            Command::Test => self.lost = true,
            Command::Called(takes) => self.outer.call(takes),
        }
    }

    pub(super) fn operator(&mut self, character: char) {
        if matches!(character, '<' | '>') && self.outer.word.is_number() {
            self.outer.word = Word::default();
        }
        // `f(`, `a=(` and `$x(` go on with their word.
        if character != '(' || !self.outer.word.begun {
            self.end_word();
        }
        if self.lost || matches!(self.open.last(), Some(Open::Test)) {
            return;
        }
        let doubled = self.previous == character;
        match character {
            '(' if matches!(self.open.last(), Some(Open::Case(Case::Pattern))) => {}
            '(' => self.parenthesis(),
            ')' => self.close_parenthesis(),
            '<' | '>' => self.redirect(doubled && character == '<'),
            // `>&2`, `<&3` and `>|file`.
            '&' | '|' if matches!(self.previous, '<' | '>') => self.outer.redirected = true,
            _ => {
                if matches!((self.previous, character), (';', ';' | '&'))
                    && let Some(Open::Case(case @ Case::Body)) = self.open.last_mut()
                {
                    *case = Case::Pattern;
                }
                self.outer.end_command(character);
                if matches!(self.open.last(), Some(Open::Case(Case::Pattern))) {
                    self.outer.position = Position::Argument;
                }
            }
        }
    }

    pub(super) fn redirect(&mut self, here: bool) {
        // `&>file` takes the `&` back.
        if self.previous == '&' {
            self.outer.take_back_ampersand();
        }
        self.outer.redirected = true;
        if here {
            self.documents.begin();
        }
    }

    pub(super) fn parenthesis(&mut self) {
        if self.previous == '(' && !self.outer.word.begun {
            // `((` and `$((` begin arithmetic, or commands in two parentheses, where nothing is inserted either.
            if let Some(Open::Parenthesis { outer }) = self.open.pop() {
                self.open.push(Open::Arithmetic { depth: 2, outer });
            } else {
                self.lost = true;
            }
            return;
        }
        let word = &self.outer.word;
        if word.begun && word.assigns && self.previous == '=' {
            let outer = self.outer.inside(Position::Argument);
            self.open.push(Open::Array { outer });
            return;
        }
        if matches!(self.previous, '<' | '>') {
            self.outer.word.quoted(word::INSERTED);
        }
        self.lost |= !self.documents.is_empty();
        self.enter();
    }

    /// Opens a list of commands in parentheses.
    pub(super) fn enter(&mut self) {
        let outer = self.outer.inside(Position::Command);
        self.open.push(Open::Parenthesis { outer });
    }

    pub(super) fn close_parenthesis(&mut self) {
        self.lost |= !self.documents.is_empty();
        match self.open.last_mut() {
            Some(Open::Case(case @ Case::Pattern)) => {
                *case = Case::Body;
                self.outer.begin_command();
            }
            Some(Open::Parenthesis { .. } | Open::Array { .. }) => {
                let defines = self.previous == '(';
                self.close();
                // After `f()` and after `( … )` there is a command, or none can follow.
                if !self.outer.word.begun || defines && !self.outer.word.has_expansion() {
                    self.outer.begin_command();
                }
            }
            _ => self.lost = true,
        }
    }

    /// Closes what is innermost, and goes on with the word that it is a part of.
    pub(super) fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Parenthesis { outer } | Open::Array { outer } | Open::Arithmetic { outer, .. }) => {
                self.outer = outer
            }
            Some(_) => {}
            None => self.lost = true,
        }
    }
}
