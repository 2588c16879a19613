//! Masking of secrets in a stream of bytes: pure, and right at every place where the stream may be cut.

use std::cell::OnceCell;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use zeroize::Zeroizing;

use crate::limits;

/// What stands in the place of a secret, whatever its length.
pub const MASK: &str = "********";

/// Finds secrets and puts [`MASK`] in their place. Where secrets overlap, the bytes of all of them are masked, which
/// covers what a search for the leftmost longest one would cover, and more.
#[derive(Default)]
pub struct Masker {
    /// Sorted, so that the secrets with a given beginning stand together.
    secrets: Vec<Zeroizing<Vec<u8>>>,
    /// Built when it is first needed after a change; none without secrets.
    search: OnceCell<Option<AhoCorasick>>,
    longest: usize,
}

/// The masked beginning of a line of which the rest is still to come.
pub struct Beginning {
    /// The masked text.
    pub text: String,
    /// How many of the bytes it stands for. The others may be the beginning of a secret.
    pub taken: usize,
    /// How many of the bytes that were not taken belong to a secret whose mask is in the text already.
    pub covered: usize,
}

impl Masker {
    /// A masker for `secrets`.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut masker = Self::default();
        for secret in secrets {
            masker.add(secret.as_ref());
        }
        masker
    }

    /// Adds one more secret, from now on. Whether it was new.
    pub fn add(&mut self, secret: &str) -> bool {
        let known = self.secrets.len();
        if secret.contains('\n') {
            // Output is looked at line by line. The parts are trimmed because scripts often indent what they print.
            secret.lines().for_each(|line| self.add_line(line.trim()));
        } else {
            self.add_line(secret);
        }
        self.secrets.len() > known
    }

    /// Whether a secret occurs in `text`.
    pub fn finds_in(&self, text: &[u8]) -> bool {
        self.search().is_some_and(|search| search.is_match(text))
    }

    /// The masked text of a complete line, or of its end. The first `covered` bytes belong to a secret whose mask was
    /// given out already.
    pub fn end(&self, line: &[u8], covered: usize) -> String {
        self.render(line, line.len(), &self.secret_ranges(line, covered), covered)
    }

    /// The masked text of as much of an incomplete line as can be judged already.
    pub fn beginning(&self, line: &[u8], covered: usize) -> Beginning {
        let taken = self.undecided(line).min(unfinished_character(line));
        let ranges = self.secret_ranges(line, covered);
        let crossing = ranges.iter().find(|range| range.start < taken && taken < range.end);
        Beginning {
            text: self.render(line, taken, &ranges, covered),
            taken,
            covered: crossing.map_or(covered.saturating_sub(taken), |range| range.end - taken),
        }
    }

    fn add_line(&mut self, line: &str) {
        if line.chars().count() < limits::SECRET_CHARACTERS {
            return;
        }
        if let Err(place) = self.secrets.binary_search_by(|known| known.as_slice().cmp(line.as_bytes())) {
            self.secrets.insert(place, Zeroizing::new(line.as_bytes().to_vec()));
            self.longest = self.longest.max(line.len());
            self.search.take();
        }
    }

    fn search(&self) -> Option<&AhoCorasick> {
        let build = || {
            // The faster kind, which is the default for few patterns, takes a kilobyte for each byte of a secret.
            let kind = Some(AhoCorasickKind::ContiguousNFA);
            let built =
                AhoCorasick::builder().kind(kind).build(self.secrets.iter().map(|secret| secret.as_slice()));
            built.expect("a job's secrets are far fewer than an automaton's 2^31 states")
        };
        self.search.get_or_init(|| (!self.secrets.is_empty()).then(build)).as_ref()
    }

    /// The places of all secrets, ascending; those that overlap are one.
    fn secret_ranges(&self, line: &[u8], covered: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        if covered > 0 {
            ranges.push(0..covered);
        }
        let Some(search) = self.search() else { return ranges };
        // Matches come in the order of their ends, so a new one can swallow only the last ones.
        for found in search.find_overlapping_iter(line) {
            let mut range = found.range();
            while let Some(last) = ranges.pop_if(|last| last.end > range.start) {
                range = range.start.min(last.start)..range.end.max(last.end);
            }
            ranges.push(range);
        }
        ranges
    }

    fn render(&self, line: &[u8], until: usize, ranges: &[Range<usize>], covered: usize) -> String {
        let mut text = String::with_capacity(until);
        let mut at = 0;
        for range in ranges.iter().take_while(|range| range.start < until) {
            text.push_str(&String::from_utf8_lossy(&line[at..range.start]));
            if covered == 0 || range.start > 0 {
                text.push_str(MASK);
            }
            at = range.end.min(until);
        }
        text.push_str(&String::from_utf8_lossy(&line[at..until]));
        text
    }

    /// Where the longest end of `line` begins that more bytes could make a secret.
    fn undecided(&self, line: &[u8]) -> usize {
        let first = line.len() - line.len().min(self.longest.saturating_sub(1));
        (first..line.len()).find(|at| self.may_become_a_secret(&line[*at..])).unwrap_or(line.len())
    }

    fn may_become_a_secret(&self, end: &[u8]) -> bool {
        let place = self.secrets.partition_point(|secret| secret.as_slice() <= end);
        self.secrets.get(place).is_some_and(|secret| secret.starts_with(end))
    }
}

