//! The files that `apply` reads and `export` writes. Every error names its file and line.

mod fields;
mod parse;
mod resolve;
mod sources;
mod split;
mod table;
#[cfg(test)]
mod tests;

use windlass_api::documents::Document;
use windlass_api::requests::PlacedDocument;

pub use resolve::Surroundings;
pub use sources::{read_sources, read_tenants};

use crate::failure::Failure;
use crate::output::yaml;

/// Reads the documents of a text that came from `source` (a file's name), secrets from their places.
pub fn read(
    source: &str,
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<PlacedDocument>, Failure> {
    let mut documents = Vec::new();
    for part in split::documents(text) {
        let (line, mut document) = parse::document(&part)
            .map_err(|fault| Failure::usage(format!("{source}:{}: {}", fault.line, fault.sentence)))?;
        let place = format!("{source}:{line}");
        resolve::resolve(&mut document, surroundings)
            .map_err(|sentence| Failure::usage(format!("{place}: {sentence}")))?;
        documents.push(PlacedDocument { place, document });
    }
    Ok(documents)
}

/// Documents as a file.
pub fn write(documents: &[Document]) -> Result<String, Failure> {
    let texts = documents.iter().map(yaml).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join("---\n"))
}
