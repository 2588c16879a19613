//! Deployments.

use clap::{Args, Subcommand};
use windlass_api::answers::{DeploymentItem, DeploymentView, Done, LogLine, Page, PartEnd, WaitView};
use windlass_api::requests::ReasonRequest;

use crate::failure::Failure;
use crate::options::Part;
use crate::output::{Format, Table, bytes, or_dash};
use crate::progress;
use crate::session::Session;

/// What to do with deployments.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the deployments, the newest first
    #[command(alias = "get")]
    List(List),
    /// Show a deployment: what it waits for, how far each step is on each target
    #[command(alias = "describe")]
    View {
        /// Its id
        id: String,
    },
    /// Show what the steps printed
    Logs(Logs),
    /// Cancel a deployment: what runs is stopped
    Cancel {
        /// Its id
        id: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Which deployments.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of this project
    #[arg(long)]
    pub project: Option<String>,
    /// Only those to this environment
    #[arg(long)]
    pub environment: Option<String>,
    /// Only those for this tenant
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only those in this state: queued, fetching, running, succeeded, failed, cancelled, nothing-done, or `open`
    #[arg(long)]
    pub state: Option<String>,
    /// Which part of the list.
    #[command(flatten)]
    pub part: Part,
}

/// Which output.
#[derive(Debug, Args)]
pub struct Logs {
    /// The deployment's id
    pub id: String,
    /// Go on until the deployment is over
    #[arg(long)]
    pub follow: bool,
    /// Only this step
    #[arg(long)]
    pub step: Option<String>,
    /// Only this target
    #[arg(long)]
    pub target: Option<String>,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(session).await,
            Self::View { id } => {
                let view: DeploymentView = session.client.get(&["deployments", &id], &[]).await?;
                session.output.show(&view, described)
            }
            Self::Logs(logs) if logs.follow => progress::follow(session, &logs.id, logs.filter()).await,
            Self::Logs(logs) => logs.run(session).await,
            Self::Cancel { id, reason } => {
                let _: Done =
                    session.client.post(&["deployments", &id, "cancel"], &ReasonRequest { reason }).await?;
                session.output.done(&format!("cancelled {id}"))
            }
        }
    }
}

impl List {
    /// Prints them.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut query = self.part.query();
        query.extend([
            ("project", self.project),
            ("environment", self.environment),
            ("tenant", self.tenant),
            ("state", self.state),
        ]);
        let page: Page<DeploymentItem> = session.client.get(&["deployments"], &query).await?;
        session.output.page(&page, &HEADERS, row)
    }
}

const HEADERS: [&str; 7] = ["id", "project", "release", "environment", "tenant", "state", "created"];

fn row(item: &DeploymentItem) -> Vec<String> {
    vec![
        item.id.clone(),
        item.project.clone(),
        item.release.clone(),
        item.environment.clone(),
        or_dash(item.tenant.as_deref()),
        item.state.to_string(),
        item.created.clone(),
    ]
}

/// Deployments as a table.
pub fn table(items: &[DeploymentItem]) -> String {
    let mut table = Table::new(&HEADERS);
    items.iter().for_each(|item| table.row(row(item)));
    table.to_string()
}

/// A deployment as people read it.
fn described(view: &DeploymentView) -> String {
    let mut parts = vec![table(std::slice::from_ref(&view.item))];
    if let Some(reason) = &view.reason {
        parts.push(reason.clone());
    }
    parts.extend(view.ended.iter().map(|ended| format!("ended {ended}")));
    parts.extend(view.waits.iter().map(wait_line));
    if !view.targets.is_empty() {
        let mut targets = Table::new(&["target", "packages", "moved", "saved", "end", "reason"]);
        for target in &view.targets {
            targets.row(vec![
                target.target.clone(),
                target.fetch.to_string(),
                or_dash(target.moved.map(bytes).as_deref()),
                or_dash(target.saved.map(bytes).as_deref()),
                or_dash(target.end.map(PartEnd::word)),
                or_dash(target.reason.as_deref()),
            ]);
        }
        let mut steps = Table::new(&["step", "target", "state", "since", "until", "lines", "reason"]);
        for step in &view.steps {
            steps.row(vec![
                step.step.clone(),
                step.target.clone(),
                step.state.to_string(),
                or_dash(step.since.as_deref()),
                or_dash(step.until.as_deref()),
                or_dash(step.lines.map(|lines| lines.to_string()).as_deref()),
                or_dash(step.reason.as_deref()),
            ]);
        }
        parts.extend([targets.to_string(), steps.to_string()]);
    }
    parts.join("\n\n")
}

fn wait_line(wait: &WaitView) -> String {
    let since = wait.since.as_ref().map(|since| format!(", since {since}")).unwrap_or_default();
    let until = wait.until.as_ref().map(|until| format!(", given up at {until}")).unwrap_or_default();
    let advice = wait.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("waits: {}{since}{until}{advice}", wait.reason)
}

impl Logs {
    fn filter(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("step", self.step.clone()), ("target", self.target.clone())]
    }

    async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let mut query = self.filter();
            query.push(("after", after.clone()));
            let page: Page<LogLine> = session.client.get(&["deployments", &self.id, "logs"], &query).await?;
            match session.output.format {
                Format::Table => {
                    let text: String =
                        page.items.iter().map(|line| progress::line_text(line) + "\n").collect();
                    session.output.text(&text)?;
                }
                Format::Json | Format::Yaml => all.extend(page.items),
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        match session.output.format {
            Format::Table => Ok(()),
            _ => session.output.show(&Page { items: all, next: None }, |_| String::new()),
        }
    }
}
