//! What a step is given of variables on a target: one content for one assignment, whenever it is asked for.

use std::collections::BTreeMap;

use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Origin;
use windlass_protocol::names::fold;

use super::{Context, Needs, Resolution, SystemNames, is_tenants_name, outputs, resolve, system_variables};
use crate::model::{Deployment, Frozen, Part, Release, Step, StoredValue};
use crate::query::TenantTags;

/// A variable that a step is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub name: String,
    /// Its value; a sensitive one is still sealed.
    pub value: StoredValue,
    /// Whose word it is: what of it may be code.
    pub origin: Origin,
}

/// Why a step cannot be given its variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// The deployment does not run, or not there.
    #[error("the deployment is gone")]
    Gone,
    /// Two values that nothing tells apart.
    #[error("`{0}` has two values that nothing tells apart")]
    Ambiguous(String),
}

/// The variables that a step of a deployment needs on a target, in the order of their names, as they were when the
/// deployment started, and with what the steps before it set: the same for as long as the step runs (SEMANTICS 3, 6).
pub fn delivered(
    deployment: &Deployment,
    release: &Release,
    step: &Step,
    target: TargetId,
) -> Result<Vec<Delivered>, NotDelivered> {
    let part = deployment.parts.get(&target).ok_or(NotDelivered::Gone)?;
    let frozen = deployment.frozen.as_deref().ok_or(NotDelivered::Gone)?;
    let context = Context {
        snapshot: &release.snapshot,
        tenant: frozen.tenant.as_ref().map(TenantTags::of),
        tenant_values: frozen.tenant.as_ref().map(|tenant| &tenant.values),
        environment: deployment.environment,
        target: Some((target, &part.roles)),
        step: Some(step),
    };
    let mut variables = BTreeMap::new();
    let mut put = |name: String, value, origin| {
        variables.insert(fold(&name), Delivered { name, value, origin });
    };
    let needs = Needs::of(&step.needs, &context);
    for (name, value) in outputs(deployment, &release.snapshot, (step.id, target), &needs) {
        put(name, value.clone(), Origin::Other);
    }
    // An output variable never shadows a variable, so these come after.
    for name in needs.names.into_values() {
        match resolve(&name, &context) {
            Resolution::Value(candidate, _) => {
                let origin = if candidate.is_data() { Origin::Tenant } else { Origin::Process };
                put(name, candidate.value.clone(), origin);
            }
            Resolution::Ambiguous(..) => return Err(NotDelivered::Ambiguous(name)),
            Resolution::Undefined => {}
        }
    }
    // The system's own come last: nothing shadows them, whatever it is called.
    for (name, value) in system(deployment, frozen, release, part, step) {
        // A name is no template; one that looks like one is taken as it is. And what a tenant is called is the tenant's.
        let origin = match is_tenants_name(&name) {
            true => Origin::Tenant,
            false if value.contains("#{") => Origin::Other,
            false => Origin::Process,
        };
        put(name, StoredValue::Plain(value), origin);
    }
    Ok(variables.into_values().collect())
}

fn system(
    deployment: &Deployment,
    frozen: &Frozen,
    release: &Release,
    part: &Part,
    step: &Step,
) -> Vec<(String, String)> {
    system_variables(&SystemNames {
        space: frozen.space.name.as_str(),
        environment: frozen.environment.name.as_str(),
        tenant: frozen.tenant.as_ref().map(|tenant| tenant.called.name.as_str()),
        project: frozen.project.name.as_str(),
        release: &release.version.to_string(),
        machine: part.name.as_str(),
        step: step.name.as_str(),
        deployment: &deployment.id.to_string(),
    })
}
