//! Slugs and display names (SEMANTICS 1).
//!
//! A slug is the only name that ever becomes a part of a path, and the type is the proof that it may: it holds
//! nothing but `[a-z0-9-]`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::{Deserialize, Serialize};

use crate::limits;

/// A known word must be so alike to be suggested.
const ALIKE: f64 = 0.6;

/// 1 to 64 characters of `[a-z0-9-]`, unique in its kind and space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a text is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slug is 1 to 64 characters of a-z, 0-9 and -")]
pub struct NotASlug;

impl Slug {
    /// The slug that a display name suggests: lower case, everything else than letters and digits one dash.
    /// `None` where nothing of the name is left.
    pub fn suggested_by(name: &str) -> Option<Self> {
        let mut text = String::new();
        for character in name.chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                text.push(character);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
            if text.len() == limits::SLUG_BYTES {
                break;
            }
        }
        Self::try_from(text.trim_end_matches('-').to_owned()).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = NotASlug;

    fn try_from(text: String) -> Result<Self, NotASlug> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=limits::SLUG_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(NotASlug)
        }
    }
}

impl FromStr for Slug {
    type Err = NotASlug;

    fn from_str(text: &str) -> Result<Self, NotASlug> {
        Self::try_from(text.to_owned())
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Slug({})", self.0)
    }
}

/// Whether a character is not seen by itself but does something to a terminal or to the text around it, or nobody knows
/// how it looks: control and format characters, separators of lines, what most programs do not show at all, and what
/// Unicode does not know. The joiners that Persian and families of emoji are written with, and the choice of a variant,
/// are none of them: what differs in these alone is the same name.
pub fn is_unprintable(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let unseen = matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::Unassigned
    );
    !is_joiner(character) && (unseen || is_ignorable(character))
}

/// Whether a character only says how those around it are joined, or in which variant they are shown.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

/// Whether a character is shown as nothing where a program does not know what it does.
fn is_ignorable(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// The text as it may be printed: what is unprintable in it is escaped, as `\u{202e}` or `\n`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unprintable(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// 1 to 200 characters, all of them printable, trimmed, unique ignoring case in its kind and space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(String);

/// Why a text is not a display name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Nothing but white space, or too long.
    #[error("a name has 1 to 200 characters")]
    Length,
    /// A line break would forge lines in a terminal or a log, and what is not seen or turns the direction of the text
    /// would make one name look like another.
    #[error(
        "a name has no control characters, line breaks, marks of direction or characters that are not seen"
    )]
    Unprintable,
    /// White space at an end, which nobody can see.
    #[error("a name neither starts nor ends with white space")]
    WhiteSpace,
}

impl DisplayName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two names that differ only in case have in common.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// A name as it is compared: ignoring case, what is not seen, and in which of several ways Unicode has of writing the same
/// characters it is written (NFKC). Two names that differ in nothing else print alike, and are one.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let normal = ComposingNormalizerBorrowed::new_nfkc();
    let seen: String = name.chars().filter(|character| !is_ignorable(*character)).collect();
    // Not every small letter is that of its capital (`ß`, `ς`), so each goes there and back.
    let mut folded = String::with_capacity(seen.len());
    for capital in normal.normalize(&seen).chars().flat_map(char::to_uppercase) {
        folded.extend(capital.to_lowercase());
    }
    normal.normalize(&folded).into_owned()
}

/// Whether a name comes to this one, which is folded already. What is ASCII, as nearly all is, takes no memory.
pub fn folds_to(name: &str, folded: &str) -> bool {
    if name.is_ascii() {
        return name.len() == folded.len()
            && name.bytes().map(|byte| byte.to_ascii_lowercase()).eq(folded.bytes());
    }
    fold(name) == folded
}

/// Refuses what a tenant query on the command line could not name, such as `Ring/Canary,tenant:Customer-2,!Ring/Pinned`.
pub fn check_query_word(name: &str) -> Result<(), NotAQueryWord> {
    let begins = name.starts_with('!') || fold(name).starts_with("tenant:");
    if begins || name.contains(',') { Err(NotAQueryWord) } else { Ok(()) }
}

/// Why a tenant or a tag may not be called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no query could name it; names of tenants and tags have no comma and start neither with `!` nor with `tenant:`"
)]
pub struct NotAQueryWord;

impl TryFrom<String> for DisplayName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        if !(1..=limits::NAME_CHARACTERS).contains(&text.chars().count()) {
            Err(NotAName::Length)
        } else if text.contains(is_unprintable) {
            Err(NotAName::Unprintable)
        } else if text.trim() != text {
            Err(NotAName::WhiteSpace)
        } else {
            Ok(Self(text))
        }
    }
}

