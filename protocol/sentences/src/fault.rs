//! A sentence with its exit code, and how a program ends with one.

use std::io::Write as _;
use std::process::ExitCode;

use windlass_protocol::exit::ExitKind;
use windlass_protocol::names::visible;

use crate::system::plain_words;

/// One sentence, and what the program ends with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// What the program ends with.
    pub kind: ExitKind,
    /// What is wrong, where, and what would be right.
    pub sentence: String,
}

impl Fault {
    pub fn new(kind: ExitKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }

    /// It cannot be what was meant.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(ExitKind::Usage, sentence)
    }
}

/// Ends a program: tells why on standard error, in one line and plain words, and returns the exit code of the
/// [`Fault`] among the causes or their contexts.
pub fn end(why: &anyhow::Error) -> ExitCode {
    say(&format!("error: {}", sentence(why)));
    let fault = why.downcast_ref::<Fault>();
    ExitCode::from(fault.map_or(ExitKind::Failed, |fault| fault.kind).code())
}

/// Says something on standard error. Nobody may read it; there is no other place to say so.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn sentence(why: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in why.chain().map(ToString::to_string) {
        // Many errors say their cause themselves; nobody has to read it twice.
        if !text.ends_with(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    printable(&text)
}

/// A sentence as it is printed: in plain words, on one line, with whatever is unprintable in it escaped: it may quote
/// names and words that somebody else chose.
pub fn printable(text: &str) -> String {
    let plain = plain_words(text);
    let lines: Vec<_> = plain.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    visible(&lines.join("; ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_become_one_line_in_plain_words() {
        let missing = std::io::Error::from_raw_os_error(2);
        let why = Err::<(), _>(missing).context("cannot read a\nb").expect_err("it is one");
        assert_eq!(sentence(&why), "cannot read a; b: it does not exist");
        assert_eq!(sentence(&why.context("no: cannot read a\nb")), "no: cannot read a; b: it does not exist");
    }

    #[test]
    fn what_a_sentence_quotes_cannot_move_the_cursor_of_who_reads_it() {
        let why = anyhow::anyhow!("there is no target `\u{1b}[2J\u{202e}web\u{9b}`");
        assert_eq!(sentence(&why), r"there is no target `\u{1b}[2J\u{202e}web\u{9b}`");
    }
}
