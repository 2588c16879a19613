//! Scripts of Python.

/// What is open in a Python script.
#[derive(Clone, PartialEq, Eq)]
enum Open {
    /// One or two quotes were read, which may become three.
    Quotes { quote: char, count: usize, formatted: bool },
    /// A string; `run` quotes of its own kind were just read in it.
    String { quote: char, triple: bool, formatted: bool, run: usize },
    /// `{ }` in a formatted string, with how many brackets are open in it.
    Field { depth: usize },
    /// `#` to the end of the line.
    Comment,
}

/// How deep strings may lie in the fields of strings.
const DEPTH: usize = 8;

/// A Python script, read so far.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Python {
    /// Nothing is certain any more.
    lost: bool,
    open: Vec<Open>,
    /// The name or number that the last characters are, as far as it may be the prefix of a string.
    name: String,
    /// A name or number was just read, or a sign that goes on with the next one.
    joined: bool,
    /// A backslash was just read that takes the next character for itself.
    escaped: bool,
    /// An opening brace of a formatted string was just read, which may become two.
    brace: bool,
}

impl Python {
    /// Whether a literal is an expression here.
    pub(super) fn admits_word(&self) -> bool {
        let closed = matches!(self.open.as_slice(), [] | [Open::Quotes { count: 2, .. }]);
        closed && !self.lost && !self.joined && !self.escaped
    }

    /// Whether letters, digits and the few signs of encodings are text here.
    pub(super) fn admits_letters(&self) -> bool {
        let text = matches!(self.open.as_slice(), [Open::String { .. } | Open::Quotes { count: 1, .. }]);
        text && !self.lost && !self.escaped && !self.brace
    }

    pub(super) fn pass_word(&mut self) {
        // Like a letter of a name.
        self.pass('\u{fffd}');
    }

    pub(super) fn pass(&mut self, character: char) {
        if self.lost {
            return;
        }
        match self.open.last().cloned() {
            None => self.code(character),
            Some(Open::Comment) => {
                if character == '\n' {
                    self.open.pop();
                    self.code(character);
                }
            }
            Some(Open::Quotes { quote, count, formatted }) => self.quotes(character, quote, count, formatted),
            Some(Open::String { quote, triple, formatted, run }) => {
                self.text(character, quote, triple, formatted, run);
            }
            Some(Open::Field { depth }) => self.field(character, depth),
        }
    }

    fn code(&mut self, character: char) {
        self.escaped = false;
        match character {
            '\'' | '"' => {
                let formatted = self.name.contains(['f', 'F', 't', 'T']) && self.name.len() <= 2;
                self.name.clear();
                self.joined = false;
                self.open.push(Open::Quotes { quote: character, count: 1, formatted });
            }
            '#' => {
                // What is a comment inside a field, and up to where, differs from version to version.
                self.lost |= !self.open.is_empty();
                self.open.push(Open::Comment);
                self.joined = false;
                self.name.clear();
            }
            letter if letter == '_' || letter.is_alphanumeric() || letter > '\u{7f}' => {
                if self.name.len() < 3 {
                    self.name.push(letter);
                }
                self.joined = true;
            }
            other => {
                self.name.clear();
                self.joined = matches!(other, '.' | '\\');
            }
        }
    }

    /// After one or two quotes: a third makes a long string, and after two nothing is open.
    fn quotes(&mut self, character: char, quote: char, count: usize, formatted: bool) {
        self.open.pop();
        let again = character == quote;
        match count {
            1 if again => self.open.push(Open::Quotes { quote, count: 2, formatted }),
            1 => {
                self.open.push(Open::String { quote, triple: false, formatted, run: 0 });
                self.pass(character);
            }
            _ if again => self.open.push(Open::String { quote, triple: true, formatted, run: 0 }),
            _ => self.pass(character),
        }
        self.check_nesting(quote);
    }

    /// Whether a string may use the quotes of the one around its field differs from version to version.
    fn check_nesting(&mut self, quote: char) {
        let same = |open: &&Open| match open {
            Open::String { quote: other, .. } | Open::Quotes { quote: other, .. } => *other == quote,
            _ => false,
        };
        self.lost |= self.open.len() > DEPTH || self.open.iter().filter(same).count() > 1;
    }

    fn text(&mut self, character: char, quote: char, triple: bool, formatted: bool, run: usize) {
        if std::mem::take(&mut self.escaped) {
            self.set_run(0);
            return;
        }
        if std::mem::take(&mut self.brace) {
            // `{{` is a brace that is meant.
            if character != '{' {
                self.open.push(Open::Field { depth: 0 });
                self.field(character, 0);
            }
            return;
        }
        match character {
            '\\' => self.escaped = true,
            '\n' if !triple => self.lost = true,
            '{' if formatted => self.brace = true,
            _ => {}
        }
        if character != quote {
            self.set_run(0);
        } else if triple && run < 2 {
            self.set_run(run + 1);
        } else {
            self.open.pop();
        }
    }

    fn set_run(&mut self, now: usize) {
        if let Some(Open::String { run, .. }) = self.open.last_mut() {
            *run = now;
        }
    }

    fn field(&mut self, character: char, depth: usize) {
        let depth = match character {
            '{' | '[' | '(' => depth + 1,
            '}' | ']' | ')' if depth > 0 => depth - 1,
            '}' => {
                self.open.pop();
                return;
            }
            '\\' => {
                self.lost = true;
                return;
            }
            other => {
                self.code(other);
                return;
            }
        };
        if let Some(Open::Field { depth: open }) = self.open.last_mut() {
            *open = depth;
        }
    }
}
