//! Whether a target still belongs to what it works on, asked again at every read (SEMANTICS 3, "While it runs").

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::plan::TargetRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;

use crate::matching::{self, Question};
use crate::model::{Deployment, Removal, Target};
use crate::plan::step_rule;
use crate::state::Space;

/// Whether a target still belongs to a deployment that runs; if not, why (SEMANTICS 3, "While it runs").
pub fn still_qualifies(
    space: &Space,
    deployment: &Deployment,
    target: TargetId,
    now: Timestamp,
) -> Result<(), Removal> {
    let part = deployment.parts.get(&target).ok_or(Removal::NoPart)?;
    if let Some(why) = part.removed {
        return Err(why);
    }
    let target: &Target = space.targets.get(target).ok_or(Removal::TargetDeleted)?;
    if part.replaced {
        return Err(Removal::AnotherMachine);
    }
    let tenant = match deployment.tenant {
        None => None,
        Some(id) => Some(space.tenants.get(id).ok_or(Removal::TenantDeleted)?),
    };
    if tenant.is_some_and(|tenant| !tenant.is_connected(deployment.project, deployment.environment)) {
        return Err(Removal::Disconnected);
    }
    let release = space.releases.get(&deployment.release()).ok_or(Removal::ReleaseDeleted)?;
    let none = BTreeSet::new();
    let mut steps: BTreeMap<_, _> = deployment.graph.work_on(target.id).collect();
    let mut asked = BTreeSet::new();
    for known in &release.snapshot.steps {
        let Some(is_over) = steps.remove(&known.id) else { continue };
        // The step is as the release froze it, but the tenant's tags are live. What is over asks for nothing more.
        let rule = step_rule(known, deployment.environment, tenant).filter(|_| !is_over);
        if let Some(rule) = rule {
            return Err(Removal::Step { step: known.id, rule });
        }
        // Of a step the target's own rules look at the roles alone.
        if !asked.insert((&known.roles, is_over)) {
            continue;
        }
        let question = Question {
            environment: deployment.environment,
            tenant,
            roles: &known.roles,
            only: None,
            excluded: &none,
            now,
        };
        let refusals = matching::refusals(space, target, &question);
        if let Some(rule) = refusals.iter().find(|rule| !is_over || **rule != TargetRule::Role) {
            return Err(Removal::Target { rule: *rule });
        }
    }
    if steps.is_empty() { Ok(()) } else { Err(Removal::ReleaseDeleted) }
}
