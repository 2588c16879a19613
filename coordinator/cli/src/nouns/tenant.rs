//! Tenants.

use std::collections::BTreeMap;

use clap::Subcommand;
use windlass_api::answers::{ApplyAnswer, MissingValue, Page};
use windlass_api::requests::{TenantChange, TenantRequest};

use super::{apply, definitions};
use crate::failure::Failure;
use crate::options::Part;
use crate::session::Session;

/// What to do with tenants. Their values are applied from files.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(flatten)]
    Definition(definitions::Verb),
    /// Make a tenant
    Create {
        /// Its name
        name: String,
        /// A tag that it carries, as `Set/Tag`. Repeatable
        #[arg(long = "tag", value_name = "SET/TAG")]
        tags: Vec<String>,
        /// An environment of a project that it is connected to. Repeatable
        #[arg(long = "connect", value_name = "PROJECT:ENVIRONMENT", value_parser = super::pair)]
        connect: Vec<(String, String)>,
    },
    /// Connect a tenant to environments of a project
    Connect {
        /// Name, slug or id
        name: String,
        /// The project
        #[arg(long)]
        project: String,
        /// An environment. Repeatable
        #[arg(long = "environment", required = true, value_name = "ENVIRONMENT")]
        environments: Vec<String>,
    },
    /// Disconnect a tenant from environments of a project, or from all of it
    Disconnect {
        /// Name, slug or id
        name: String,
        /// The project
        #[arg(long)]
        project: String,
        /// An environment; all of them where it is left out. Repeatable
        #[arg(long = "environment", value_name = "ENVIRONMENT")]
        environments: Vec<String>,
    },
    /// Let a tenant get deployments again
    Enable {
        /// Name, slug or id
        name: String,
    },
    /// Let a tenant get no new deployments
    Disable {
        /// Name, slug or id
        name: String,
    },
    /// Put tags on a tenant, and take them off
    Tag {
        /// Name, slug or id
        name: String,
        /// A tag that it carries from now on, as `Set/Tag`. Repeatable
        #[arg(long = "add", value_name = "SET/TAG", required_unless_present = "remove")]
        add: Vec<String>,
        /// A tag that it no longer carries. Repeatable
        #[arg(long = "remove", value_name = "SET/TAG")]
        remove: Vec<String>,
    },
    /// Show values that tenants have not filled and that nothing else gives
    Missing {
        /// Only this tenant
        name: Option<String>,
        /// Which part of the list.
        #[command(flatten)]
        part: Part,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let none = TenantChange::default();
        match self {
            Self::Definition(verb) => verb.run(session, "tenant").await,
            Self::Create { name, tags, connect } => {
                let mut projects: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for (project, environment) in connect {
                    projects.entry(project).or_default().push(environment);
                }
                let request = TenantRequest { name, tags, connect: projects };
                let answer: ApplyAnswer = session.client.post(&["tenants"], &request).await?;
                apply::show(session, &answer, false)
            }
            Self::Connect { name, project, environments } => {
                let connect = BTreeMap::from([(project, environments)]);
                change(session, &name, TenantChange { connect, ..none }).await
            }
            Self::Disconnect { name, project, environments } => {
                let disconnect = BTreeMap::from([(project, environments)]);
                change(session, &name, TenantChange { disconnect, ..none }).await
            }
            Self::Enable { name } => {
                change(session, &name, TenantChange { enabled: Some(true), ..none }).await
            }
            Self::Disable { name } => {
                change(session, &name, TenantChange { enabled: Some(false), ..none }).await
            }
            Self::Tag { name, add, remove } => {
                change(session, &name, TenantChange { add_tags: add, remove_tags: remove, ..none }).await
            }
            Self::Missing { name, part } => missing(session, name, &part).await,
        }
    }
}

async fn change(session: &Session, name: &str, change: TenantChange) -> Result<(), Failure> {
    let answer: ApplyAnswer = session.client.patch(&["tenants", name], &change).await?;
    apply::show(session, &answer, false)
}

async fn missing(session: &Session, name: Option<String>, part: &Part) -> Result<(), Failure> {
    let mut query = part.query();
    query.push(("tenant", name));
    let page: Page<MissingValue> = session.client.get(&["missing-values"], &query).await?;
    session.output.page(&page, &["tenant", "project", "environment", "variable"], |item| {
        vec![item.tenant.clone(), item.project.clone(), item.environment.clone(), item.variable.clone()]
    })
}
