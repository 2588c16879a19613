//! Whether a target still belongs to what it works on, asked again at every read (SEMANTICS 3, "While it runs").

use std::collections::BTreeSet;

use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;

use crate::matching::{self, Question};
use crate::model::{Deployment, Target};
use crate::plan::{step_rule, target_reason};
use crate::state::Space;

/// Whether a target still belongs to a deployment that runs; if not, the sentence why (SEMANTICS 3, "While it runs").
pub fn still_qualifies(
    space: &Space,
    deployment: &Deployment,
    target: TargetId,
    now: Timestamp,
) -> Result<(), String> {
    let work = deployment.work.get(&target).ok_or("it has no part in the deployment")?;
    if let Some(reason) = &work.removed {
        return Err(reason.clone());
    }
    let target: &Target = space.targets.get(target).ok_or("the target was deleted")?;
    let tenant = match deployment.tenant {
        None => None,
        Some(id) => Some(space.tenants.get(id).ok_or("the tenant was deleted")?),
    };
    if tenant.is_some_and(|tenant| !tenant.is_connected(deployment.project, deployment.environment)) {
        return Err("the tenant was disconnected".to_owned());
    }
    let release = space.releases.get(&deployment.release).ok_or("the release was deleted")?;
    let steps = deployment.steps.iter().filter(|step| step.targets.contains(&target.id));
    let none = BTreeSet::new();
    for step in steps {
        let known = release.snapshot.steps.iter().find(|known| known.id == step.step);
        let known = known.ok_or("the step was deleted")?;
        // The step is as the release froze it, but the tenant's tags are live.
        if step_rule(known, deployment.environment, tenant).is_some() {
            return Err(format!("the step `{}` no longer runs for the tenant", known.name));
        }
        let question = Question {
            environment: deployment.environment,
            tenant,
            roles: &known.roles,
            only: None,
            excluded: &none,
            now,
        };
        if let Some(rule) = matching::refusals(space, target, &question).first() {
            return Err(format!("the target {}", target_reason(*rule, space, target)));
        }
    }
    Ok(())
}
