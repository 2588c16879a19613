//! Faults of a document as one sentence, with the nearest valid key.

use serde_saphyr::Error;
use windlass_sentences::unknown;

/// The sentence for an error of the parser.
pub fn sentence(error: &Error) -> String {
    match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } if expected.is_empty() => {
            format!("`{field}` is one key too many here")
        }
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands here twice"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands here twice".to_owned(),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            format!("this is {unexpected}, and should be {expected}")
        }
        Error::Message { msg, .. } => first_line(msg),
        other => in_plain_words(&first_line(&plain(other))),
    }
}

/// What the parser says in its own words.
fn in_plain_words(said: &str) -> String {
    let meant = match said {
        "expected sequence start" => "this should be a list, as in [a, b]",
        "expected mapping start" => "this should be keys and values, as in {key: value}",
        "expected string scalar" => "this should be a text",
        "invalid boolean" => "this should be true or false",
        _ if said.starts_with("invalid u") => "this should be a whole number from 0",
        _ if said.starts_with("budget breached") => {
            "the document has too many parts, or refers to itself too often"
        }
        _ if said.starts_with("unexpected character") => "a character stands here that no text has",
        _ if said.ends_with("found a tab") => "a tab stands here; YAML is indented with spaces",
        other => other,
    };
    meant.to_owned()
}

/// The message alone: the place is said before it, by us.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let cut = text.find(" at line ").or_else(|| text.find(" (at line "));
    match (text.strip_prefix("error: line "), cut) {
        (Some(rest), _) => rest.split_once(": ").map_or(rest, |(_, message)| message).to_owned(),
        (None, Some(cut)) => text[..cut].to_owned(),
        (None, None) => text,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("this is no document").trim_end_matches(':').to_owned()
}
