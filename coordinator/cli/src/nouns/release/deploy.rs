//! `release deploy`: the plan first, then the deployments, then waiting for them.

use clap::Args;
use windlass_api::answers::{DeploymentStatus, DeploymentsMade};
use windlass_api::plan::Plan;
use windlass_api::requests::DeployRequest;
use windlass_protocol::Digest;

use crate::failure::Failure;
use crate::nouns::{deployment, plan};
use crate::output::{Format, note};
use crate::progress;
use crate::queries::QueryOptions;
use crate::session::Session;

/// What is deployed where.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The project
    #[arg(long)]
    pub project: String,
    /// The release's version, or `latest`
    #[arg(long)]
    pub version: String,
    /// An environment; each is a deployment of its own. Repeatable
    #[arg(long = "environment", required = true, value_name = "ENVIRONMENT")]
    pub environments: Vec<String>,
    /// The tenants; none at all means an untenanted deployment.
    #[command(flatten)]
    pub query: QueryOptions,
    /// Only this target. Repeatable
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Not this target. Repeatable
    #[arg(long = "exclude-target", value_name = "TARGET")]
    pub excluded: Vec<String>,
    /// A step to skip. Repeatable
    #[arg(long = "skip", value_name = "STEP")]
    pub skip: Vec<String>,
    /// Only print what it would do: who gets what, who does not and why
    #[arg(long, conflicts_with = "wait")]
    pub plan: bool,
    /// Refuse unless the plan has this digest
    #[arg(long, value_name = "DIGEST", value_parser = plan_digest)]
    pub expect: Option<String>,
    /// Wait until every deployment is over, and fail if one does
    #[arg(long)]
    pub wait: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// The digest that a plan is printed with.
fn plan_digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.parse::<Digest>().is_ok());
    let wrong = || "a plan's digest is `sha256:` and 64 hexadecimal digits, as --plan prints it".to_owned();
    digits.map(|_| text.to_owned()).ok_or_else(wrong)
}

impl Deploy {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (only_plan, wait) = (self.plan, self.wait);
        let request = self.request();
        if only_plan {
            return show_plan(session, &request).await;
        }
        let made: DeploymentsMade = session.client.post(&["deployments"], &request).await?;
        if !wait {
            session.output.show(&made, |made| deployment::table(&made.deployments))?;
            if let (Format::Table, Some(first)) = (session.output.format, made.deployments.first()) {
                note(&format!("follow with: windlass deployment logs {} --follow", first.id));
            }
            return Ok(());
        }
        let over = progress::wait(session, &made.deployments).await?;
        let failed = over.deployments.iter().any(|item| item.state != DeploymentStatus::Succeeded);
        session.output.show(&over, |made| deployment::table(&made.deployments))?;
        if failed { Err(Failure::Told) } else { Ok(()) }
    }

    fn request(self) -> DeployRequest {
        DeployRequest {
            project: self.project,
            version: self.version,
            environments: self.environments,
            tenants: self.query.to_query(),
            only_targets: self.targets,
            exclude_targets: self.excluded,
            skip_steps: self.skip,
            expect: self.expect,
            reason: self.reason,
        }
    }
}

/// Prints the plan. One that would deploy nothing fails, and one that is not the expected conflicts.
async fn show_plan(session: &Session, request: &DeployRequest) -> Result<(), Failure> {
    let found: Plan = session.client.post(&["plans"], request).await?;
    session.output.show(&found, plan::text)?;
    if let Some(expected) = &request.expect
        && *expected != found.digest
    {
        let text = format!("the plan is another one now, {} instead of {expected}", found.digest);
        return Err(windlass_api::error::Problem::conflict(text).into());
    }
    plan::nothing(&found)
        .map_or(Ok(()), |why| Err(Failure::failed(format!("nothing would be deployed: {why}"))))
}
