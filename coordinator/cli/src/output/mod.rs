//! What a command prints: tables for people, JSON and YAML for programs.

mod table;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use windlass_api::answers::Page;

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
        if let (Format::Table, Some(next)) = (self.format, &page.next) {
            note(&format!(
                "there is more; go on with --after '{next}', or ask for more at once with --limit"
            ));
        }
        Ok(())
    }

    /// Says that something is done, to people only: programs look at the exit code.
    pub fn done(self, sentence: &str) -> Result<(), Failure> {
        if self.format == Format::Table { self.text(sentence) } else { Ok(()) }
    }
}

/// A value in JSON, for people to read as well.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|why| Failure::failed(format!("cannot write JSON: {why}")))
}

/// A value in YAML.
pub fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|why| Failure::failed(format!("cannot write YAML: {why}")))
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