impl FromStr for DisplayName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::try_from(text.to_owned())
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

/// The known word that `text` was probably meant to be, if any is near.
pub fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(text);
    let scored = known.map(|word| (strsim::normalized_damerau_levenshtein(&folded, &fold(word)), word));
    let (score, word) = scored.max_by(|one, two| one.0.total_cmp(&two.0))?;
    (score >= ALIKE).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_hold_nothing_that_means_something_in_a_path() {
        for text in ["", ".", "..", "a/b", "A", "a b", "ü", "a\0", &"a".repeat(65)] {
            assert_eq!(text.parse::<Slug>(), Err(NotASlug), "{text:?}");
        }
        for text in ["a", "0", "customer-1", &"a".repeat(64)] {
            assert!(text.parse::<Slug>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_slug_is_suggested_from_a_name() {
        let suggested = |name| Slug::suggested_by(name).map(String::from);
        assert_eq!(suggested("Capital Animal Hospital"), Some("capital-animal-hospital".into()));
        assert_eq!(suggested("  Customer #2 (new!) "), Some("customer-2-new".into()));
        assert_eq!(suggested("日本"), None);
        assert_eq!(suggested(&"x".repeat(100)), Some("x".repeat(64)));
    }

    #[test]
    fn what_is_not_printable_is_printed_escaped() {
        assert!(matches!(visible("as it is, `é`"), Cow::Borrowed("as it is, `é`")));
        assert_eq!(visible("a\u{1b}[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\n\\u{202e}c");
    }

    #[test]
    fn names_are_visible_text() {
        assert_eq!("".parse::<DisplayName>(), Err(NotAName::Length));
        let unprintable =
            ["a\nb", "a\rb", "a\0b", "a\u{1b}[2Jb", "a\u{7f}b", "a\u{85}b", "a\u{2028}b", "a\u{202e}b"];
        let marks = ["a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "\u{feff}a"];
        let unseen = [
            "a\u{200b}b",
            "a\u{ad}b",
            "a\u{2060}b",
            "a\u{180e}b",
            "a\u{115f}b",
            "a\u{3164}b",
            "a\u{34f}b",
            "a\u{e0041}b",
            "a\u{e0100}b",
            "a\u{2fff0}b",
            "a\u{378}b",
        ];
        for text in unprintable.into_iter().chain(marks).chain(unseen) {
            assert_eq!(text.parse::<DisplayName>(), Err(NotAName::Unprintable), "{text:?}");
        }
        for text in ["日本", "Ünïcode", "می\u{200c}خواهم", "👩\u{200d}🔬", "ב"] {
            assert!(text.parse::<DisplayName>().is_ok(), "{text:?}");
        }
        for text in [" a", "a ", "\u{a0}a", "a\u{3000}"] {
            assert_eq!(text.parse::<DisplayName>(), Err(NotAName::WhiteSpace), "{text:?}");
        }
        assert_eq!("é".repeat(201).parse::<DisplayName>(), Err(NotAName::Length));
        assert!("é".repeat(200).parse::<DisplayName>().is_ok());
    }

    #[test]
    fn names_that_print_alike_are_one() {
        for (one, other) in [
            ("Customer-1", "cUSTOMER-1"),
            ("é", "e\u{301}"),
            ("É", "e\u{301}"),
            ("Ｃｕｓｔｏｍｅｒ", "customer"),
            ("ﬁrm", "firm"),
            ("a\u{a0}b", "a b"),
            ("\u{212a}elvin", "kelvin"),
            ("STRASSE", "straße"),
            ("ΟΔΟΣ", "οδος"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("a\u{200d}b", "ab"),
            ("❤\u{fe0f}", "❤"),
            ("①", "1"),
        ] {
            assert_eq!(fold(one), fold(other), "{one:?} {other:?}");
            assert_eq!(fold(&fold(one)), fold(one), "{one:?}");
        }
        for (one, other) in [("a", "b"), ("ab", "a b"), ("ü", "u"), ("日本", "日木")] {
            assert_ne!(fold(one), fold(other));
        }
    }

    #[test]
    fn what_a_query_could_not_name_is_no_name_for_a_tenant_or_a_tag() {
        for name in ["!Pinned", "a,b", "a, b", "tenant:a", "Tenant:a"] {
            assert_eq!(check_query_word(name), Err(NotAQueryWord), "{name}");
        }
        for name in ["a!", "Shared 1", "tenants", "my tenant:a", "a/b"] {
            assert_eq!(check_query_word(name), Ok(()), "{name}");
        }
    }
}
