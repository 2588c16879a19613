//! Variables: which value wins where, and why.

use clap::{Args, Subcommand};
use windlass_api::answers::VariableInspected;

use crate::failure::Failure;
use crate::output::{Table, or_dash};
use crate::session::Session;

/// What to do with variables.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show every candidate value, which one wins, and by which dimension
    Inspect(Inspect),
}

/// Where variables are looked at.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The project
    #[arg(long)]
    pub project: String,
    /// The environment; the first of them all where it is left out
    #[arg(long)]
    pub environment: Option<String>,
    /// The tenant
    #[arg(long)]
    pub tenant: Option<String>,
    /// The target
    #[arg(long)]
    pub target: Option<String>,
    /// The step
    #[arg(long)]
    pub step: Option<String>,
    /// Only this variable
    pub name: Option<String>,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let Self::Inspect(inspect) = self;
        let query = [
            ("project", Some(inspect.project)),
            ("environment", inspect.environment),
            ("tenant", inspect.tenant),
            ("target", inspect.target),
            ("step", inspect.step),
            ("name", inspect.name),
        ];
        let found: Vec<VariableInspected> = session.client.get(&["variables"], &query).await?;
        session.output.show(&found, |found| {
            let mut table = Table::new(&["variable", "value", "wins", "source", "decided by"]);
            for variable in found {
                for candidate in &variable.candidates {
                    let wins = match (variable.ambiguous, candidate.wins) {
                        (true, _) => "ambiguous",
                        (false, true) => "yes",
                        (false, false) => "no",
                    };
                    table.row(vec![
                        variable.name.clone(),
                        candidate.value.clone(),
                        wins.to_owned(),
                        candidate.source.clone(),
                        or_dash(candidate.decided_by.as_deref()),
                    ]);
                }
                if variable.candidates.is_empty() {
                    table.row(vec![
                        variable.name.clone(),
                        "–".to_owned(),
                        "–".to_owned(),
                        "nothing gives it a value".to_owned(),
                        "–".to_owned(),
                    ]);
                }
            }
            table.to_string()
        })
    }
}
