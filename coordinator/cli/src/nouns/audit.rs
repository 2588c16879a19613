//! The record.

use std::time::Duration;

use clap::{Args, Subcommand};
use windlass_api::answers::{AuditRecord, AuditVerified, Page, Pulled, WhatCan, WhatCanItem, WhoCan};

use crate::failure::Failure;
use crate::output::{Format, Table, bytes, joined, or_dash, yes_or_no};
use crate::session::Session;

/// How often is looked for new records.
const PACE: Duration = Duration::from_secs(1);

/// What to ask the record.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List records, the newest first
    #[command(alias = "get")]
    List {
        /// Which records.
        #[command(flatten)]
        which: Which,
        /// The oldest first
        #[arg(long)]
        oldest_first: bool,
        /// Go on after the record of this number, in this order
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// Records at most (100 where it is left out, 1000 at most)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
        limit: Option<u32>,
    },
    /// Show records as they are written, until Ctrl-C
    Follow {
        /// Which records.
        #[command(flatten)]
        which: Which,
    },
    /// Check the whole journal: its chain, and that it is the history that a witness knows
    Verify {
        /// A record's number that somebody outside kept
        #[arg(long, requires = "hash", value_name = "NUMBER")]
        record: Option<u64>,
        /// The hash of the chain at it
        #[arg(long, requires = "record", value_name = "HASH")]
        hash: Option<String>,
    },
    /// What a target could read now
    WhatCan {
        /// Name, slug or id
        target: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Which targets can receive what is a tenant's, now
    WhoCan {
        /// The tenant
        #[arg(long)]
        tenant: String,
        /// Only targets that could read this sensitive variable
        #[arg(long, value_name = "NAME")]
        secret: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// What a target did pull, the newest first
    Pulled {
        /// Name, slug or id; the id of a deleted one
        #[arg(long)]
        target: String,
        /// Go on after the record of this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// Items at most (100 where it is left out, 1000 at most)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
        limit: Option<u32>,
    },
}

/// Which part of what could be read.
#[derive(Debug, Clone, Default, Args)]
pub struct Reach {
    /// Go on after this place
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// Places at most (100 where it is left out, 1000 at most)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    pub limit: Option<u32>,
}

impl Reach {
    fn query(&self) -> [(&'static str, Option<String>); 2] {
        [("after", self.after.clone()), ("limit", self.limit.map(|limit| limit.to_string()))]
    }
}

/// Which records.
#[derive(Debug, Clone, Default, Args)]
pub struct Which {
    /// Only records with this event, such as `target-enrolled`
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// Only records that name this thing, by name or id
    #[arg(long, value_name = "NAME|ID")]
    pub about: Option<String>,
    /// Only records in which this text stands
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
}

impl Which {
    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("event", self.event.clone()), ("about", self.about.clone()), ("filter", self.filter.clone())]
    }
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::List { which, oldest_first, after, limit } => {
                let page = records(session, &which, oldest_first, after, limit).await?;
                session.output.page(&page, &["record", "time", "who", "what"], row)
            }
            Self::Follow { which } => follow(session, &which).await,
            Self::Verify { record, hash } => {
                let query = [("record", record.map(|record| record.to_string())), ("hash", hash)];
                let verified: AuditVerified = client.get(&["audit", "verification"], &query).await?;
                session.output.show(&verified, |verified| {
                    format!(
                        "the journal is whole: {} records, the last one with the hash {}",
                        verified.records, verified.head
                    )
                })
            }
            Self::WhatCan { target, reach } => {
                let found: WhatCan = client.get(&["audit", "what-can", &target], &reach.query()).await?;
                session.output.show(&found, what_can)?;
                session.output.more(found.next.as_deref());
                Ok(())
            }
            Self::WhoCan { tenant, secret, reach } => {
                let [after, limit] = reach.query();
                let query = [("secret", secret), after, limit];
                let found: WhoCan = client.get(&["audit", "who-can", &tenant], &query).await?;
                session.output.show(&found, who_can)?;
                session.output.more(found.next.as_deref());
                Ok(())
            }
            Self::Pulled { target, after, limit } => {
                let query = [
                    ("after", after.map(|after| after.to_string())),
                    ("limit", limit.map(|limit| limit.to_string())),
                ];
                let found: Pulled = client.get(&["audit", "pulled", &target], &query).await?;
                session.output.show(&found, pulled)?;
                session.output.more(found.next.as_deref());
                Ok(())
            }
        }
    }
}

