//! A word of a shell script, and what the shell makes of the words after it.

/// Stands in a word for what is inserted or expanded there.
pub(super) const INSERTED: char = '\u{fffd}';

/// Characters of a word that are kept: enough for every name that the shell knows and for what ends a here-document.
const KEPT: usize = 128;

/// What a command makes of its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Words, which are its own business.
    Words,
    /// Words, but for one after `-v`, which is the name of a variable and may have an index that is code.
    Names,
    /// `name=value`.
    Assignments,
    /// Code, or names whose index is code.
    Code,
}

/// What a word is where a command may stand.
pub(super) enum Command {
    /// The next word is one still.
    Prefix,
    Case,
    Esac,
    /// `[[`.
    Test,
    Called(Takes),
}

/// Words after which a command follows.
const PREFIXES: [&str; 17] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}", "time", "coproc",
    "command", "builtin", "exec",
];

/// What the shell itself looks into, with what it makes of that.
const LOOKED_INTO: [(&str, Takes); 22] = [
    ("eval", Takes::Code),
    ("let", Takes::Code),
    ("source", Takes::Code),
    (".", Takes::Code),
    ("trap", Takes::Code),
    ("alias", Takes::Code),
    ("unset", Takes::Code),
    ("read", Takes::Code),
    ("mapfile", Takes::Code),
    ("readarray", Takes::Code),
    ("getopts", Takes::Code),
    ("wait", Takes::Code),
    ("enable", Takes::Code),
    ("complete", Takes::Code),
    ("export", Takes::Assignments),
    ("readonly", Takes::Assignments),
    ("local", Takes::Assignments),
    ("declare", Takes::Assignments),
    ("typeset", Takes::Assignments),
    ("printf", Takes::Names),
    ("test", Takes::Names),
    ("[", Takes::Names),
];

/// A word as far as it was read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its text, without quotes.
    pub(super) text: String,
    /// Whether there is any of it: `""` is a word too.
    pub(super) begun: bool,
    /// Whether a part of it is quoted, inserted or expanded, so that it is no word of the grammar.
    quoted: bool,
    /// Whether it is `name=…` so far.
    pub(super) assigns: bool,
    /// Whether it has an unquoted `[`, so that an index or a pattern may have begun.
    pub(super) has_bracket: bool,
}

impl Word {
    /// A character that stands for itself without quotes.
    pub(super) fn plain(&mut self, character: char) {
        self.begun = true;
        self.has_bracket |= character == '[';
        if character == '=' && !self.quoted && !self.assigns {
            let name = self.text.strip_suffix('+').unwrap_or(&self.text);
            let first = name.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic());
            self.assigns =
                first && name.chars().all(|character| character == '_' || character.is_ascii_alphanumeric());
        }
        self.keep(character);
    }

    /// A character between quotes.
    pub(super) fn quoted(&mut self, character: char) {
        self.begin_quoted();
        self.keep(character);
    }

    pub(super) fn begin_quoted(&mut self) {
        self.begun = true;
        self.quoted = true;
    }

    fn keep(&mut self, character: char) {
        // Of a value that is assigned nothing matters but that it is one.
        if !self.assigns && self.text.len() < KEPT {
            self.text.push(character);
        }
    }

    /// Whether it is this word of the grammar.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word
    }

    /// Whether it is the number of a file that is redirected.
    pub(super) fn is_number(&self) -> bool {
        !self.quoted && !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether something was inserted or expanded in it.
    pub(super) fn has_expansion(&self) -> bool {
        self.text.contains(INSERTED)
    }

    /// What ends a here-document of this name, and whether it was quoted; `None` where that cannot be told.
    pub(super) fn as_delimiter(&self) -> Option<(String, bool)> {
        let certain = !self.has_expansion() && self.text.len() < KEPT && !self.assigns;
        certain.then(|| (self.text.clone(), self.quoted))
    }

    /// What it is where a command may stand.
    pub(super) fn command(&self) -> Command {
        if self.is("case") {
            return Command::Case;
        }
        if self.is("esac") {
            return Command::Esac;
        }
        if self.is("[[") {
            return Command::Test;
        }
        let option = self.text.starts_with('-');
        if self.assigns || option || PREFIXES.contains(&self.text.as_str()) {
            return Command::Prefix;
        }
        let known = LOOKED_INTO.iter().find(|(name, _)| *name == self.text);
        Command::Called(known.map_or(Takes::Words, |(_, takes)| *takes))
    }

    /// Whether the word after it is the name of a variable, for commands that take such.
    pub(super) fn names_next(&self) -> bool {
        matches!(self.text.as_str(), "-v" | "-R")
    }

    /// Whether it is an option by which what is assigned later is more than text: an array or arithmetic.
    pub(super) fn changes_meaning(&self) -> bool {
        self.has_expansion() && !self.assigns
            || self.text.starts_with(['-', '+']) && self.text.contains(['a', 'A', 'i', 'n'])
    }
}
