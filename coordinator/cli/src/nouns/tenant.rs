//! Tenants.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use windlass_api::answers::{ApplyAnswer, MissingValue, Page, TagCount, TenantItem};
use windlass_api::query::QueryText;
use windlass_api::requests::{ApplyRequest, TenantChange, TenantRequest, TenantsChange};

use super::{apply, definitions, deployment};
use crate::documents::read_tenants;
use crate::failure::Failure;
use crate::options::Part;
use crate::output::{Table, joined};
use crate::session::Session;

/// What to do with tenants. Their values are applied from files.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List them
    #[command(alias = "get")]
    List(List),
    #[command(flatten)]
    One(definitions::One),
    /// Make a tenant
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        new: New,
    },
    /// Make a tenant like another one: with its tags, connections and values, but for the sensitive ones
    Clone {
        /// The other one, by name, slug or id
        like: String,
        /// The new one's name
        name: String,
        #[command(flatten)]
        new: New,
    },
    /// Connect tenants to environments of a project
    Connect {
        #[command(flatten)]
        whose: Whose,
        /// The project
        #[arg(long)]
        project: String,
        /// An environment. Repeatable
        #[arg(long = "environment", required = true, value_name = "ENVIRONMENT")]
        environments: Vec<String>,
    },
    /// Disconnect tenants from environments of a project, or from all of it
    Disconnect {
        #[command(flatten)]
        whose: Whose,
        /// The project
        #[arg(long)]
        project: String,
        /// An environment; all of them where it is left out. Repeatable
        #[arg(long = "environment", value_name = "ENVIRONMENT")]
        environments: Vec<String>,
    },
    /// Let tenants get deployments again
    Enable(Whose),
    /// Let tenants get no new deployments
    Disable(Whose),
    /// Put tags on tenants, and take them off
    Tag {
        #[command(flatten)]
        whose: Whose,
        /// A tag that they carry from now on, as `Set/Tag`. Repeatable
        #[arg(long = "add", value_name = "SET/TAG", required_unless_present = "remove")]
        add: Vec<String>,
        /// A tag that they no longer carry. Repeatable
        #[arg(long = "remove", value_name = "SET/TAG")]
        remove: Vec<String>,
    },
    /// Make tenants of a list, and add to those that there are: tags, connections, values
    Import {
        /// CSV with a head, or documents of tenants; `-` for standard input. Columns: `name`, `slug`, `tags` (`Set/Tag; …`),
        /// `connect` (`Project: Environment, …; …`), and `Owner: Template` or `Owner: Template @ Environment` for values, with
        /// `(from-env)` or `(from-file)` after it where cells name what holds a sensitive one
        file: PathBuf,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Show values that tenants have not filled and that nothing else gives
    Missing {
        /// Only this tenant
        name: Option<String>,
        /// Which part of the list.
        #[command(flatten)]
        part: Part,
    },
    /// Show what was deployed for a tenant, the newest first
    History {
        /// Name, slug or id
        name: String,
        /// Which part of the list.
        #[command(flatten)]
        part: Part,
    },
}

/// Which tenants are listed.
#[derive(Debug, Args)]
pub struct List {
    /// Only whom this query includes, such as `Ring/Canary,tenant:Customer-2,!Ring/Pinned`
    #[arg(long, value_name = "QUERY")]
    pub query: Option<String>,
    /// Count them by the tags of this set instead
    #[arg(long, value_name = "TAG-SET", conflicts_with_all = ["query", "filter", "limit", "after"])]
    pub by: Option<String>,
    /// Which part of the list.
    #[command(flatten)]
    pub part: Part,
}

/// What a new tenant has.
#[derive(Debug, Args)]
pub struct New {
    /// A tag that it carries, as `Set/Tag`. Repeatable
    #[arg(long = "tag", value_name = "SET/TAG")]
    pub tags: Vec<String>,
    /// An environment of a project that it is connected to. Repeatable
    #[arg(long = "connect", value_name = "PROJECT:ENVIRONMENT", value_parser = super::pair)]
    pub connect: Vec<(String, String)>,
}