/// Where a character begins whose last bytes are still missing.
fn unfinished_character(line: &[u8]) -> usize {
    let tail = line.len() - line.len().min(3);
    (tail..line.len())
        .find(|at| match std::str::from_utf8(&line[*at..]) {
            Ok(_) => false,
            Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
        })
        .unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_of_four_characters_and_more_are_masked() {
        let cases: &[(&[&str], &str, &str)] = &[
            (&[], "nothing to hide", "nothing to hide"),
            (&["hunter2"], "password=hunter2;", "password=********;"),
            (&["hunter2", "hunter2000"], "a hunter2000 b hunter2 c", "a ******** b ******** c"),
            (&["abc"], "abc is too short", "abc is too short"),
            (&["äöü"], "äöü is three characters", "äöü is three characters"),
            (&["äöüß"], "äöüß is four", "******** is four"),
            (&["xabc", "abcd"], "xabcd", "********"),
            (&["aaaa"], "aaaaaa b aaaa", "******** b ********"),
            (&["abcd", "efgh"], "abcdefgh", "****************"),
            (&["line one\nline two\r\n}\n"], "got line one", "got ********"),
            (&["line one\nline two\r\n}\n"], "  line two }", "  ******** }"),
            (&["  indented\n  secret"], "indented", "********"),
            (&["Hunter2"], "hunter2 is written otherwise", "hunter2 is written otherwise"),
        ];
        for (secrets, line, expected) in cases {
            assert_eq!(Masker::new(*secrets).end(line.as_bytes(), 0), *expected, "{secrets:?} in {line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_replacement_characters() {
        assert_eq!(Masker::new(["hunter2"]).end(b"\xff hunter2 \xc3", 0), "\u{fffd} ******** \u{fffd}");
    }

    #[test]
    fn an_incomplete_line_is_shown_up_to_what_may_become_a_secret() {
        let cases: &[(&[&str], &str, &str, usize, usize)] = &[
            (&["hunter2"], "Password: ", "Password: ", 10, 0),
            (&["hunter2"], "is hunt", "is ", 3, 0),
            (&["hunter2", "hunter2000"], "is hunter2", "is ", 3, 0),
            (&["xabc", "abcd"], "is xabc", "is ********", 4, 3),
            (&["hunter2"], "is hunter2 ", "is ******** ", 11, 0),
        ];
        for (secrets, line, text, taken, covered) in cases {
            let found = Masker::new(*secrets).beginning(line.as_bytes(), 0);
            assert_eq!(
                (found.text.as_str(), found.taken, found.covered),
                (*text, *taken, *covered),
                "{line}"
            );
        }
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        let found = Masker::default().beginning("größe €".as_bytes().split_last().expect("not empty").1, 0);
        assert_eq!((found.text.as_str(), found.taken), ("größe ", 8));
        assert_eq!(Masker::default().beginning(b"a\xff", 0).taken, 2);
    }

    #[test]
    fn a_secret_that_is_learned_later_is_masked_from_then_on() {
        let mut masker = Masker::new(["hunter2"]);
        assert!(!masker.finds_in(b"a new token"));
        masker.add("token");
        assert!(masker.finds_in(b"a new token"));
        assert_eq!(masker.end(b"hunter2 token", 0), "******** ********");
    }

    proptest! {
        #[test]
        fn however_a_line_is_cut_the_masked_text_is_the_same(
            secrets in prop::collection::vec("[abc]{4,7}", 0..4),
            line in "[abcd]{0,40}",
            cuts in prop::collection::vec(0usize..40, 0..6),
        ) {
            let masker = Masker::new(&secrets);
            let (mut text, mut pending, mut covered) = (String::new(), Vec::new(), 0);
            for (at, byte) in line.bytes().enumerate() {
                pending.push(byte);
                if cuts.contains(&at) {
                    let beginning = masker.beginning(&pending, covered);
                    text.push_str(&beginning.text);
                    pending.drain(..beginning.taken);
                    covered = beginning.covered;
                }
            }
            text.push_str(&masker.end(&pending, covered));
            prop_assert_eq!(text, masker.end(line.as_bytes(), 0));
        }
    }
}
