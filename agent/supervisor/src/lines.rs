//! Splits the bytes of one stream into masked lines and messages: pure, the time is an argument.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use zeroize::Zeroize as _;

use crate::limits;
use crate::mask::Masker;
use crate::service_message::{Opening, Refused, SetVariable};

/// What a stream's bytes amount to.
pub enum Piece {
    /// A line, or a part of a long or slow one: masked, without its end.
    Text(String),
    /// An output variable, which is not printed.
    Variable(SetVariable),
    /// An output variable that cannot be kept, and is not printed either.
    Refused(Refused),
}

/// Gathers what was read from one stream until a line is complete, is too long, or has waited long enough.
pub struct Splitter {
    /// How lines of this stream begin that set variables, if they can.
    opening: Option<Opening>,
    pending: Vec<u8>,
    /// What of `pending` was given out already.
    start: usize,
    /// How far `pending` was searched for the end of a line; never before `start`.
    searched: usize,
    /// How many bytes from `start` on belong to a secret whose mask was given out already.
    covered: usize,
    /// Whether a part of the current line was given out already.
    inside: bool,
    /// Whether the current line is skipped to its end.
    skipping: bool,
    /// The parts of a long line that come next.
    parts: VecDeque<String>,
    fed_at: Option<Instant>,
    flush_at: Option<Instant>,
}

impl Splitter {
    /// A splitter for standard output, where lines that begin so set variables, or for standard error, where none do.
    pub fn new(opening: Option<Opening>) -> Self {
        Self {
            opening,
            pending: Vec::new(),
            start: 0,
            searched: 0,
            covered: 0,
            inside: false,
            skipping: false,
            parts: VecDeque::new(),
            fed_at: None,
            flush_at: None,
        }
    }

    /// Adds what was read at `now`. Ask [`Splitter::next`] until it has nothing more.
    pub fn feed(&mut self, bytes: &[u8], now: Instant) {
        self.pending.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.pending.extend_from_slice(bytes);
        self.fed_at = Some(now);
        self.flush_at = self.flush_at.or(Some(now + limits::LINE_PATIENCE));
    }

    /// The next complete line, or part of a line that is too long to wait for its end.
    pub fn next(&mut self, masker: &Masker) -> Option<Piece> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(Piece::Text(part));
            }
            let Some(length) = self.pending[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.pending.len();
                return self.overlong(masker);
            };
            let line = self.start..self.searched + length;
            self.start = line.end + 1;
            self.searched = self.start;
            // What follows the line came with its end, so its own patience begins there.
            self.flush_at =
                self.fed_at.filter(|_| self.start < self.pending.len()).map(|at| at + limits::LINE_PATIENCE);
            if let Some(piece) = self.complete(line, masker) {
                return Some(piece);
            }
        }
    }

    /// When [`Splitter::flush`] is due, if the line does not go on before.
    pub fn flush_at(&self) -> Option<Instant> {
        self.flush_at.filter(|_| !self.waits_for_its_end())
    }

    /// Readies what there is of a line that waited long enough: ask [`Splitter::next`]. Its end may be held back, if
    /// it could become a secret.
    pub fn flush(&mut self, masker: &Masker) {
        self.flush_at = None;
        self.part(masker);
    }

    /// What is left at the end of the stream. There may be parts of it to ask [`Splitter::next`] for.
    pub fn finish(&mut self, masker: &Masker) -> Option<Piece> {
        let line = self.start..self.pending.len();
        self.start = line.end;
        self.searched = line.end;
        self.flush_at = None;
        if line.is_empty() || self.skipping {
            return None;
        }
        let bytes = &self.pending[line.clone()];
        if let Some(opening) = self.opening.as_ref().filter(|_| !self.inside)
            && opening.begins(bytes)
            && opening.parse(bytes).is_none()
        {
            return Some(Piece::Refused(Refused::Incomplete));
        }
        self.complete(line, masker)
    }

    /// The piece that a line makes, with its end or that of the stream reached.
    fn complete(&mut self, line: Range<usize>, masker: &Masker) -> Option<Piece> {
        let covered = std::mem::take(&mut self.covered);
        let inside = std::mem::take(&mut self.inside);
        if std::mem::take(&mut self.skipping) {
            return None;
        }
        let line = &self.pending[line];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !inside && let Some(message) = self.opening.as_ref().and_then(|opening| opening.parse(line)) {
            return Some(message.map_or_else(Piece::Refused, Piece::Variable));
        }
        let text = masker.end(line, covered);
        // The end of a line that was given out already makes no line of its own.
        if inside && text.is_empty() {
            return None;
        }
        self.parts = split(text);
        self.parts.pop_front().map(Piece::Text)
    }

    /// Deals with a line that is longer than it may be, and has no end yet.
    fn overlong(&mut self, masker: &Masker) -> Option<Piece> {
        let length = self.pending.len() - self.start;
        if self.skipping {
            self.start = self.pending.len();
        } else if self.waits_for_its_end() {
            if length > limits::MESSAGE_BYTES {
                self.start = self.pending.len();
                self.skipping = true;
                return Some(Piece::Refused(Refused::Incomplete));
            }
        } else if length > limits::LINE_BYTES {
            self.part(masker);
        }
        self.parts.pop_front().map(Piece::Text)
    }

    /// Readies as much of the current line as can be judged.
    fn part(&mut self, masker: &Masker) {
        let beginning = masker.beginning(&self.pending[self.start..], self.covered);
        self.start += beginning.taken;
        self.covered = beginning.covered;
        self.inside |= beginning.taken > 0;
        if !beginning.text.is_empty() {
            self.parts = split(beginning.text);
        }
    }

    /// Whether the current line may set a variable: then no part of it may be shown.
    fn waits_for_its_end(&self) -> bool {
        let line = &self.pending[self.start..];
        let opening = self.opening.as_ref().filter(|_| !self.inside);
        let message = opening.is_some_and(|opening| opening.may_begin(line));
        self.skipping || (message && !line.is_empty())
    }
}

