//! Tables: a header, columns, and colours where somebody sees them.

use std::fmt;
use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, Color, ContentArrangement};
use windlass_protocol::names::is_unprintable;

/// A table that is filled row by row.
pub struct Table {
    table: comfy_table::Table,
    colours: bool,
    empty: bool,
}

impl Table {
    /// A table with these columns.
    pub fn new(headers: &[&str]) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        // A pipe gets every row as one line.
        let arrangement = if terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(arrangement);
        if !colours {
            table.force_no_tty();
        }
        let header = |text: &&str| {
            let cell = Cell::new(text.to_uppercase());
            if colours { cell.add_attribute(Attribute::Bold) } else { cell }
        };
        table.set_header(headers.iter().map(header));
        Self { table, colours, empty: true }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.empty = false;
        let colours = self.colours;
        self.table.add_row(cells.into_iter().map(|text| {
            // One row, one line: what came from elsewhere may hold breaks and worse.
            let clean: String =
                text.chars().map(|found| if is_unprintable(found) { ' ' } else { found }).collect();
            match colour(&clean).filter(|_| colours) {
                Some(colour) => Cell::new(clean).fg(colour),
                None => Cell::new(clean),
            }
        }));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.empty {
            return formatter.write_str("nothing");
        }
        for (index, line) in self.table.lines().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The colour of words that say how something stands.
fn colour(text: &str) -> Option<Color> {
    match text {
        "succeeded" | "created" | "in" | "run" | "allowed" => Some(Color::Green),
        "failed" | "revoked" | "disabled" | "scope-removed" => Some(Color::Red),
        "running" | "fetching" | "queued" | "changed" | "assigned" => Some(Color::Yellow),
        "out" | "skipped" | "unchanged" | "waiting" | "not-reached" | "–" => Some(Color::DarkGrey),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_is_in_it() {
        let mut table = Table::new(&["name", "state"]);
        table.row(vec!["a\nb\u{1b}[31m".to_owned(), "failed".to_owned()]);
        let text = table.to_string();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'), "no terminal, no colours");
    }
}
