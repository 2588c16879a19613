//! What documents define, in what all kinds of it have in common: list, view, delete.

use clap::Subcommand;
use windlass_api::answers::{DefinitionItem, DefinitionView, Page, ProjectReleases};

use crate::documents;
use crate::failure::Failure;
use crate::options::Part;
use crate::output::{Format, joined, json};
use crate::session::Session;

/// What to do with things of a kind. They are made and changed with `apply`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List them
    #[command(alias = "get")]
    List(Part),
    #[command(flatten)]
    One(One),
}

/// What to do with a thing of a kind.
#[derive(Debug, Subcommand)]
pub enum One {
    /// Show one; as YAML it is what `apply` reads
    #[command(alias = "describe")]
    View {
        /// Name, slug or id
        name: String,
    },
    /// Delete one; refused while anything refers to it. With a tenant the key of its sensitive values is destroyed
    Delete {
        /// Name, slug or id
        name: String,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session, kind: &str) -> Result<(), Failure> {
        match self {
            Self::List(part) => list(session, kind, &part).await,
            Self::One(verb) => verb.run(session, kind).await,
        }
    }
}

impl One {
    /// Does it.
    pub async fn run(self, session: &Session, kind: &str) -> Result<(), Failure> {
        match self {
            Self::View { name } => view(session, kind, &name).await,
            Self::Delete { name } => delete(session, kind, &name).await,
        }
    }
}

/// Lists the things of a kind.
async fn list(session: &Session, kind: &str, part: &Part) -> Result<(), Failure> {
    let page: Page<DefinitionItem> = session.client.get(&["definitions", kind], &part.query()).await?;
    session.output.page(&page, &["name", "slug", "summary"], |item| {
        vec![item.name.clone(), item.slug.clone(), item.summary.clone()]
    })
}

/// Shows a thing: its document, with its id as a comment.
async fn view(session: &Session, kind: &str, name: &str) -> Result<(), Failure> {
    let view: DefinitionView = session.client.get(&["definitions", kind, name], &[]).await?;
    match session.output.format {
        Format::Json => session.output.text(&json(&view)?),
        Format::Table | Format::Yaml => {
            let document = documents::write(std::slice::from_ref(&view.document))?;
            let releases = view.releases.as_ref().map(releases).unwrap_or_default();
            session.output.text(&format!("# {}\n{releases}{document}", view.id))
        }
    }
}

/// The releases as a comment: the rest is what `apply` reads.
fn releases(found: &ProjectReleases) -> String {
    match found.count - found.newest.len() {
        _ if found.count == 0 => "# no release yet\n".to_owned(),
        0 => format!("# releases: {}\n", joined(&found.newest)),
        more => format!("# releases: {} and {more} older ones\n", joined(&found.newest)),
    }
}

/// Deletes a thing.
async fn delete(session: &Session, kind: &str, name: &str) -> Result<(), Failure> {
    session.client.delete(&["definitions", kind, name]).await?;
    let key = if kind == "tenant" { " and destroyed the key of its sensitive values" } else { "" };
    session.output.done(&format!("deleted the {} `{name}`{key}", kind.replace('-', " ")))
}
