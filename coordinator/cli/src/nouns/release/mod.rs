//! Releases.

mod deploy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use windlass_api::answers::{Page, ReleaseItem, ReleaseMade, ReleaseView};
use windlass_api::requests::ReleaseRequest;

use crate::failure::Failure;
use crate::options::Part;
use crate::output::{Table, joined, note};
use crate::session::Session;

pub use deploy::Deploy;

/// What to do with releases.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a release: it freezes the process, the variables and the packages
    Create(Create),
    /// List the releases
    #[command(alias = "get")]
    List {
        /// Only those of this project
        #[arg(long)]
        project: Option<String>,
        /// Which part of the list.
        #[command(flatten)]
        part: Part,
    },
    /// Show a release
    #[command(alias = "describe")]
    View {
        /// The project
        #[arg(long)]
        project: String,
        /// The version, or `latest`
        #[arg(long, default_value = "latest")]
        version: String,
    },
    /// Deploy a release
    Deploy(Deploy),
}

/// What the release should be.
#[derive(Debug, Args)]
pub struct Create {
    /// The project
    #[arg(long)]
    pub project: String,
    /// Its version; the highest of its packages, or the next after the last release, where it is left out
    #[arg(long)]
    pub version: Option<String>,
    /// The package version of a step; the newest where it is left out. Repeatable
    #[arg(long = "package", value_name = "STEP:VERSION", value_parser = super::pair)]
    pub packages: Vec<(String, String)>,
    /// A file that says what changed, for people
    #[arg(long, value_name = "FILE")]
    pub notes_file: Option<PathBuf>,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::Deploy(deploy) => deploy.run(session).await,
            Self::List { project, part } => {
                let mut query = part.query();
                query.push(("project", project));
                let page: Page<ReleaseItem> = session.client.get(&["releases"], &query).await?;
                session.output.page(&page, &["project", "version", "created"], |item| {
                    vec![item.project.clone(), item.version.clone(), item.created.clone()]
                })
            }
            Self::View { project, version } => {
                let view: ReleaseView = session.client.get(&["releases", &project, &version], &[]).await?;
                session.output.show(&view, described)
            }
        }
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let notes = match &self.notes_file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|why| Failure::usage(format!("cannot read {}: {why}", path.display())))?,
        };
        let packages: BTreeMap<String, String> = self.packages.into_iter().collect();
        let request = ReleaseRequest { project: self.project, version: self.version, packages, notes };
        let made: ReleaseMade = session.client.post(&["releases"], &request).await?;
        made.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
        session.output.show(&made.release, described)
    }
}

/// A release as people read it.
fn described(view: &ReleaseView) -> String {
    let mut lines = vec![format!("{} {}, made {}", view.item.project, view.item.version, view.item.created)];
    if !view.packages.is_empty() {
        let mut table = Table::new(&["step", "package", "version"]);
        for package in &view.packages {
            table.row(vec![package.step.clone(), package.id.clone(), package.version.clone()]);
        }
        lines.push(table.to_string());
    }
    if !view.succeeded.is_empty() {
        lines.push(format!("succeeded in {}", joined(&view.succeeded)));
    }
    if !view.notes.is_empty() {
        lines.push(format!("\n{}", view.notes));
    }
    lines.join("\n")
}
