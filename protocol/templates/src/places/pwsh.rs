//! Scripts of PowerShell.

/// How deep strings may lie in the expressions of strings.
const DEPTH: usize = 8;

/// The two kinds of quotes. PowerShell takes typographic ones for its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Single,
    Double,
}

impl Quote {
    fn of(character: char) -> Option<Self> {
        match character {
            '\'' | '\u{2018}'..='\u{201b}' => Some(Self::Single),
            '"' | '\u{201c}'..='\u{201e}' => Some(Self::Double),
            _ => None,
        }
    }
}

/// What is open in a PowerShell script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// A string. Where its quote was just read, it is over unless that comes twice.
    String { quote: Quote, closing: bool },
    /// `@'` or `@"`, which has to end its line.
    Header(Quote),
    /// A here-string. At the beginning of a line its quote may end it, if `@` follows.
    Here { quote: Quote, begins: bool, closing: bool },
    /// `$( )` in a string, with how many parentheses are open.
    Expression { depth: usize },
    /// `#` to the end of the line.
    Comment,
    /// `<# #>`; the hash was just read that may end it.
    Block { closing: bool },
}

/// A PowerShell script, read so far.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pwsh {
    /// Nothing is certain any more.
    lost: bool,
    open: Vec<Open>,
    /// A backtick was just read that takes the next character for itself.
    escaped: bool,
    /// A `$` was just read, or a name after it.
    variable: bool,
    /// The name is one in braces.
    braced: bool,
    /// The last characters, the newest last.
    before: [char; 3],
    /// The last character that was not blank.
    sign: char,
}

impl Default for Pwsh {
    fn default() -> Self {
        let before = ['\n'; 3];
        Self {
            lost: false,
            open: Vec::new(),
            escaped: false,
            variable: false,
            braced: false,
            before,
            sign: '\n',
        }
    }
}

impl Pwsh {
    /// Whether an expression in parentheses is an argument or an operand here.
    pub(super) fn admits_word(&self) -> bool {
        let code = self.open.iter().all(|open| match open {
            Open::Expression { .. } => true,
            Open::String { quote, closing } => *quote == Quote::Double && !closing,
            Open::Here { quote, .. } => *quote == Quote::Double,
            _ => false,
        });
        let innermost = matches!(self.open.last(), None | Some(Open::Expression { .. }));
        let apart = self.before[2].is_whitespace() || "(=,;{[+|:".contains(self.before[2]);
        // `&` and `.` call what follows.
        code && innermost && apart && !self.lost && !self.escaped && !matches!(self.sign, '&' | '.')
    }

    /// Whether letters, digits and the few signs of encodings are text here.
    pub(super) fn admits_letters(&self) -> bool {
        let text = matches!(
            self.open.as_slice(),
            [Open::String { closing: false, .. } | Open::Here { closing: false, .. }]
        );
        text && !self.lost && !self.escaped && !self.variable
    }

    pub(super) fn pass_word(&mut self) {
        self.pass('\u{fffd}');
    }

    pub(super) fn pass(&mut self, character: char) {
        if self.lost {
            return;
        }
        if self.open.len() > DEPTH {
            self.lost = true;
        } else if std::mem::take(&mut self.escaped) {
            self.variable = false;
            // Whether the line after it may end a here-string is not certain.
            self.lost |= character == '\n' && matches!(self.open.last(), Some(Open::Here { .. }));
        } else {
            self.read(character);
        }
        self.remember(character);
    }

    /// Keeps of a character what matters to the next one, so that few places differ.
    fn remember(&mut self, character: char) {
        let kept = if character.is_alphanumeric() { 'x' } else { character };
        self.before = [self.before[1], self.before[2], kept];
        if !kept.is_whitespace() {
            self.sign = kept;
        }
    }

    fn read(&mut self, character: char) {
        match self.open.last().copied() {
            None | Some(Open::Expression { .. }) => self.code(character),
            Some(Open::Comment) => {
                if character == '\n' {
                    self.open.pop();
                }
            }
            Some(Open::Block { closing }) => match character {
                '>' if closing => {
                    self.open.pop();
                }
                other => self.replace(Open::Block { closing: other == '#' }),
            },
            Some(Open::Header(quote)) => match character {
                '\n' => self.replace(Open::Here { quote, begins: true, closing: false }),
                other => self.lost |= !other.is_whitespace(),
            },
            Some(Open::String { quote, closing }) => self.text(character, quote, closing),
            Some(Open::Here { quote, begins, closing }) => self.here(character, quote, begins, closing),
        }
    }

    fn replace(&mut self, open: Open) {
        self.open.pop();
        self.open.push(open);
    }

    fn code(&mut self, character: char) {
        self.variable = false;
        if let Some(quote) = Quote::of(character) {
            let header = self.before[2] == '@';
            self.open.push(if header { Open::Header(quote) } else { Open::String { quote, closing: false } });
            return;
        }
        match character {
            '`' => self.escaped = true,
            '#' if self.before[2] == '<' => self.open.push(Open::Block { closing: false }),
            '#' if self.before[2].is_whitespace() || "(){},;|&=@".contains(self.before[2]) => {
                self.open.push(Open::Comment);
            }
            // In the middle of a word it is a part of it; after other signs that is not certain.
            '#' => self.lost |= !matches!(self.before[2], 'x' | '_' | '-' | '.' | '/' | '\\' | ':' | '$'),
            // The rest of the line is passed on as it is.
            '%' if self.before[1..] == ['-', '-'] => self.lost = true,
            '(' | ')' => self.parenthesis(character),
            _ => {}
        }
    }

    fn parenthesis(&mut self, character: char) {
        if let Some(Open::Expression { depth }) = self.open.last().copied() {
            match (character, depth) {
                ('(', _) => self.replace(Open::Expression { depth: depth + 1 }),
                (_, 0) => {
                    self.open.pop();
                }
                _ => self.replace(Open::Expression { depth: depth - 1 }),
            }
        }
    }

    fn text(&mut self, character: char, quote: Quote, closing: bool) {
        let again = Quote::of(character) == Some(quote);
        if closing && !again {
            self.open.pop();
            self.read(character);
            return;
        }
        if again {
            self.variable = false;
            self.replace(Open::String { quote, closing: !closing });
            return;
        }
        self.expandable(character, quote);
    }

    fn here(&mut self, character: char, quote: Quote, begins: bool, closing: bool) {
        if closing && character == '@' {
            self.open.pop();
            return;
        }
        let ends = begins && Quote::of(character) == Some(quote);
        self.replace(Open::Here { quote, begins: character == '\n', closing: ends });
        self.expandable(character, quote);
    }

    /// A character of a string in which variables and expressions are, if it has double quotes.
    fn expandable(&mut self, character: char, quote: Quote) {
        if quote == Quote::Single {
            return;
        }
        let sign = self.before[2] == '$';
        match character {
            '`' => self.escaped = true,
            '(' if sign && self.variable => self.open.push(Open::Expression { depth: 0 }),
            '$' => self.variable = true,
            '{' if sign && self.variable => self.braced = true,
            '}' => (self.braced, self.variable) = (false, false),
            other => {
                let name = other.is_alphanumeric() || matches!(other, '_' | ':' | '?' | '^');
                self.variable = self.variable && (name || self.braced);
            }
        }
    }
}