/// Cuts a text into parts of [`limits::LINE_BYTES`] at most, between characters. A text that is empty is one part.
fn split(mut text: String) -> VecDeque<String> {
    let mut parts = VecDeque::new();
    while text.len() > limits::LINE_BYTES {
        let rest = text.split_off(text.floor_char_boundary(limits::LINE_BYTES));
        parts.push_back(std::mem::replace(&mut text, rest));
    }
    parts.push_back(text);
    parts
}

impl Drop for Splitter {
    fn drop(&mut self) {
        self.pending.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use data_encoding::BASE64;

    use super::*;

    fn describe(piece: Piece) -> String {
        match piece {
            Piece::Text(text) => text,
            Piece::Variable(set) => format!("<{}={}>", set.name, *set.value),
            Piece::Refused(reason) => format!("<{reason:?}>"),
        }
    }

    fn all(splitter: &mut Splitter, masker: &Masker) -> Vec<String> {
        std::iter::from_fn(|| splitter.next(masker)).map(describe).collect()
    }

    /// What a stream makes that comes in the given pieces and then ends.
    fn run(variables: bool, secrets: &[&str], reads: &[&[u8]]) -> Vec<String> {
        let (mut splitter, masker) =
            (Splitter::new(variables.then(|| Opening::of("t0k3n"))), Masker::new(secrets));
        let mut found = Vec::new();
        for bytes in reads {
            splitter.feed(bytes, Instant::now());
            found.extend(all(&mut splitter, &masker));
        }
        found.extend(splitter.finish(&masker).map(describe));
        found.extend(all(&mut splitter, &masker));
        found
    }

    #[test]
    fn a_stream_is_split_in_lines() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[], &[]),
            (&[b"one\ntwo\n"], &["one", "two"]),
            (&[b"o", b"ne\n\nthr", b"ee"], &["one", "", "three"]),
            (&[b"windows\r\n", b"half\r", b"\n"], &["windows", "half"]),
            (&[b"gr\xc3", b"\xb6sse\n"], &["grösse"]),
            (&[b"is hun", b"ter2\nhunt", b"er2"], &["is ********", "********"]),
            (&[b"#", b"\n##windlass[setV", b"\n#"], &["#", "##windlass[setV", "#"]),
        ];
        for (reads, expected) in cases {
            assert_eq!(run(true, &["hunter2"], reads), *expected, "{reads:?}");
        }
    }

    #[test]
    fn a_long_line_is_split_and_a_secret_on_the_cut_is_masked() {
        for before in limits::LINE_BYTES - 8..limits::LINE_BYTES + 2 {
            let line = format!("{}hunter2{}", "x".repeat(before), "y".repeat(limits::LINE_BYTES));
            let expected = line.replace("hunter2", crate::mask::MASK);
            for read in [1000, 4096, 65536] {
                let reads: Vec<&[u8]> = line.as_bytes().chunks(read).collect();
                let found = run(true, &["hunter2"], &reads);
                assert_eq!(found.concat(), expected, "{before} {read}");
                assert!(found.len() >= 2 && found.iter().all(|part| part.len() <= limits::LINE_BYTES));
            }
        }
    }

    #[test]
    fn a_line_without_end_is_shown_after_a_second_but_not_the_beginning_of_a_secret() {
        let (mut splitter, masker) = (Splitter::new(Some(Opening::of("t0k3n"))), Masker::new(["hunter2"]));
        let start = Instant::now();
        splitter.feed(b"line\nPassword: hunt", start);
        assert_eq!(all(&mut splitter, &masker), ["line"]);
        assert_eq!(splitter.flush_at(), Some(start + limits::LINE_PATIENCE));
        splitter.flush(&masker);
        assert_eq!(all(&mut splitter, &masker), ["Password: "]);
        assert_eq!(splitter.flush_at(), None);
        splitter.feed(b"er2\n\n", start + Duration::from_secs(9));
        assert_eq!(all(&mut splitter, &masker), ["********", ""]);
        assert_eq!(splitter.flush_at(), None);
    }

    #[test]
    fn the_end_of_a_line_that_was_shown_makes_no_line() {
        let (mut splitter, masker) = (Splitter::new(Some(Opening::of("t0k3n"))), Masker::default());
        splitter.feed(b"Password: ", Instant::now());
        assert!(splitter.next(&masker).is_none());
        splitter.flush(&masker);
        splitter.feed(b"\nnext\n", Instant::now());
        assert_eq!(all(&mut splitter, &masker), ["Password: ", "next"]);
    }

    #[test]
    fn patience_begins_with_the_line_that_waits() {
        let (mut splitter, masker) = (Splitter::new(Some(Opening::of("t0k3n"))), Masker::default());
        let start = Instant::now();
        splitter.feed(b"a", start);
        let later = start + Duration::from_millis(900);
        splitter.feed(b"b\nc", later);
        assert_eq!(all(&mut splitter, &masker), ["ab"]);
        assert_eq!(splitter.flush_at(), Some(later + limits::LINE_PATIENCE));
    }

    #[test]
    fn a_variable_is_seen_whole_on_standard_output_only() {
        let line = format!(
            "##windlass[setVariable token='t0k3n' name='{}' value='{}' sensitive='{}']",
            BASE64.encode(b"Url"),
            BASE64.encode(b"a"),
            BASE64.encode(b"False")
        );
        let (first, second) = line.as_bytes().split_at(30);
        assert_eq!(run(true, &[], &[first, second, b"\nx\n"]), ["<Url=a>", "x"]);
        assert_eq!(run(true, &[], &[line.as_bytes()]), ["<Url=a>"]);
        assert_eq!(run(false, &[], &[line.as_bytes(), b"\n"]), [line.as_str()]);
        let forged = line.replace("t0k3n", "t0k3m");
        assert_eq!(run(true, &[], &[forged.as_bytes(), b"\n", line.as_bytes()]), [&forged, "<Url=a>"]);

        let (mut splitter, masker) = (Splitter::new(Some(Opening::of("t0k3n"))), Masker::default());
        splitter.feed(first, Instant::now());
        assert!(splitter.next(&masker).is_none());
        assert_eq!(splitter.flush_at(), None, "a part of it may be a secret");
    }

    #[test]
    fn a_variable_that_is_cut_off_or_too_long_is_not_printed() {
        let opening = b"##windlass[setVariable token='t0k3n' name='VXJs' value='".as_slice();
        assert_eq!(run(true, &[], &[opening]), ["<Incomplete>"]);
        let value = "QUFB".repeat(limits::MESSAGE_BYTES / 4);
        let reads = [opening, value.as_bytes(), value.as_bytes(), b"']\nnext"];
        assert_eq!(run(true, &[], &reads), ["<Incomplete>", "next"]);
        assert_eq!(run(true, &[], &reads[..3]), ["<Incomplete>"]);
    }
}
