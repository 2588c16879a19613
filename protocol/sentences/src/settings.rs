//! Configuration in TOML: every fault names file and line, an unknown key comes with the nearest valid one.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::files::read_text;
use crate::nearest::unknown;
use crate::system::plain_words;

/// Bytes of a configuration file: more than anybody writes by hand.
pub const SETTINGS_BYTES: u64 = 1 << 20;

pub fn read_settings<T: DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    parse_settings(path, &read_text("the configuration", path, SETTINGS_BYTES)?)
}

/// Parses the text of a configuration file.
pub fn parse_settings<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Fault> {
    toml::from_str(text).map_err(|why| {
        let start = why.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
        let key = text.lines().nth(line).and_then(key_of);
        let sentence = sentence(why.message(), key);
        Fault::usage(format!("{}:{}: {sentence}", path.display(), line + 1))
    })
}

/// The key that a line gives a value, as it is written.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    (!key.is_empty() && key.chars().all(is_word)).then_some(key)
}

/// The sentence for what serde or the parser says. serde's own sentences have a fixed form.
fn sentence(message: &str, key: Option<&str>) -> String {
    let message = message.lines().next().unwrap_or("this is no TOML");
    let of_key = key.map(|key| format!("`{key}`: ")).unwrap_or_default();
    if let Some((word, known)) = word_and_known(message, "unknown field ") {
        return unknown("key", word, &known);
    }
    if let Some((word, known)) = word_and_known(message, "unknown variant ") {
        return format!("{of_key}{}", unknown("word", word, &known));
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("the key {field} is missing");
    }
    let types = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    if let Some((found, expected)) = types {
        return format!("{of_key}this is {}, and should be {}", type_name(found), type_name(expected));
    }
    if message.starts_with("duplicate key") {
        return key
            .map_or_else(|| "a key stands twice".to_owned(), |key| format!("the key `{key}` stands twice"));
    }
    format!("{of_key}{}", plain_words(message))
}

/// `` `a`, expected one of `b`, `c` `` as the word and the known ones.
fn word_and_known<'a>(message: &'a str, start: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let quoted: Vec<_> = message.strip_prefix(start)?.split('`').skip(1).step_by(2).collect();
    let (word, known) = quoted.split_first()?;
    Some((word, known.to_vec()))
}

/// What TOML calls a thing that Rust calls otherwise.
fn type_name(found: &str) -> String {
    let renamed = match found {
        "a sequence" | "sequence" => "a list",
        "a string" | "path string" => "a text in quotes",
        "a map" | "map" => "a table",
        "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number",
        "socket address" => "an address such as \"[::]:4433\"",
        other => other,
    };
    let kind = renamed.split_once(' ').map_or(renamed, |(kind, _)| kind);
    match (kind, renamed.split_once('`'), renamed.split_once('"')) {
        ("integer" | "boolean" | "floating", Some((_, value)), _) => {
            format!("the value {}", value.trim_end_matches('`'))
        }
        ("string", _, Some((_, value))) => format!("the text \"{value}"),
        _ => renamed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[allow(dead_code)]
    struct Example {
        roles: Option<Vec<String>>,
        port: Option<u16>,
        address: Option<std::net::SocketAddr>,
        isolation: Option<Isolation>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Isolation {
        Accounts,
        None,
    }

    #[test]
    fn every_fault_names_file_line_and_what_would_be_right() {
        for (text, expected) in [
            ("port = 1\nrols = []", "a.toml:2: unknown key `rols`; did you mean `roles`?"),
            ("roles = \"web\"", "a.toml:1: `roles`: this is the text \"web\", and should be a list"),
            ("roles = [1]", "a.toml:1: `roles`: this is the value 1, and should be a text in quotes"),
            ("port = true", "a.toml:1: `port`: this is the value true, and should be a whole number"),
            ("isolation = \"nome\"", "a.toml:1: `isolation`: unknown word `nome`; did you mean `none`?"),
            ("port = 1\nport = 2", "a.toml:2: the key `port` stands twice"),
            ("address = \"here\"", "a.toml:1: `address`: it is no address with a port, such as [::]:4433"),
        ] {
            let fault = parse_settings::<Example>(Path::new("a.toml"), text).expect_err("it is wrong");
            assert_eq!(fault.sentence, expected);
        }
    }
}
