//! Secrets come from where the document says: a variable of the environment, or a file. Never from the document.

use std::path::{Path, PathBuf};

use windlass_api::documents::{Document, ValueText};
use windlass_protocol::{Secret, limits};

/// Where secrets come from.
pub struct Surroundings<'a> {
    /// The environment's variables.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The folder that files are relative to: that of the document.
    pub folder: PathBuf,
}

/// Replaces `{from-env: …}` and `{from-file: …}` by what is there.
pub fn resolve(document: &mut Document, surroundings: &Surroundings<'_>) -> Result<(), String> {
    let what = format!("{} `{}`", document.kind(), document.name());
    for value in document.values_mut() {
        let secret = match value {
            ValueText::FromEnvironment(name) => from_environment(name, surroundings),
            ValueText::FromFile(path) => from_file(Path::new(path.as_str()), surroundings),
            ValueText::Secret(_) => {
                Err("sensitive values never stand in a file; write {from-env: NAME} or {from-file: PATH}"
                    .to_owned())
            }
            ValueText::Text(_) | ValueText::Sealed(_) | ValueText::Unchanged => continue,
        };
        *value = ValueText::Secret(secret.map_err(|sentence| format!("{what}: {sentence}"))?);
    }
    Ok(())
}

fn from_environment(name: &str, surroundings: &Surroundings<'_>) -> Result<Secret, String> {
    match (surroundings.variable)(name) {
        Some(text) if text.is_empty() => Err(format!("the environment variable `{name}` is empty")),
        Some(text) => Ok(Secret::new(text)),
        None => Err(format!("the environment variable `{name}` is not set")),
    }
}

/// One line break at the end is the editor's and no part of the secret.
fn from_file(path: &Path, surroundings: &Surroundings<'_>) -> Result<Secret, String> {
    let path = surroundings.folder.join(path);
    let said = path.display();
    let length = std::fs::metadata(&path).map_err(|why| format!("cannot read {said}: {why}"))?.len();
    if length > limits::VARIABLE_BYTES as u64 + 2 {
        return Err(format!(
            "{said} is too large for a value, which has at most {} bytes",
            limits::VARIABLE_BYTES
        ));
    }
    let text = std::fs::read_to_string(&path).map_err(|why| format!("cannot read {said}: {why}"))?;
    let text = Secret::new(text);
    let cut = text.reveal().strip_suffix('\n').unwrap_or(text.reveal());
    let cut = cut.strip_suffix('\r').unwrap_or(cut);
    if cut.is_empty() {
        return Err(format!("{said} is empty"));
    }
    Ok(Secret::new(cut.to_owned()))
}
