//! `apply`: files, all of them or nothing.

use std::path::PathBuf;

use clap::Args;
use windlass_api::answers::{AppliedChange, ApplyAnswer, ChangeKind, ChangedField, FieldChange};
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
        let request = ApplyRequest { documents, dry_run: self.dry_run, only_add: false };
        let answer: ApplyAnswer = session.client.post(&["apply"], &request).await?;
        show(session, &answer, self.dry_run)
    }
}

/// Prints what was applied, or would be.
pub fn show(session: &Session, answer: &ApplyAnswer, dry_run: bool) -> Result<(), Failure> {
    answer.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    session.output.show(answer, |answer| {
        let mut table = Table::new(&["kind", "name", if dry_run { "would be" } else { "change" }, "what"]);
        for change in &answer.changes {
            let word = match change.change {
                ChangeKind::Created => "created",
                ChangeKind::Changed => "changed",
                ChangeKind::Unchanged => "unchanged",
            };
            table.row(vec![change.kind.clone(), change.name.clone(), word.to_owned(), parts(change)]);
        }
        table.to_string()
    })
}

/// What became of the parts of something, what is lost first.
fn parts(change: &AppliedChange) -> String {
    let mut told: Vec<_> =
        change.renamed_from.iter().map(|before| format!("renamed from {before}")).collect();
    for (kind, word) in
        [(FieldChange::Removed, "removes"), (FieldChange::Changed, "changes"), (FieldChange::Added, "adds")]
    {
        let of_kind: Vec<_> =
            change.fields.iter().filter(|field| field.change == kind).map(with_secrets).collect();
        if !of_kind.is_empty() {
            told.push(format!("{word} {}", of_kind.join(", ")));
        }
    }
    if change.more > 0 {
        told.push(format!("and {} more", change.more));
    }
    told.join("; ")
}

fn with_secrets(field: &ChangedField) -> String {
    match field.secrets_removed {
        0 => field.field.clone(),
        1 if field.change == FieldChange::Removed => format!("{} (a secret)", field.field),
        number => format!("{} ({number} secrets gone)", field.field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_takes_away_is_told_before_what_it_adds() {
        let change = serde_json::json!({
            "kind": "tenant", "name": "customer-3", "change": "changed", "renamed_from": "Customer-3", "more": 2,
            "fields": [
                {"field": "values/Synergy/ApiKey", "change": "removed", "secrets_removed": 1},
                {"field": "projects/Synergy/Production", "change": "removed"},
                {"field": "enabled", "change": "changed"},
                {"field": "tags/Ring/Early", "change": "added"},
            ],
        });
        assert_eq!(
            parts(&serde_json::from_value(change).expect("an answer")),
            "renamed from Customer-3; removes values/Synergy/ApiKey (a secret), projects/Synergy/Production; changes \
             enabled; adds tags/Ring/Early; and 2 more"
        );
        let unchanged = serde_json::json!({"kind": "tenant", "name": "a", "change": "unchanged"});
        assert_eq!(parts(&serde_json::from_value(unchanged).expect("an answer")), "");
    }
}
