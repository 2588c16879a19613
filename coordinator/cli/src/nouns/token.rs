//! Tokens of the API.

use clap::{Subcommand, ValueEnum};
use windlass_api::answers::{Page, TokenItem, TokenMade};
use windlass_api::requests::TokenRequest;

use super::enrolment;
use crate::failure::Failure;
use crate::options::Part;
use crate::output::or_dash;
use crate::queries::QueryOptions;
use crate::session::Session;
use windlass_api::durations;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a token, at most as strong as yours; it is printed once and never again
    Create {
        /// Its name
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: RoleName,
        /// How long it is good for, at most 366d [default: 90d]
        #[arg(long, value_name = "TIME", value_parser = durations::seconds)]
        ttl: Option<u64>,
        /// The tenants whose things an auditor sees, where it is not everybody's: all else does not exist for it
        #[command(flatten)]
        query: QueryOptions,
    },
    /// List the tokens, without their secrets
    #[command(alias = "get")]
    List(Part),
    /// Take a token back, and with it every token that it made
    Delete {
        /// Name or id
        name: String,
    },
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Everything
    Administrator,
    /// Read everything but secrets
    Auditor,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Create { name, role, ttl, query } => {
                let role = match role {
                    RoleName::Administrator => "administrator",
                    RoleName::Auditor => "auditor",
                };
                let tenants = (!query.is_empty()).then(|| query.to_query());
                let request = TokenRequest { name, role: role.to_owned(), ttl_seconds: ttl, tenants };
                let made: TokenMade = session.client.post(&["tokens"], &request).await?;
                enrolment::show_token(session, &made)
            }
            Self::List(part) => {
                let page: Page<TokenItem> = session.client.get(&["tokens"], &part.query()).await?;
                session.output.page(&page, &["name", "role", "tenants", "expires", "made by", "id"], |item| {
                    vec![
                        item.name.clone(),
                        item.role.to_string(),
                        item.tenants.as_ref().map_or_else(|| "all".to_owned(), super::target::query),
                        item.expires.clone().unwrap_or_else(|| "never".to_owned()),
                        or_dash(item.made_by.as_deref()),
                        item.id.clone(),
                    ]
                })
            }
            Self::Delete { name } => {
                session.client.delete(&["tokens", &name]).await?;
                session.output.done(&format!("took the token `{name}` back"))
            }
        }
    }
}
