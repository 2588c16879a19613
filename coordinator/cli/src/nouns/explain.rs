//! Why something is as it is.

use clap::Subcommand;
use windlass_api::answers::{DeploymentStory, TargetExplained, TenantExplained};
use windlass_api::plan::TargetState;

use crate::failure::Failure;
use crate::output::{Table, or_dash};
use crate::session::Session;

/// What to explain.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Why a target gets a project's steps, or does not
    Target {
        /// Name, slug or id
        name: String,
        /// The project
        #[arg(long)]
        project: String,
        /// The environment
        #[arg(long)]
        environment: String,
        /// The tenant; untenanted where it is left out
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Why a release may be deployed for a tenant, or may not
    Tenant {
        /// Name, slug or id
        name: String,
        /// The project
        #[arg(long)]
        project: String,
        /// The release's version, or `latest`
        #[arg(long)]
        version: String,
        /// The environment
        #[arg(long)]
        environment: String,
    },
    /// What happened in a deployment, from the record
    Deployment {
        /// Its id
        id: String,
    },
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = &session.client;
        match self {
            Self::Target { name, project, environment, tenant } => {
                let query =
                    [("project", Some(project)), ("environment", Some(environment)), ("tenant", tenant)];
                let steps: Vec<TargetExplained> =
                    client.get(&["targets", &name, "explanation"], &query).await?;
                session.output.show(&steps, |steps| {
                    let mut table = Table::new(&["step", "target", "rule", "reason"]);
                    for step in steps {
                        let state = if step.state == TargetState::In { "in" } else { "out" };
                        let rules: Vec<_> = step.rules.iter().map(ToString::to_string).collect();
                        let rules = if rules.is_empty() { "–".to_owned() } else { rules.join(", ") };
                        table.row(vec![
                            step.step.clone(),
                            state.to_owned(),
                            rules,
                            or_dash(step.reason.as_deref().or(step.waits.as_deref())),
                        ]);
                    }
                    table.to_string()
                })
            }
            Self::Tenant { name, project, version, environment } => {
                let query = [
                    ("project", Some(project)),
                    ("version", Some(version)),
                    ("environment", Some(environment)),
                ];
                let found: TenantExplained = client.get(&["tenants", &name, "explanation"], &query).await?;
                session.output.show(&found, |found| {
                    if found.allowed {
                        return "allowed".to_owned();
                    }
                    let mut table = Table::new(&["rule", "reason"]);
                    for (rule, reason) in found.rules.iter().zip(&found.reasons) {
                        table.row(vec![rule.to_string(), reason.clone()]);
                    }
                    table.to_string()
                })
            }
            Self::Deployment { id } => {
                let story: DeploymentStory = client.get(&["deployments", &id, "explanation"], &[]).await?;
                session.output.show(&story, |story| {
                    let earlier = (story.earlier > 0).then(|| {
                        format!("… {} earlier lines: `windlass audit list --about {id}`", story.earlier)
                    });
                    let lines = story.lines.iter().map(|line| format!("{}  {}", line.time, line.text));
                    earlier.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
                })
            }
        }
    }
}
