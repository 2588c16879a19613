//! A position in a text, and the small steps that the parser takes from it.

/// Where parsing stands. It only ever moves forward, which keeps parsing linear.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// What Octostache takes as part of an identifier, beside white space.
pub(super) fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || "_-:/~()".contains(character)
}

impl<'a> Cursor<'a> {
    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves over `expected` if it comes next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let comes = self.rest().starts_with(expected);
        if comes {
            self.at += expected.len();
        }
        comes
    }

    /// Moves over all characters that are `wanted`, and returns them.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    pub(super) fn skip_white_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Moves over `word` in any case if it comes next and white space follows it.
    pub(super) fn take_keyword(&mut self, word: &str) -> bool {
        let comes = self.at_keyword(word);
        if comes {
            self.at += word.len();
        }
        comes
    }

    fn at_keyword(&self, word: &str) -> bool {
        let rest = self.rest();
        rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
            && rest[word.len()..].starts_with(char::is_whitespace)
    }

    /// Moves over an identifier, which may contain white space, and over the white space after it. With
    /// `until_in`, the word `in` between white space ends it. Empty where none comes.
    pub(super) fn identifier(&mut self, until_in: bool) -> &'a str {
        let start = self.at;
        while let Some(character) = self.peek() {
            if character.is_whitespace() {
                self.skip_white_space();
                if until_in && self.at_keyword("in") {
                    break;
                }
            } else if is_identifier(character) {
                self.at += character.len_utf8();
            } else {
                break;
            }
        }
        self.text[start..self.at].trim()
    }
}
