//! What the command can do, one file a noun.

pub mod apply;
pub mod audit;
pub mod contexts;
pub mod definitions;
pub mod deployment;
pub mod enrolment;
pub mod explain;
pub mod export;
pub mod package;
pub mod plan;
pub mod release;
pub mod shell;
pub mod tag_set;
pub mod target;
pub mod tenant;
pub mod token;
pub mod variable;

/// Two words with a colon or an equals sign between them: `STEP:VERSION`, `STEP=VERSION`.
fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').or_else(|| text.split_once('='));
    match parts {
        Some((first, second)) if !first.is_empty() && !second.is_empty() => {
            Ok((first.to_owned(), second.to_owned()))
        }
        _ => Err(format!("`{text}` is one word; write two with a colon between them")),
    }
}
