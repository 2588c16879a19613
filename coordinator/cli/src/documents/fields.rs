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
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("{}; it is one of {}", unknown("word", variant, expected), expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands here twice"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands here twice".to_owned(),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            format!("this is {unexpected}, and should be {expected}")
        }
        Error::Message { msg, .. } => first_line(msg),
        other => first_line(&plain(other)),
    }
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