/// Which tenants are changed, all or nothing.
#[derive(Debug, Args)]
pub struct Whose {
    /// Name, slug or id
    #[arg(required_unless_present = "query")]
    pub name: Option<String>,
    /// All that this query includes, such as `Ring/Canary,tenant:Customer-2,!Ring/Pinned`
    #[arg(long, value_name = "QUERY", conflicts_with = "name")]
    pub query: Option<String>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let none = TenantChange::default();
        match self {
            Self::List(List { by: Some(set), .. }) => counts(session, set).await,
            Self::List(List { query, part, .. }) => list(session, query, &part).await,
            Self::One(verb) => verb.run(session, "tenant").await,
            Self::Create { name, new } => new.make(session, name, None).await,
            Self::Clone { like, name, new } => new.make(session, name, Some(like)).await,
            Self::Connect { whose, project, environments } => {
                let connect = BTreeMap::from([(project, environments)]);
                whose.change(session, TenantChange { connect, ..none }).await
            }
            Self::Disconnect { whose, project, environments } => {
                let disconnect = BTreeMap::from([(project, environments)]);
                whose.change(session, TenantChange { disconnect, ..none }).await
            }
            Self::Enable(whose) => whose.change(session, TenantChange { enabled: Some(true), ..none }).await,
            Self::Disable(whose) => {
                whose.change(session, TenantChange { enabled: Some(false), ..none }).await
            }
            Self::Tag { whose, add, remove } => {
                whose.change(session, TenantChange { add_tags: add, remove_tags: remove, ..none }).await
            }
            Self::Import { file, dry_run } => {
                let request = ApplyRequest { documents: read_tenants(&file)?, dry_run, only_add: true };
                let answer: ApplyAnswer = session.client.post(&["apply"], &request).await?;
                apply::show(session, &answer, dry_run)
            }
            Self::Missing { name, part } => missing(session, name, &part).await,
            Self::History { name, part } => {
                let (project, environment, state) = (None, None, None);
                let list = deployment::List { project, environment, tenant: Some(name), state, part };
                list.run(session).await
            }
        }
    }
}

impl New {
    async fn make(self, session: &Session, name: String, like: Option<String>) -> Result<(), Failure> {
        let mut connect: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (project, environment) in self.connect {
            connect.entry(project).or_default().push(environment);
        }
        let request = TenantRequest { name, like, tags: self.tags, connect };
        let answer: ApplyAnswer = session.client.post(&["tenants"], &request).await?;
        apply::show(session, &answer, false)
    }
}

impl Whose {
    async fn change(self, session: &Session, change: TenantChange) -> Result<(), Failure> {
        let Self { name, query, dry_run } = self;
        let tenants = match query {
            Some(query) => QueryText::written(&query)?,
            None => QueryText { tenants: name.into_iter().collect(), ..QueryText::default() },
        };
        let request = TenantsChange { tenants, change, dry_run };
        let answer: ApplyAnswer = session.client.patch(&["tenants"], &request).await?;
        apply::show(session, &answer, dry_run)
    }
}

/// Prints the tenants, or those that a query includes, and why.
pub async fn list(session: &Session, query: Option<String>, part: &Part) -> Result<(), Failure> {
    let mut parameters = part.query();
    parameters.push(("query", query));
    let page: Page<TenantItem> = session.client.get(&["tenants"], &parameters).await?;
    let headers = ["name", "slug", "enabled", "projects", "tags", "included by"];
    session.output.page(&page, &headers, |item| {
        let why = match item.named {
            None => "–",
            Some(true) => "its name",
            Some(false) => "its tags",
        };
        let enabled = if item.enabled { "yes" } else { "no" };
        let cells = [item.name.clone(), item.slug.clone(), enabled.to_owned()];
        [cells, [joined(&item.projects), joined(&item.tags), why.to_owned()]].concat()
    })
}

async fn counts(session: &Session, set: String) -> Result<(), Failure> {
    let counts: Vec<TagCount> = session.client.get(&["tenant-counts"], &[("by", Some(set))]).await?;
    session.output.show(&counts, |counts| {
        let mut table = Table::new(&["tag", "tenants", "disabled"]);
        for count in counts {
            let tag = count.tag.clone().unwrap_or_else(|| "(none of the set)".to_owned());
            table.row(vec![tag, count.tenants.to_string(), count.disabled.to_string()]);
        }
        table.to_string()
    })
}

async fn missing(session: &Session, name: Option<String>, part: &Part) -> Result<(), Failure> {
    let mut query = part.query();
    query.push(("tenant", name));
    let page: Page<MissingValue> = session.client.get(&["missing-values"], &query).await?;
    session.output.page(&page, &["tenant", "project", "environment", "variable"], |item| {
        vec![item.tenant.clone(), item.project.clone(), item.environment.clone(), item.variable.clone()]
    })
}
