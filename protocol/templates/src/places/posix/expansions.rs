//! What a `$`, a quote or a backslash makes of what comes after it.

use super::open::Open;
use super::{Dollar, Posix, word};

impl Posix {
    pub(super) fn pass_escaped(&mut self, character: char) {
        match self.open.last() {
            // A line that goes on; in quotes as well.
            None | Some(Open::Parenthesis { .. } | Open::Array { .. } | Open::Case(_) | Open::Test)
                if character == '\n' => {}
            Some(Open::Backtick | Open::Brace | Open::Arithmetic { .. }) => {}
            _ => self.outer.word.quoted(character),
        }
    }

    /// Decides what a `$` before `character` means. Whether the character is dealt with by that.
    pub(super) fn settle_dollar(&mut self, character: char) -> bool {
        let in_double = matches!(self.open.last(), Some(Open::Double));
        match std::mem::replace(&mut self.dollar, Dollar::No) {
            Dollar::No => false,
            Dollar::Sign => {
                match character {
                    '(' => {
                        // What a here-document that is still to come belongs to is not certain then.
                        self.lost |= !self.documents.is_empty();
                        self.enter();
                    }
                    '{' => self.open.push(Open::Brace),
                    '\'' if in_double => return false,
                    '\'' if self.bash => self.open.push(Open::Ansi),
                    // Some POSIX shells know it, others do not.
                    '\'' => self.lost = true,
                    '[' => self.lost = true,
                    '"' | '\\' | '`' => return false,
                    name if name == '_' || name.is_ascii_alphabetic() => self.dollar = Dollar::Name,
                    special if "@*#?-$!0123456789".contains(special) => {}
                    _ => return false,
                }
                true
            }
            Dollar::Name if character == '_' || character.is_ascii_alphanumeric() => {
                self.dollar = Dollar::Name;
                true
            }
            Dollar::Name => false,
        }
    }

    pub(super) fn double(&mut self, character: char) {
        match character {
            '"' => self.close(),
            '\\' => self.escaped = true,
            '`' => self.open.push(Open::Backtick),
            '$' => {
                self.dollar = Dollar::Sign;
                self.outer.word.quoted(word::INSERTED);
            }
            // Whether a quote inside counts here, shells do not agree.
            '}' if self.is_in_brace() => self.lost = true,
            other => self.outer.word.quoted(other),
        }
    }

    pub(super) fn is_in_brace(&self) -> bool {
        self.open.iter().any(|open| matches!(open, Open::Brace))
    }

    pub(super) fn brace(&mut self, character: char) {
        match character {
            '}' => self.close(),
            '\\' => self.escaped = true,
            '`' => self.open.push(Open::Backtick),
            '$' => self.dollar = Dollar::Sign,
            '"' => self.open.push(Open::Double),
            '\'' if self.open.iter().any(|open| matches!(open, Open::Double)) => self.lost = true,
            '\'' => self.open.push(Open::Single),
            // `${ command; }`, which only some shells know.
            ' ' | '\t' | '\n' | '|' if self.previous == '{' => self.lost = true,
            _ => {}
        }
    }

    pub(super) fn arithmetic(&mut self, character: char) {
        match character {
            '(' => self.nest(1),
            ')' => self.nest(-1),
            '\\' => self.escaped = true,
            '`' => self.open.push(Open::Backtick),
            '$' => self.dollar = Dollar::Sign,
            '"' => self.open.push(Open::Double),
            '\'' => self.open.push(Open::Single),
            // It may be commands in parentheses after all, where this would be a comment.
            '#' if self.previous == ' ' => self.lost = true,
            _ => {}
        }
    }

    pub(super) fn nest(&mut self, by: isize) {
        if let Some(Open::Arithmetic { depth, .. }) = self.open.last_mut() {
            *depth += by;
            if *depth == 0 {
                self.close();
            }
        }
    }
}
