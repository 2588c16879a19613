//! JSON inside values: members by name and index, elements to go through.
//!
//! Only one level is taken apart at a time and the rest stays text, so that members keep their order and numbers their
//! digits.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits;

/// One level of a JSON text that is an array or an object.
enum Level<'a> {
    Array(Vec<&'a RawValue>),
    Object(Vec<(String, &'a RawValue)>),
}

/// What a JSON text has to go through.
pub(crate) enum Elements {
    /// The values of an array.
    Values(Vec<String>),
    /// The names and values of an object.
    Members(Vec<(String, String)>),
}

/// The member `key` of the object, or the element with that number of the array, that `text` is. One that is not there
/// is empty, as in Octostache; `None` means that `text` cannot have members.
pub(crate) fn member(text: &str, key: &str) -> Option<String> {
    match level(text)? {
        Level::Array(elements) => {
            let index = key.parse::<usize>().ok()?;
            Some(elements.get(index).map(|raw| plain(raw)).unwrap_or_default())
        }
        // Of two members with one name the last counts.
        Level::Object(members) => {
            let found = members.iter().rev().find(|(name, _)| name == key);
            Some(found.map(|(_, raw)| plain(raw)).unwrap_or_default())
        }
    }
}

/// All elements of the array or object that `text` is.
pub(crate) fn elements(text: &str) -> Option<Elements> {
    Some(match level(text)? {
        Level::Array(elements) => Elements::Values(elements.into_iter().map(plain).collect()),
        Level::Object(members) => {
            Elements::Members(members.into_iter().map(|(name, raw)| (name, plain(raw))).collect())
        }
    })
}

fn level(text: &str) -> Option<Level<'_>> {
    // Most values are no JSON at all.
    if text.len() > limits::JSON_BYTES || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A JSON value as Octostache inserts it: strings without quotes, `null` as nothing, truth values with a capital.
fn plain(raw: &RawValue) -> String {
    let raw = raw.get();
    match raw.as_bytes().first() {
        // Half a surrogate pair is well-formed JSON but no text; then it stays as it was written.
        Some(b'"') => serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()),
        Some(b'{' | b'[') => compact(raw),
        Some(b't') => "True".to_owned(),
        Some(b'f') => "False".to_owned(),
        Some(b'n') => String::new(),
        _ => raw.to_owned(),
    }
}

/// The same JSON without white space between its parts.
fn compact(raw: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |character: &char| {
        if in_string {
            in_string = escaped || *character != '"';
            escaped = !escaped && *character == '\\';
            return true;
        }
        in_string = *character == '"';
        !character.is_ascii_whitespace()
    };
    raw.chars().filter(keep).collect()
}

impl<'de> Deserialize<'de> for Level<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LevelVisitor;

        impl<'de> Visitor<'de> for LevelVisitor {
            type Value = Level<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = access.next_element()? {
                    elements.push(element);
                }
                Ok(Level::Array(elements))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Level::Object(members))
            }
        }

        deserializer.deserialize_any(LevelVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_made_plain() {
        let text = r#" {"a": {"b" : [1, 2.50, "x \" y" ]}, "s": "t\n", "t": true, "f": false, "n": null, "a.b": 1e5, "s": "last"} "#;
        for (key, expected) in [
            ("a", r#"{"b":[1,2.50,"x \" y"]}"#),
            ("s", "last"),
            ("t", "True"),
            ("f", "False"),
            ("n", ""),
            ("a.b", "1e5"),
            ("A", ""),
        ] {
            assert_eq!(member(text, key).as_deref(), Some(expected), "{key}");
        }
    }

    #[test]
    fn elements_are_found_by_number() {
        for (key, expected) in
            [("0", Some("2")), ("1", Some("three")), ("2", Some("")), ("-1", None), ("x", None)]
        {
            assert_eq!(member(r#"[2, "three"]"#, key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn what_is_not_a_whole_array_or_object_has_no_members() {
        for text in ["", "x", "12", "\"{}\"", "{", "{} x", "{a: 1}", "[1,]", "null"] {
            assert_eq!(member(text, "0"), None, "{text}");
            assert!(elements(text).is_none(), "{text}");
        }
    }

    #[test]
    fn objects_keep_their_order() {
        let Some(Elements::Members(members)) = elements(r#"{"z": 1, "a": "two", "m": [ ]}"#) else {
            panic!("an object");
        };
        let shown: Vec<_> = members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["z=1", "a=two", "m=[]"]);
    }

    #[test]
    fn what_is_very_long_is_no_json() {
        let of = |bytes: usize| format!("[{}]", " ".repeat(bytes - 2));
        assert_eq!(member(&of(limits::JSON_BYTES), "0").as_deref(), Some(""));
        assert_eq!(member(&of(limits::JSON_BYTES + 1), "0"), None);
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        // Either answer is fine: what matters is that there is one.
        assert!(member(&deep, "0").is_none_or(|inner| inner.len() == deep.len() - 2));
    }
}