async fn records(
    session: &Session,
    which: &Which,
    oldest_first: bool,
    after: Option<u64>,
    limit: Option<u32>,
) -> Result<Page<AuditRecord>, Failure> {
    let mut query = which.query();
    query.push(("order", oldest_first.then(|| "oldest".to_owned())));
    query.push(("after", after.map(|after| after.to_string())));
    query.push(("limit", limit.map(|limit| limit.to_string())));
    session.client.get(&["audit"], &query).await
}

fn row(record: &AuditRecord) -> Vec<String> {
    let reason = record.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let what = format!("{}{reason}", record.summary.join("; "));
    vec![record.sequence.to_string(), record.time.clone(), record.actor.clone(), what]
}

/// Prints records as they come: in JSON one a line.
async fn follow(session: &Session, which: &Which) -> Result<(), Failure> {
    let newest = records(session, &Which::default(), false, None, Some(1)).await?;
    let mut after = newest.items.first().map_or(0, |record| record.sequence);
    loop {
        let page = records(session, which, true, Some(after), Some(1000)).await?;
        for record in &page.items {
            after = record.sequence;
            let text = match session.output.format {
                Format::Table => row(record).join("  "),
                Format::Json => crate::output::json_line(record)?,
                Format::Yaml => format!("---\n{}", crate::output::yaml(record)?),
            };
            session.output.text(&text)?;
        }
        if page.next.is_none() {
            tokio::select! {
                () = tokio::time::sleep(PACE) => {}
                _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
            }
        }
    }
}

const REACH: [&str; 7] = ["project", "environment", "tenant", "steps", "packages", "variables", "secrets"];

fn reach(item: &WhatCanItem) -> Vec<String> {
    vec![
        item.project.clone(),
        item.environment.clone(),
        or_dash(item.tenant.as_deref()),
        joined(&item.steps),
        joined(&item.packages),
        joined(&item.variables),
        joined(&item.secrets),
    ]
}

fn what_can(found: &WhatCan) -> String {
    let mut parts = Vec::new();
    if let Some(why) = &found.nothing {
        parts.push(format!("{} gets nothing: {why}", found.target));
    }
    if !found.now.is_empty() {
        let mut table = Table::new(&["reads now", "tenant", "step", "packages"]);
        for holding in &found.now {
            table.row(vec![
                holding.deployment.clone(),
                or_dash(holding.tenant.as_deref()),
                or_dash(holding.step.as_deref()),
                joined(&holding.packages),
            ]);
        }
        parts.push(table.to_string());
    }
    let mut table = Table::new(&REACH);
    found.could.iter().for_each(|item| table.row(reach(item)));
    parts.push(table.to_string());
    if !found.holds.is_empty() {
        let held: Vec<_> = found.holds.iter().map(|held| named(&held.names, &held.manifest)).collect();
        parts.push(format!("pulled before, and may still hold:\n{}", held.join("\n")));
    }
    parts.join("\n\n")
}

fn who_can(found: &WhoCan) -> String {
    let headers: Vec<&str> = ["target", "online", "by"]
        .into_iter()
        .chain(REACH.into_iter().filter(|name| *name != "tenant"))
        .collect();
    let mut table = Table::new(&headers);
    for target in &found.targets {
        for item in &target.could {
            let mut row = vec![target.target.clone(), yes_or_no(target.online), target.by.to_string()];
            row.extend(
                reach(item).into_iter().enumerate().filter(|(index, _)| *index != 2).map(|(_, cell)| cell),
            );
            table.row(row);
        }
    }
    table.to_string()
}

fn pulled(found: &Pulled) -> String {
    let mut table = Table::new(&["record", "time", "kind", "times", "tenant", "bytes", "what"]);
    for item in &found.items {
        table.row(vec![
            item.sequence.to_string(),
            item.time.clone(),
            item.kind.to_string(),
            item.times.to_string(),
            or_dash(item.tenant.as_deref()),
            bytes(item.bytes),
            named(&item.names, &item.digest),
        ]);
    }
    table.to_string()
}

/// Names where they are known; else the digest says at least whether two are the same.
fn named(names: &[String], digest: &str) -> String {
    if names.is_empty() { digest.to_owned() } else { joined(names) }
}
