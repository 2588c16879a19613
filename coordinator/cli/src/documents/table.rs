//! A list of tenants as other programs export it: CSV with a head, one tenant a row (SEMANTICS 2, "imported in bulk").
//!
//! The columns are `name`, `slug`, `tags` (`Set/Tag; …`), `connect` (`Project: Environment, …; …`), and one for each value:
//! `Owner: Template`, or `Owner: Template @ Environment`. What a cell leaves out, nothing is said of. Cells are values and
//! nothing else, whoever wrote them; where a column's head ends with `(from-env)` or `(from-file)` they name a variable of the
//! environment or a file.

use std::collections::BTreeMap;

use windlass_api::documents::{Document, TenantDocument, ValueText};
use windlass_api::requests::PlacedDocument;
use windlass_protocol::names::fold;

use super::{Surroundings, resolve};
use crate::failure::Failure;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// Without a head, and with nothing in it.
    Empty,
    Name,
    Slug,
    Tags,
    Connect,
    Value {
        owner: String,
        template: String,
        environment: Option<String>,
        from: From,
    },
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Cell,
    Environment,
    File,
}

impl Column {
    /// Whether both are for the same, however they are written.
    fn is_same(&self, other: &Self) -> bool {
        let place = |column: &Self| match column {
            Self::Value { owner, template, environment, from: _ } => {
                Some([fold(owner), fold(template), environment.as_deref().map(fold).unwrap_or_default()])
            }
            _ => None,
        };
        self == other || place(self).is_some() && place(self) == place(other)
    }
}

/// Reads the tenants of a list that came from `source` (a file's name), secrets from their places.
pub fn read(
    source: &str,
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<PlacedDocument>, Failure> {
    // Lines are counted by one character.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    // A spreadsheet says by it what it separates with, to others of its kind; the line stays, so that lines are counted.
    let (said, text) = match text.strip_prefix("sep=").and_then(|rest| rest.split_once('\n')) {
        Some((said, rest)) if said.len() == 1 => (said.bytes().next(), format!("\n{rest}")),
        _ => (None, text),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(said.unwrap_or_else(|| delimiter(&text)))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |why: csv::Error| {
        let line = why.position().map_or(1, csv::Position::line);
        let sentence = match why.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!(
                    "this row has {len} cells, and the first one {expected_len}; put text with separators in it into quotes"
                )
            }
            _ => why.to_string(),
        };
        Failure::usage(format!("{source}:{line}: {sentence}"))
    };
    let head = reader.headers().map_err(unreadable)?.clone();
    let columns = columns(&head).map_err(|sentence| Failure::usage(format!("{source}:1: {sentence}")))?;
    let mut documents = Vec::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let place = format!("{source}:{}", row.position().map_or(1, csv::Position::line));
        let wrong = |sentence: String| Failure::usage(format!("{place}: {sentence}"));
        if row.iter().all(str::is_empty) {
            continue;
        }
        let mut document = Document::Tenant(tenant(&columns, &row).map_err(wrong)?);
        resolve::resolve(&mut document, surroundings).map_err(wrong)?;
        documents.push(PlacedDocument { place, document });
    }
    Ok(documents)
}

/// Programs of many countries write `;`, and some a tabulator.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| head.bytes().filter(|byte| byte == delimiter).count();
    // The comma where nothing speaks for another one.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn columns(head: &csv::StringRecord) -> Result<Vec<Column>, String> {
    let columns = head.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    for (at, (name, column)) in head.iter().zip(&columns).enumerate() {
        if *column != Column::Empty && columns.iter().take(at).any(|other| other.is_same(column)) {
            return Err(format!("the column `{name}` is there twice"));
        }
    }
    if !columns.iter().any(|column| matches!(column, Column::Name)) {
        return Err("no column is called `name`; the first line of the list names its columns".to_owned());
    }
    Ok(columns)
}

fn column(name: &str) -> Result<Column, String> {
    let unknown = || {
        format!(
            "the column `{name}` is none of `name`, `slug`, `tags`, `connect` and `Owner: Template`, with ` @ Environment` \
             after it where the value is for one, and `(from-env)` or `(from-file)` where cells name what holds it"
        )
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "" => Column::Empty,
        "name" => Column::Name,
        "slug" => Column::Slug,
        "tags" => Column::Tags,
        "connect" => Column::Connect,
        _ => {
            let (said, from) = [("(from-env)", From::Environment), ("(from-file)", From::File)]
                .into_iter()
                .find_map(|(end, from)| Some((name.strip_suffix(end)?.trim(), from)))
                .unwrap_or((name, From::Cell));
            let (owner, rest) = said.split_once(':').ok_or_else(unknown)?;
            let (template, environment) = match rest.rsplit_once(" @ ") {
                Some((template, environment)) => (template, Some(environment.trim().to_owned())),
                None => (rest, None),
            };
            let (owner, template) = (owner.trim().to_owned(), template.trim().to_owned());
            if owner.is_empty() || template.is_empty() || environment.as_deref() == Some("") {
                return Err(unknown());
            }
            Column::Value { owner, template, environment, from }
        }
    })
}

fn tenant(columns: &[Column], row: &csv::StringRecord) -> Result<TenantDocument, String> {
    let mut tenant = TenantDocument::named(String::new());
    for (column, cell) in columns.iter().zip(row) {
        if cell.is_empty() {
            continue;
        }
        match column {
            Column::Empty => return Err(format!("`{cell}` stands in a column without a head")),
            Column::Name => tenant.name = cell.to_owned(),
            Column::Slug => tenant.slug = Some(cell.to_owned()),
            Column::Tags => tenant.tags = parts(cell, ';').collect(),
            Column::Connect => tenant.projects = connections(cell)?,
            Column::Value { owner, template, environment, from } => {
                let owner = tenant.values.entry(owner.clone()).or_default();
                let values = match environment {
                    Some(environment) => owner.environments.entry(environment.clone()).or_default(),
                    None => &mut owner.values,
                };
                let cell = cell.to_owned();
                let value = match from {
                    From::Cell => ValueText::Text(cell),
                    From::Environment => ValueText::FromEnvironment(cell),
                    From::File => ValueText::FromFile(cell),
                };
                values.insert(template.clone(), value);
            }
        }
    }
    if tenant.name.is_empty() {
        return Err("this row names no tenant".to_owned());
    }
    Ok(tenant)
}

fn parts(cell: &str, separator: char) -> impl Iterator<Item = String> + '_ {
    cell.split(separator).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
}

fn connections(cell: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut projects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in parts(cell, ';') {
        let (project, environments) = part
            .split_once(':')
            .ok_or_else(|| format!("`{part}` is no connection; write `Project: Environment, Environment`"))?;
        let environments: Vec<_> = parts(environments, ',').collect();
        if environments.is_empty() {
            return Err(format!("`{part}` names no environment; write `Project: Environment, Environment`"));
        }
        projects.entry(project.trim().to_owned()).or_default().extend(environments);
    }
    Ok(projects)
}
