//! From a request to deploy in names to the pairs of environment and tenant that it means.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_api::error::Problem;
use windlass_api::plan::Plan;
use windlass_api::requests::DeployRequest;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, ProjectId, ReleaseId, StepId, TargetId, TenantId};

use super::layout::Layout;
use crate::catalogue::unknown_within;
use crate::model::{Project, Release};
use crate::names::{self, PendingTenants, StepNames};
use crate::query::{Match, Query};
use crate::state::Space;
use crate::version::Version;

/// A request with every name looked up.
pub struct Resolved<'a> {
    pub project: &'a Project,
    pub release: &'a Arc<Release>,
    /// Each is a deployment of its own.
    pub pairs: Vec<Pair>,
    /// Targets that it is limited to.
    pub only_targets: Option<BTreeSet<TargetId>>,
    /// Targets that are left out.
    pub excluded_targets: BTreeSet<TargetId>,
    pub skipped_steps: BTreeSet<StepId>,
}

impl<'a> Resolved<'a> {
    /// The same request on `whole`, where it was looked up in a part of it.
    pub(super) fn on(self, whole: &Space) -> Result<Resolved<'_>, Problem> {
        let gone = || Problem::not_found("what it names is there no more");
        Ok(Resolved {
            project: whole.projects.get(self.project.id).ok_or_else(gone)?,
            release: whole.releases.get(&self.release.id).ok_or_else(gone)?,
            ..self
        })
    }

    /// What one deployment of the request is laid out for.
    pub fn layout<'b>(&'b self, space: &'b Space, pair: Pair, now: Timestamp) -> Layout<'b> {
        Layout {
            release: self.release,
            environment: pair.environment,
            tenant: pair.tenant.and_then(|id| space.tenants.get(id)),
            only_targets: self.only_targets.as_ref(),
            excluded_targets: &self.excluded_targets,
            skipped_steps: &self.skipped_steps,
            now,
        }
    }
}

/// A plan as somebody was shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    pub project: ProjectId,
    pub release: ReleaseId,
    /// Where it was asked for.
    pub environments: BTreeSet<EnvironmentId>,
    /// Whom it was asked for; nobody where it is untenanted.
    pub tenants: Query,
    pub digest: String,
    /// How many deployments it shows.
    pub deployments: usize,
}

impl Printed {
    /// What `plan`, which was made on `space`, answers to `request`.
    pub fn new(space: &Space, request: &DeployRequest, plan: &Plan) -> Result<Self, Problem> {
        let project = space.projects.find(&request.project)?;
        let environments = request.environments.iter().map(|name| Ok(space.environments.find(name)?.id));
        Ok(Self {
            project: project.id,
            release: find_release(space, project, &request.version)?.id,
            environments: environments.collect::<Result<_, Problem>>()?,
            tenants: names::query(space, &request.tenants, &PendingTenants::default())?,
            digest: plan.digest.clone(),
            deployments: plan.deployments.len(),
        })
    }
}

/// One deployment to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub environment: EnvironmentId,
    pub tenant: Option<TenantId>,
    /// Whether somebody named it: then it must be possible. What only a tag brought in may be left out.
    pub named: bool,
}

/// Looks a request's names up.
pub fn resolve<'a>(space: &'a Space, request: &DeployRequest) -> Result<Resolved<'a>, Problem> {
    let project = space.projects.find(&request.project)?;
    let release = find_release(space, project, &request.version)?;
    if request.environments.is_empty() {
        return Err(Problem::usage("no environment is named; say where to deploy with --environment"));
    }
    let mut environments: Vec<EnvironmentId> = Vec::new();
    for name in &request.environments {
        let environment = space.environments.find(name)?.id;
        if !environments.contains(&environment) {
            environments.push(environment);
        }
    }
    let tenants = tenants(space, request)?;
    let pairs = environments.iter().flat_map(|environment| {
        tenants.iter().map(|(tenant, named)| Pair {
            environment: *environment,
            tenant: *tenant,
            named: *named,
        })
    });
    let targets = |names: &[String]| -> Result<BTreeSet<TargetId>, Problem> {
        names.iter().map(|name| Ok(space.targets.find(name)?.id)).collect()
    };
    let only = &request.only_targets;
    let steps = StepNames::of(&release.snapshot.steps);
    Ok(Resolved {
        project,
        release,
        pairs: pairs.collect(),
        only_targets: (!only.is_empty()).then(|| targets(only)).transpose()?,
        excluded_targets: targets(&request.exclude_targets)?,
        skipped_steps: request
            .skip_steps
            .iter()
            .map(|name| Ok(steps.find(name)?.id))
            .collect::<Result<_, Problem>>()?,
    })
}

/// The release that `text` names: a version, or `latest` for the highest.
fn find_release<'a>(space: &'a Space, project: &Project, text: &str) -> Result<&'a Arc<Release>, Problem> {
    if text == "latest" {
        let latest = space.releases_of(project.id).next_back();
        return latest
            .ok_or_else(|| Problem::not_found(format!("the project `{}` has no release yet", project.name)));
    }
    let version: Version =
        text.parse().map_err(|why: crate::version::NotAVersion| Problem::usage(why.to_string()))?;
    space.release(project.id, &version).ok_or_else(|| {
        let versions: Vec<_> =
            space.releases_of(project.id).map(|release| release.version.to_string()).collect();
        let known = versions.iter().map(String::as_str);
        Problem::not_found(unknown_within("release", text, &format!("of `{}`", project.name), known))
    })
}

/// The tenants that a request means, and whether each is named. Naming none at all means untenanted; a query that
/// only excludes, or that nobody matches, is an error: it must never come to everybody or to nobody in silence.
fn tenants(space: &Space, request: &DeployRequest) -> Result<Vec<(Option<TenantId>, bool)>, Problem> {
    if request.tenants.is_empty() {
        return Ok(vec![(None, true)]);
    }
    let found = names::included_tenants(space, &request.tenants)?;
    Ok(found.into_iter().map(|(tenant, why)| (Some(tenant.id), why == Match::Name)).collect())
}
