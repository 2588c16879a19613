//! Here-documents: their names, and where they end.

use std::collections::VecDeque;

use super::word::Word;

/// A here-document, with the line of it that is being read.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Document {
    ends_with: String,
    /// Whether its name was quoted, so that nothing in it is expanded.
    quoted: bool,
    /// Whether tabs at the beginning of a line do not count.
    tabs: bool,
    line: String,
    /// Whether the line goes on one that ended in a backslash.
    continued: bool,
}

/// What a character does to a here-document.
pub(super) enum Line {
    Goes,
    Ends,
    /// Shells do not agree whether it ends.
    Unsure,
}

impl Document {
    /// Something that is no end of it.
    pub(super) fn pass(&mut self, character: char) {
        if self.tabs && self.line.is_empty() && character == '\t' {
            return;
        }
        // What is longer than its end cannot be it, but for the backslashes that the line ends with.
        if self.line.len() > self.ends_with.len() && !self.line.ends_with('\\') && character != '\\' {
            return;
        }
        self.line.push(character);
    }

    pub(super) fn pass_line(&mut self, character: char) -> Line {
        if character != '\n' {
            self.pass(character);
            return Line::Goes;
        }
        let line = std::mem::take(&mut self.line);
        let continued = std::mem::take(&mut self.continued);
        if line == self.ends_with {
            return if continued { Line::Unsure } else { Line::Ends };
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        self.continued = !self.quoted && backslashes % 2 == 1;
        if self.continued && self.ends_with.starts_with(&line[..line.len() - 1]) {
            return Line::Unsure;
        }
        Line::Goes
    }
}

/// The here-documents that a line has asked for and that begin with the next one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Documents {
    waiting: VecDeque<Document>,
    /// The one whose name comes next, and whether tabs count in it.
    naming: Option<bool>,
    /// Whether `<<` may still become `<<<` or `<<-`.
    fresh: bool,
}

impl Documents {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.naming.is_none()
    }

    /// `<<` was read.
    pub(super) fn begin(&mut self) {
        self.naming = Some(false);
        self.fresh = true;
    }

    /// Whether the next word is the name of one.
    pub(super) fn is_naming(&self) -> bool {
        self.naming.is_some()
    }

    /// A character right after `<<`: whether it belongs to the operator.
    pub(super) fn name_after(&mut self, character: char) -> bool {
        if !std::mem::take(&mut self.fresh) {
            return false;
        }
        // `<<<` takes a word, and is no here-document.
        self.naming = (character == '-').then_some(true);
        true
    }

    /// Its name was read; whether that says for certain where it ends.
    pub(super) fn name(&mut self, word: &Word) -> bool {
        let Some(tabs) = self.naming.take() else { return false };
        let Some((ends_with, quoted)) = word.as_delimiter() else { return false };
        self.waiting.push_back(Document { ends_with, quoted, tabs, line: String::new(), continued: false });
        true
    }

    /// The next that begins with a new line.
    pub(super) fn next(&mut self) -> Option<Document> {
        self.waiting.pop_front()
    }
}
