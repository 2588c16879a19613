//! What a command prints: tables for people, JSON and YAML for programs.

mod table;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use windlass_api::answers::Page;
use windlass_protocol::names::is_unprintable;

pub use table::Table;

use crate::failure::Failure;

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// As the API answers.
    Json,
    /// The same as YAML; what `apply` reads, where `apply` reads it.
    Yaml,
}

/// Standard output, in the format that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// The format.
    pub format: Format,
}

impl Output {
    /// Writes a text.
    pub fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| {
            if text.ends_with('\n') || text.is_empty() { Ok(()) } else { out.write_all(b"\n") }
        });
        written.and_then(|()| out.flush()).map_err(|why| match why.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            _ => Failure::failed(format!("cannot write the output: {why}")),
        })
    }

    /// Writes a value in JSON or YAML, or what `table` makes of it.
    pub fn show<T: Serialize>(self, value: &T, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&table(value)),
            Format::Json => self.text(&json(value)?),
            Format::Yaml => self.text(&yaml(value)?),
        }
    }

    /// Writes a part of a list, and how to get the next one.
    pub fn page<T: Serialize>(
        self,
        page: &Page<T>,
        headers: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        self.show(page, |page| {
            let mut table = Table::new(headers);
            page.items.iter().for_each(|item| table.row(row(item)));
            table.to_string()
        })?;
        self.more(page.next.as_deref());
        Ok(())
    }

    /// Says to people where the following part of a list begins, if there is one.
    pub fn more(self, next: Option<&str>) {
        if let (Format::Table, Some(next)) = (self.format, next) {
            note(&format!(
                "there is more; go on with --after '{next}', or ask for more at once with --limit"
            ));
        }
    }

    /// Says that something is done, to people only: programs look at the exit code.
    pub fn done(self, sentence: &str) -> Result<(), Failure> {
        if self.format == Format::Table { self.text(sentence) } else { Ok(()) }
    }
}

/// A value in JSON, for people to read as well: what would move a terminal's cursor or turn its text around is escaped.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(no_json)?;
    Ok(escaped(&text))
}

/// A value in JSON on one line.
pub fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    Ok(escaped(&serde_json::to_string(value).map_err(no_json)?))
}

fn no_json(why: serde_json::Error) -> Failure {
    Failure::failed(format!("cannot write JSON: {why}"))
}

/// A value in YAML, unless it has something unprintable that plain YAML cannot escape; JSON can, and is YAML too.
pub fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(value);
    let text = text.map_err(|why| Failure::failed(format!("cannot write YAML: {why}")))?;
    if text.contains(harms) { json(value) } else { Ok(text) }
}

/// JSON with everything unprintable escaped. Outside of its strings it has nothing of the kind but line breaks.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if harms(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn harms(character: char) -> bool {
    character != '\n' && is_unprintable(character)
}

/// Says something beside the output, on standard error.
pub fn note(text: &str) {
    // Nobody may read it; that changes nothing.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether there is somebody who sees bars move: standard error is a terminal.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Bytes as people read them.
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// Names in one cell.
pub fn joined(names: &[String]) -> String {
    names.join(", ")
}

/// Yes or no.
pub fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// What there is, or a dash.
pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("–").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character that no terminal should be given, between two letters that it may.
    fn hostile() -> Vec<String> {
        let all = ('\0'..=char::MAX).filter(|character| is_unprintable(*character));
        all.map(|character| format!("a{character}b")).collect()
    }

    #[test]
    fn nothing_unprintable_leaves_as_json_or_yaml_and_all_of_it_comes_back() {
        let texts = hostile();
        assert!(texts.len() > 70, "{}", texts.len());
        for text in
            [json(&texts), json_line(&texts), yaml(&texts)].map(|text| text.expect("it can be written"))
        {
            assert!(!text.contains(harms), "{text:?}");
            assert_eq!(serde_json::from_str::<Vec<String>>(&text).expect("it is JSON"), texts);
        }
        for text in &texts {
            let said = yaml(text).expect("it can be written");
            assert!(!said.contains(harms), "{said:?}");
            assert_eq!(serde_saphyr::from_str::<String>(&said).expect("it is YAML"), *text);
        }
        assert_eq!(escaped("\"\u{7f}\u{9b}\u{202e}\""), "\"\\u007f\\u009b\\u202e\"");
        assert_eq!(yaml(&["a", "é"]).expect("it can be written"), "- a\n- é\n");
    }
}
