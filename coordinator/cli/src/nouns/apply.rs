//! `apply`: files, all of them or nothing.

use std::path::PathBuf;

use clap::Args;
use windlass_api::answers::{ApplyAnswer, ChangeKind};
use windlass_api::requests::{ApplyRequest, PlacedDocument};

use crate::documents::read_sources;
use crate::failure::Failure;
use crate::output::{Table, note};
use crate::session::Session;

/// Apply files: all of it, or nothing.
#[derive(Debug, Args)]
pub struct Apply {
    /// A file, a folder's .yaml, .yml and .json files, or `-` for standard input. Repeatable
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    pub files: Vec<PathBuf>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
}

impl Apply {
    /// Reads the files.
    pub fn read(&self) -> Result<Vec<PlacedDocument>, Failure> {
        read_sources(&self.files)
    }

    /// Applies them.
    pub async fn run(self, session: &Session, documents: Vec<PlacedDocument>) -> Result<(), Failure> {
        let request = ApplyRequest { documents, dry_run: self.dry_run };
        let answer: ApplyAnswer = session.client.post(&["apply"], &request).await?;
        show(session, &answer, self.dry_run)
    }
}

/// Prints what was applied, or would be.
pub fn show(session: &Session, answer: &ApplyAnswer, dry_run: bool) -> Result<(), Failure> {
    answer.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    session.output.show(answer, |answer| {
        let mut table = Table::new(&["kind", "name", if dry_run { "would be" } else { "change" }]);
        for change in &answer.changes {
            let word = match change.change {
                ChangeKind::Created => "created",
                ChangeKind::Changed => "changed",
                ChangeKind::Unchanged => "unchanged",
            };
            table.row(vec![change.kind.clone(), change.name.clone(), word.to_owned()]);
        }
        table.to_string()
    })
}
