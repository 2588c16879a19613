//! Tag sets.

use clap::{Args, Subcommand};

use super::{definitions, tenant};
use crate::failure::Failure;
use crate::options::Part;
use crate::session::Session;

/// What to do with tag sets.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(flatten)]
    Definition(definitions::Verb),
    /// Show whom a query includes now, and why
    Preview(Preview),
}

/// Which query.
#[derive(Debug, Args)]
pub struct Preview {
    /// Such as `Ring/Canary,tenant:Customer-2,!Ring/Pinned`
    #[arg(value_name = "QUERY")]
    pub query: String,
    /// Which part of the list.
    #[command(flatten)]
    pub part: Part,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Definition(verb) => verb.run(session, "tag-set").await,
            Self::Preview(Preview { query, part }) => tenant::list(session, Some(query), &part).await,
        }
    }
}
