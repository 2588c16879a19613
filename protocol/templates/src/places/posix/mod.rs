//! Scripts of bash and of POSIX shells.

mod document;
mod open;
mod word;

use document::Documents;
use open::{Case, Open, Outer};
use word::{Command, Word};

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

    fn pass_escaped(&mut self, character: char) {
        match self.open.last() {
            // A line that goes on; in quotes as well.
            None | Some(Open::Parenthesis { .. } | Open::Array { .. } | Open::Case(_) | Open::Test)
                if character == '\n' => {}
            Some(Open::Backtick | Open::Brace | Open::Arithmetic { .. }) => {}
            _ => self.outer.word.quoted(character),
        }
    }

    /// Decides what a `$` before `character` means. Whether the character is dealt with by that.
    fn settle_dollar(&mut self, character: char) -> bool {
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

    fn double(&mut self, character: char) {
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

    fn is_in_brace(&self) -> bool {
        self.open.iter().any(|open| matches!(open, Open::Brace))
    }

    fn brace(&mut self, character: char) {
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

    fn arithmetic(&mut self, character: char) {
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

    fn nest(&mut self, by: isize) {
        if let Some(Open::Arithmetic { depth, .. }) = self.open.last_mut() {
            *depth += by;
            if *depth == 0 {
                self.close();
            }
        }
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

    /// A character of commands and their words.
    fn code(&mut self, character: char) {
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

    fn end_line(&mut self) {
        self.end_word();
        self.lost |= self.documents.is_naming();
        if matches!(self.open.last(), None | Some(Open::Parenthesis { .. } | Open::Case(Case::Body))) {
            self.outer.begin_command();
        }
        self.begin_document();
    }

    /// A word is over, and may have been one that the grammar knows.
    fn end_word(&mut self) {
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

    fn operator(&mut self, character: char) {
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

    fn redirect(&mut self, here: bool) {
        // `&>file` takes the `&` back.
        if self.previous == '&' {
            self.outer.take_back_ampersand();
        }
        self.outer.redirected = true;
        if here {
            self.documents.begin();
        }
    }

    fn parenthesis(&mut self) {
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
    fn enter(&mut self) {
        let outer = self.outer.inside(Position::Command);
        self.open.push(Open::Parenthesis { outer });
    }

    fn close_parenthesis(&mut self) {
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
    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Parenthesis { outer } | Open::Array { outer } | Open::Arithmetic { outer, .. }) => {
                self.outer = outer
            }
            Some(_) => {}
            None => self.lost = true,
        }
    }
}

#[cfg(test)]
mod tests;
