//! What is delivered to an agent: the assignment for a piece of work, and the variables of a step.
//!
//! Both are made from one state and the vault. Whoever calls this holds the permit for it.

use windlass_coordinator_core::authorise::still_qualifies;
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::{Deployment, Frozen, Release, Step, StepAction, StoredValue};
use windlass_coordinator_core::state::{Space, WorkItem, WorkKind};
use windlass_coordinator_core::variables::{Delivered, NotDelivered, delivered};
use windlass_protocol::Digest;
use windlass_protocol::codec::TooLarge;
use windlass_protocol::ids::{AssignmentId, DeploymentId, SpaceId, StepId, TargetId};
use windlass_protocol::message::{
    Action, Assignment, ClearVariable, ClearVariables, FetchWork, InstallationPath, PackageReference,
    RunWork, Work,
};

use super::Sessions;
use crate::engine::{Engine, now};
use crate::vault::VaultError;

/// Releases that stay on a target beside the current one.
const KEPT_RELEASES: u16 = 3;

fn kept_releases() -> u16 {
    let kept = windlass_segments::fail::number("KEPT_RELEASES", KEPT_RELEASES.into());
    u16::try_from(kept).unwrap_or(KEPT_RELEASES)
}

/// Why something cannot be delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    /// What the work rests on is gone.
    #[error("{0} is gone")]
    Gone(&'static str),
    /// The target does not belong to the deployment any more: it gets nothing of it, not even what it would run.
    #[error("the target does not belong to it any more")]
    NotItsOwn,
    /// A sensitive value does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The key of its tenant, or of the space, cannot be had.
    #[error("the key of {of} cannot be had: {why}")]
    Key { of: String, why: VaultError },
    /// What the core says.
    #[error(transparent)]
    NotDelivered(#[from] NotDelivered),
    /// More than an agent takes at once: variables that the step's own deployment made, for all else was looked at
    /// before it started.
    #[error("what the target needs for it is too large: {0}")]
    TooLarge(#[from] TooLarge),
}

impl DeliveryError {
    /// Whether the next try may go well: a disk that is full or does not answer is no reason to end a deployment.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Vault(why) | Self::Key { why, .. } if why.passes())
    }

    /// What the deployment's reader is told. Where the vault failed, only the log says how.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Key { of, why: VaultError::Destroyed(_) } => format!("the key of {of} was destroyed"),
            Self::Key { of, why: VaultError::Missing { .. } } => {
                format!("the key of {of} is missing; the coordinator's log tells which file to restore")
            }
            Self::Key { .. } | Self::Vault(_) => {
                "a sensitive value of it cannot be opened; the coordinator's log tells why".to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// Gives up work that cannot be delivered, so that its deployment fails with the reason instead of waiting for a target
/// that was never told.
pub(super) async fn give_up(
    sessions: &Sessions,
    space: SpaceId,
    target: TargetId,
    reasons: Vec<(AssignmentId, String)>,
) {
    let command = Command::Space(space, SpaceCommand::GiveUpUndeliverable { target, reasons });
    if let Err(why) = sessions.engine.submit(Engine::envelope(Actor::Coordinator, None), command).await
        && sessions.takes_line(target)
    {
        tracing::error!(%target, %why, "work that cannot be delivered could not be given up");
    }
}

use DeliveryError::Gone;

/// The agent's key to seal to.
pub(super) fn sealing_key(space: &Space, target: TargetId) -> Option<[u8; 32]> {
    let key: Digest = space.targets.get(target)?.key.sealing_key.parse().ok()?;
    Some(*key.as_bytes())
}

/// The assignment for a piece of a target's work.
pub(super) fn assignment(
    sessions: &Sessions,
    space: &Space,
    target: TargetId,
    item: &WorkItem,
) -> Result<Assignment, DeliveryError> {
    let deployment = space.deployments.get(&item.deployment).ok_or(Gone("the deployment"))?;
    still_qualifies(space, deployment, target, now()).map_err(|_| DeliveryError::NotItsOwn)?;
    let release = space.releases.get(&deployment.release()).ok_or(Gone("the release"))?;
    let id = item.assignment(target);
    let work = match item.kind {
        WorkKind::Fetch => Work::Fetch(FetchWork { packages: packages(deployment, release, target) }),
        WorkKind::Run(step) => {
            let step = find_step(release, step)?;
            let variables = variables(sessions, space, deployment.id, target, step.id, id)?;
            let digest = match variables.variables.as_slice() {
                [] => None,
                _ => Some(variables.digest(id)?),
            };
            Work::Run(Box::new(run_work(release, step, digest)?))
        }
    };
    Ok(Assignment {
        target,
        id,
        generation: item.generation,
        not_before: deployment.created,
        expires: item.expires,
        deployment: deployment.id,
        path: path(space, deployment, release)?,
        work,
    })
}

fn find_step(release: &Release, id: StepId) -> Result<&Step, DeliveryError> {
    release.snapshot.steps.iter().find(|step| step.id == id).ok_or(Gone("the step"))
}

/// Where its files lie, by what everything was called when the deployment started.
fn path(
    space: &Space,
    deployment: &Deployment,
    release: &Release,
) -> Result<InstallationPath, DeliveryError> {
    let frozen = deployment.frozen.as_ref().ok_or(Gone("the deployment"))?;
    let Frozen { environment, project, tenant, .. } = &**frozen;
    Ok(InstallationPath {
        space: (space.head.id, frozen.space.slug.clone()),
        environment: (deployment.environment, environment.slug.clone()),
        environment_name: environment.name.to_string(),
        tenant: tenant.as_ref().map(|tenant| (tenant.id, tenant.called.slug.clone())),
        tenant_name: tenant.as_ref().map(|tenant| tenant.called.name.to_string()),
        project: (deployment.project, project.slug.clone()),
        version: release.version.to_string(),
    })
}

/// The packages of the steps that this target runs, each once.
fn packages(deployment: &Deployment, release: &Release, target: TargetId) -> Vec<PackageReference> {
    let mut packages: Vec<PackageReference> = Vec::new();
    for step in deployment.graph.steps_on(target) {
        if let Some(reference) = reference(release, step)
            && packages.iter().all(|known| known.manifest != reference.manifest)
        {
            packages.push(reference);
        }
    }
    packages
}

fn reference(release: &Release, step: StepId) -> Option<PackageReference> {
    let chosen = release.packages.get(&step)?;
    Some(PackageReference {
        id: chosen.id.clone(),
        version: chosen.version.to_string(),
        manifest: chosen.manifest,
        size: chosen.size,
    })
}

fn run_work(release: &Release, step: &Step, variables: Option<Digest>) -> Result<RunWork, DeliveryError> {
    let action = match &step.action {
        StepAction::Script(body) => Action::Script(body.clone()),
        StepAction::Package { substitute, .. } => Action::Package {
            package: reference(release, step.id).ok_or(Gone("the package"))?,
            substitute: substitute.clone(),
        },
    };
    Ok(RunWork {
        step: (step.id, step.slug.clone()),
        name: step.name.to_string(),
        action,
        variables,
        timeout_seconds: step.timeout_seconds,
        safe_to_repeat: step.safe_to_repeat,
        concurrent: step.concurrent,
        keep: kept_releases(),
    })
}

/// The variables that a step needs on a target, in the order of their names, as they were when the deployment
/// started.
pub(super) fn variables(
    sessions: &Sessions,
    space: &Space,
    deployment: DeploymentId,
    target: TargetId,
    step: StepId,
    assignment: AssignmentId,
) -> Result<ClearVariables, DeliveryError> {
    let deployment = space.deployments.get(&deployment).ok_or(Gone("the deployment"))?;
    let release = space.releases.get(&deployment.release()).ok_or(Gone("the release"))?;
    let step = find_step(release, step)?;
    let (of, key) = match deployment.tenant {
        None => ("the space".to_owned(), space.head.key),
        Some(id) => {
            let tenant = space.tenants.get(id).ok_or(Gone("the tenant"))?;
            (format!("tenant `{}`", tenant.name), tenant.key)
        }
    };
    let salt = sessions.services.vault.salt(key, assignment).map_err(|why| DeliveryError::Key { of, why })?;
    let delivered = delivered(deployment, release, step, target)?.into_iter().map(|variable| {
        let Delivered { name, value, origin } = variable;
        let sensitive = value.is_sensitive();
        Ok(ClearVariable { name, value: clear(sessions, value)?, sensitive, origin })
    });
    Ok(ClearVariables { salt, variables: delivered.collect::<Result<_, VaultError>>()? })
}

fn clear(sessions: &Sessions, value: StoredValue) -> Result<String, VaultError> {
    match value {
        StoredValue::Plain(text) => Ok(text),
        StoredValue::Sealed(sealed) => Ok(sessions.services.vault.reveal(&sealed)?.reveal().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_key_that_a_disk_does_not_give_now_ends_no_deployment_and_one_that_is_missing_does() {
        let refused = |kind: ErrorKind| VaultError::unread("a key", kind.into());
        for (kind, passes) in [(ErrorKind::NotConnected, true), (ErrorKind::NotFound, false)] {
            let of = "tenant `Alpha`".to_owned();
            assert_eq!(DeliveryError::Key { of, why: refused(kind) }.passes(), passes, "{kind}");
            assert_eq!(DeliveryError::Vault(refused(kind)).passes(), passes, "{kind}");
        }
    }
}
