//! The files of `apply -f`: a file, a folder's files, or standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use windlass_api::requests::PlacedDocument;

use super::Surroundings;
use crate::failure::Failure;

/// Endings of files that are read in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// Bytes of a file: the coordinator takes no more at once.
const MOST: u64 = 32 << 20;

/// The documents of all sources, in their order; a folder's files in the order of their names.
pub fn read_sources(sources: &[PathBuf]) -> Result<Vec<PlacedDocument>, Failure> {
    let mut documents = Vec::new();
    for source in sources {
        if source != Path::new("-") && source.is_dir() {
            for file in files(source)? {
                documents.extend(read_file(&file)?);
            }
        } else {
            documents.extend(read_file(source)?);
        }
    }
    if documents.is_empty() {
        return Err(Failure::usage("there is no document in what -f names"));
    }
    Ok(documents)
}

/// The tenants of a list: CSV where the file's name ends so, or the text does not begin as a document.
pub fn read_tenants(source: &Path) -> Result<Vec<PlacedDocument>, Failure> {
    let (name, text, folder) = read_whole(source)?;
    let ending = source.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let begins = || {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let first = lines.map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
        first.is_some_and(|line| ["kind:", "---", "{"].iter().any(|begin| line.starts_with(begin)))
    };
    let documents = match ending.as_deref() {
        Some("csv" | "tsv") => table(&name, &text, folder)?,
        Some(ending) if ENDINGS.contains(&ending) => parse(&name, &text, folder)?,
        _ if begins() => parse(&name, &text, folder)?,
        _ => table(&name, &text, folder)?,
    };
    if documents.is_empty() {
        return Err(Failure::usage(format!("there is no tenant in {name}")));
    }
    Ok(documents)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |why: std::io::Error| Failure::usage(format!("cannot read {}: {why}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let wanted = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // What cannot be looked at is read with the others, so that it is named: left out, its document would be missed.
        if wanted && !hidden && std::fs::metadata(&path).map_or(true, |found| found.is_file()) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failure::usage(format!(
            "{} holds no file that ends with .yaml, .yml or .json",
            folder.display()
        )));
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<PlacedDocument>, Failure> {
    let (name, text, folder) = read_whole(path)?;
    parse(&name, &text, folder)
}

/// The name and text of a file, or of standard input, and what paths in it are relative to.
fn read_whole(path: &Path) -> Result<(String, String, PathBuf), Failure> {
    if path == Path::new("-") {
        let name = "standard input".to_owned();
        let text = read_text(&name, std::io::stdin())?;
        return Ok((name, text, PathBuf::from(".")));
    }
    let name = path.display().to_string();
    let file =
        std::fs::File::open(path).map_err(|why| Failure::usage(format!("cannot read {name}: {why}")))?;
    let text = read_text(&name, file)?;
    Ok((name, text, path.parent().unwrap_or(Path::new(".")).to_owned()))
}

fn read_text(name: &str, source: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let read = source.take(MOST + 1).read_to_string(&mut text);
    read.map_err(|why| Failure::usage(format!("cannot read {name}: {why}")))?;
    if text.len() as u64 > MOST {
        return Err(Failure::usage(format!(
            "{name} has more than {} MiB; apply it in several parts",
            MOST >> 20
        )));
    }
    Ok(text)
}

fn parse(name: &str, text: &str, folder: PathBuf) -> Result<Vec<PlacedDocument>, Failure> {
    super::read(name, text, &Surroundings { variable: &variable, folder })
}

fn table(name: &str, text: &str, folder: PathBuf) -> Result<Vec<PlacedDocument>, Failure> {
    super::table::read(name, text, &Surroundings { variable: &variable, folder })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
