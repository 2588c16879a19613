//! Filters with regular expressions.
//!
//! Octostache's patterns are .NET's. Those that people write are understood here as well, but not look-around and
//! references back into the match, which no engine with bounded time has. An argument that is data means its own
//! characters: a tenant's value is no pattern (SEMANTICS 6).

use std::borrow::Cow;

use regex_lite::{Captures, Regex, RegexBuilder};

use super::Surroundings;
use crate::limits;
use crate::lookup::Kind;

/// `Match pattern`.
pub(super) fn matches(text: &str, arguments: &[String], surroundings: Surroundings<'_>) -> Option<String> {
    let [pattern] = arguments else { return None };
    let found = if is_literal(pattern) || surroundings.is_data(0) {
        text.contains(pattern.as_str())
    } else {
        let regex = compiled(pattern, &surroundings)?;
        charge(surroundings.work, text.len())?;
        regex.is_match(text)
    };
    Some(found.to_string())
}

/// `Replace pattern` or `Replace pattern replacement`, where `$1`, `${name}` and `$&` stand for what was matched.
pub(super) fn replace(text: &str, arguments: &[String], surroundings: Surroundings<'_>) -> Option<String> {
    let (pattern, replacement) = match arguments {
        [pattern] => (pattern, ""),
        [pattern, replacement, ..] => (pattern, replacement.as_str()),
        [] => return None,
    };
    let (literal, plain) = (surroundings.is_data(0), surroundings.is_data(1));
    let is_pattern = pattern.is_empty() || !literal && !is_literal(pattern);
    if is_pattern || (!plain && replacement.contains('$')) {
        let pattern =
            if literal { Cow::Owned(regex_lite::escape(pattern)) } else { Cow::Borrowed(pattern.as_str()) };
        let regex = compiled(&pattern, &surroundings)?;
        let replacement = (replacement, plain);
        return replace_matches(text, &regex, replacement, surroundings.work);
    }
    let added = text.matches(pattern.as_str()).count().checked_mul(replacement.len())?;
    (added <= limits::FILTERED_BYTES).then(|| text.replace(pattern.as_str(), replacement))
}

impl Surroundings<'_> {
    /// Whether the argument at this place is data.
    fn is_data(&self, place: usize) -> bool {
        self.data.get(place) == Some(&true)
    }
}

/// Whether the pattern means nothing but itself.
fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}

fn compiled(pattern: &str, surroundings: &Surroundings<'_>) -> Option<Regex> {
    // A tenant must not be able to keep a machine busy that others share.
    if surroundings.kind == Kind::Data {
        return None;
    }
    RegexBuilder::new(pattern).size_limit(limits::PATTERN_BYTES).build().ok()
}

/// Pays for a search through so many bytes.
fn charge(work: &mut usize, bytes: usize) -> Option<()> {
    *work = work.checked_sub(bytes.saturating_mul(limits::PATTERN_WORK)).unwrap_or_default();
    (*work > 0).then_some(())
}

fn replace_matches(
    text: &str,
    regex: &Regex,
    (replacement, plain): (&str, bool),
    work: &mut usize,
) -> Option<String> {
    let mut result = String::new();
    let mut copied = 0;
    charge(work, text.len())?;
    for captures in regex.captures_iter(text) {
        let whole = captures.get(0)?;
        result.push_str(&text[copied..whole.start()]);
        if plain {
            result.push_str(replacement);
        } else {
            expand(replacement, &captures, &mut result);
        }
        copied = whole.end();
        if result.len() > limits::FILTERED_BYTES {
            return None;
        }
        // The next search may look at everything that is left, and find nothing better than a byte.
        charge(work, text.len() - copied)?;
    }
    result.push_str(&text[copied..]);
    Some(result)
}

/// .NET's replacements: other than in Rust's, `$1a` is the first group and an `a`, and what is no group stays.
fn expand(replacement: &str, captures: &Captures<'_>, result: &mut String) {
    let mut rest = replacement;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (group, length) = if rest.starts_with('$') {
            result.push('$');
            rest = &rest[1..];
            continue;
        } else if rest.starts_with('&') {
            (Some(0), 1)
        } else if digits > 0 {
            (rest[..digits].parse::<usize>().ok(), digits)
        } else if let Some(end) = rest.strip_prefix('{').and_then(|name| name.find('}')) {
            let name = &rest[1..=end];
            if let Some(group) = captures.name(name) {
                result.push_str(group.as_str());
                rest = &rest[end + 2..];
                continue;
            }
            (name.parse::<usize>().ok(), end + 2)
        } else {
            (None, 0)
        };
        match group.filter(|group| *group < captures.len()) {
            Some(group) => result.push_str(captures.get(group).map_or("", |group| group.as_str())),
            None => result.extend(["$", &rest[..length]]),
        }
        rest = &rest[length..];
    }
    result.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::Filter;
    use super::super::tests::filtered;
    use super::*;

    #[test]
    fn what_matches_is_replaced() {
        for (text, arguments, expected) in [
            ("abc", &["abc", "def"][..], Some("def")),
            ("abc", &["a"], Some("bc")),
            ("ABC", &["abc", "def"], Some("ABC")),
            ("ababa", &["a", "x"], Some("xbxbx")),
            ("ababa", &["^a", "x"], Some("xbaba")),
            ("ababa", &["a$", "x"], Some("ababx")),
            ("a'b", &["[a-z]+", "1"], Some("1'1")),
            ("a(b", &[r"a\(b", "d(e"], Some("d(e")),
            ("opuocts", &["o(.+)o([a-z]*)s", "o$2o$1s"], Some("octopus")),
            ("1;2;3", &[";", ", "], Some("1, 2, 3")),
            ("C:\\a", &[r"\\", "/"], Some("C:/a")),
            ("ab", &["(?<x>a)", "[${x}$$$&$9${y}$]"], Some("[a$a$9${y}$]b")),
            ("ab", &["a", "$0$0"], Some("aab")),
            ("ab", &["", "-"], Some("-a-b-")),
            ("äöü", &["ö", "o"], Some("äoü")),
            ("äöü", &["[^ä]+", "o"], Some("äo")),
            ("abc", &["(", "x"], None),
            ("abc", &["(?=b)", "x"], None),
            ("abc", &["(a{1000}){1000}", "x"], None),
            ("abc", &[], None),
        ] {
            assert_eq!(filtered("Replace", text, arguments).as_deref(), expected, "{text} {arguments:?}");
        }
    }

    #[test]
    fn data_may_use_literal_patterns_only() {
        for (pattern, expected) in [("b", Some("axc")), ("[b]", None)] {
            let arguments = [pattern.to_owned(), "x".to_owned()];
            let surroundings =
                Surroundings { shell: None, kind: Kind::Data, data: &[], work: &mut limits::WORK.clone() };
            assert_eq!(Filter::Replace.apply(Some("abc"), &arguments, surroundings).as_deref(), expected);
        }
    }

    #[test]
    fn searches_that_look_at_everything_again_and_again_run_out_of_work() {
        let text = "A".repeat(64 << 10);
        let mut work = 1 << 20;
        let arguments = [".*[^A-Z]|[A-Z]".to_owned()];
        let surroundings = Surroundings { shell: None, kind: Kind::Code, data: &[], work: &mut work };
        assert_eq!(Filter::Replace.apply(Some(&text), &arguments, surroundings), None);
        assert_eq!(work, 0);
    }
}
