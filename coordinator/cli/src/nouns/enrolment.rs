//! Enrolment tokens.

use clap::{Args, Subcommand};
use windlass_api::answers::{EnrolmentItem, Page, TokenMade};
use windlass_api::requests::{EnrolmentRequest, GrantText};

use super::target::{ParticipationName, query};
use crate::failure::Failure;
use crate::options::Part;
use crate::output::{joined, note, or_dash};
use crate::queries::QueryOptions;
use crate::session::Session;
use windlass_api::durations;

/// What to do with enrolment tokens.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a token; it is printed once and never again
    Create(Create),
    /// List the tokens, without their secrets; they leave the list seven days after they have expired
    #[command(alias = "get")]
    List(Part),
    /// Take a token back: it enrols nobody from now on. Who has enrolled with it stays
    Delete {
        /// Id, the beginning of it, or the name that the target gets
        name: String,
    },
}

/// What who enrols with the token is granted.
#[derive(Debug, Args)]
pub struct Create {
    /// An environment. Repeatable
    #[arg(long = "environment", value_name = "ENVIRONMENT")]
    pub environments: Vec<String>,
    /// A role. Repeatable
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// The tenants.
    #[command(flatten)]
    pub query: QueryOptions,
    /// Which kinds of deployment it takes part in; `tenanted` if any tenant or tag is named, else `untenanted`
    #[arg(long, value_name = "PARTICIPATION")]
    pub participation: Option<ParticipationName>,
    /// How often it may be used [default: 1]
    #[arg(long, value_name = "N")]
    pub uses: Option<u32>,
    /// How long it is good for, at most 30d [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = durations::seconds)]
    pub ttl: Option<u64>,
    /// The name that the target gets
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The target that enrols again with a new key, keeping its grant
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["environments", "roles", "tenants", "tags", "name"])]
    pub target: Option<String>,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::List(part) => {
                let page: Page<EnrolmentItem> = session.client.get(&["enrolments"], &part.query()).await?;
                let headers =
                    ["id", "for", "used", "expires", "roles", "environments", "tenants", "takes part in"];
                session.output.page(&page, &headers, |item| {
                    vec![
                        item.id.clone(),
                        or_dash(item.target.as_deref().or(item.name.as_deref())),
                        format!("{} of {}", item.used, item.uses),
                        item.expires.clone(),
                        joined(&item.roles),
                        joined(&item.environments),
                        query(&item.tenants),
                        item.participation.to_string(),
                    ]
                })
            }
            Self::Delete { name } => {
                session.client.delete(&["enrolments", &name]).await?;
                session.output.done(&format!("took the enrolment token `{name}` back"))
            }
        }
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let grant = GrantText {
            roles: self.roles,
            environments: self.environments,
            tenants: self.query.to_query(),
            participation: self.participation.map(Into::into),
        };
        let (uses, ttl_seconds) = (self.uses, self.ttl);
        let request = EnrolmentRequest { grant, uses, ttl_seconds, name: self.name, target: self.target };
        let made: TokenMade = session.client.post(&["enrolments"], &request).await?;
        show_token(session, &made)
    }
}

/// Prints the token alone, so that it can be piped; what else there is to know, beside it.
pub fn show_token(session: &Session, made: &TokenMade) -> Result<(), Failure> {
    session.output.show(made, |made| made.token.clone())?;
    made.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    let until = made.expires.as_deref().map(|expires| format!(", good until {expires}")).unwrap_or_default();
    note(&format!("{}{until}; it is not shown again", made.id));
    Ok(())
}
