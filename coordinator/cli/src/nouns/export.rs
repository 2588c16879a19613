//! `export`: what `apply` reads.

use clap::Args;
use windlass_api::answers::Documents;

use crate::documents;
use crate::failure::Failure;
use crate::output::{Format, json};
use crate::session::Session;

/// Write everything, one kind or one thing as `apply` reads it.
#[derive(Debug, Args)]
pub struct Export {
    /// Only this kind: environment, tag-set, lifecycle, library-set, project or tenant
    pub kind: Option<String>,
    /// Only the thing of this name, slug or id
    pub name: Option<String>,
}

impl Export {
    /// Writes documents, one after the other; JSON only where somebody asks for it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let query = [("kind", self.kind), ("name", self.name)];
        let answer: Documents = session.client.get(&["export"], &query).await?;
        match session.output.format {
            Format::Json => session.output.text(&json(&answer)?),
            Format::Table | Format::Yaml => session.output.text(&documents::write(&answer.documents)?),
        }
    }
}
