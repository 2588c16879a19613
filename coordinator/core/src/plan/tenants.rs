//! Whether a release may be deployed to an environment for a tenant, or untenanted, and why not.

use windlass_api::documents::Tenancy;
use windlass_api::plan::TenantRule;
use windlass_protocol::ids::{EnvironmentId, TenantId};

use crate::model::{Project, Release, Tenant};
use crate::promotion::{self, Blocked};
use crate::state::Space;
use crate::variables::{Context, missing};

/// A rule that leaves a tenant out, and the sentence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRefusal {
    /// The rule.
    pub rule: TenantRule,
    /// The sentence.
    pub reason: String,
}

/// Every rule that forbids this deployment, in the closed list's order; none: it may be made.
pub fn judge(
    space: &Space,
    project: &Project,
    release: &Release,
    environment: EnvironmentId,
    tenant: Option<TenantId>,
) -> Vec<TenantRefusal> {
    let mut refusals = Vec::new();
    let mut refuse = |rule, reason: String| refusals.push(TenantRefusal { rule, reason });
    let tenant = match tenant {
        None => None,
        Some(id) => match space.tenants.get(id) {
            Some(tenant) => Some(tenant),
            None => {
                refuse(TenantRule::NotConnected, "the tenant was deleted".to_owned());
                return refusals;
            }
        },
    };
    let environment_name = space.environments.get(environment).map(|found| found.name.to_string());
    let environment_name = environment_name.unwrap_or_else(|| environment.to_string());
    if let Some(tenant) = tenant {
        if !tenant.is_connected(project.id, environment) {
            refuse(
                TenantRule::NotConnected,
                format!("is not connected to `{environment_name}` in `{}`", project.name),
            );
        }
        if !tenant.enabled {
            refuse(TenantRule::TenantDisabled, "is disabled".to_owned());
        }
    }
    if let Err(blocked) = promote(space, project, release, environment, tenant) {
        refuse(TenantRule::Lifecycle, sentence(space, &blocked, &environment_name));
    }
    let missing = missing_variables(release, environment, tenant);
    if !missing.is_empty() {
        refuse(TenantRule::MissingVariable, format!("needs values for {}", missing.join(", ")));
    }
    match (project.tenancy, tenant.is_some()) {
        (Tenancy::Untenanted, true) => {
            refuse(TenantRule::Tenancy, format!("`{}` is deployed untenanted only", project.name));
        }
        (Tenancy::Tenanted, false) => {
            refuse(TenantRule::Tenancy, format!("`{}` is deployed for tenants only", project.name));
        }
        _ => {}
    }
    refusals
}

fn missing_variables(release: &Release, environment: EnvironmentId, tenant: Option<&Tenant>) -> Vec<String> {
    let none = imbl::OrdMap::new();
    let context = Context {
        snapshot: &release.snapshot,
        tenant,
        tenant_values: tenant.map_or(&none, |tenant| &tenant.values),
        environment,
        target: None,
        step: None,
    };
    missing(&context)
}

/// Whether the lifecycle lets the release go there.
fn promote(
    space: &Space,
    project: &Project,
    release: &Release,
    environment: EnvironmentId,
    tenant: Option<&Tenant>,
) -> Result<(), Blocked> {
    let lifecycle = space.lifecycles.get(project.lifecycle).ok_or(Blocked::NotInLifecycle)?;
    let environments: Vec<_> =
        space.environments_in_order().iter().map(|environment| environment.id).collect();
    let name = |id| space.environments.get(id).map(|found| found.name.to_string()).unwrap_or_default();
    let phases = promotion::phases(lifecycle, &environments, name);
    promotion::check(&phases, space, project.id, release.id, environment, tenant)
}

fn sentence(space: &Space, blocked: &Blocked, environment: &str) -> String {
    match blocked {
        Blocked::NotInLifecycle => format!("`{environment}` is in no phase of the lifecycle"),
        Blocked::Needs { phase, missing, needed, untenanted } => {
            let names = missing
                .iter()
                .filter_map(|id| space.environments.get(*id))
                .map(|found| found.name.to_string());
            let names: Vec<_> = names.collect();
            let what = match names.as_slice() {
                [one] => format!("needs a success in {one} first"),
                several if *needed == several.len() => {
                    format!("needs a success in each of {} first", several.join(", "))
                }
                several => format!("needs a success in {needed} of {} first", several.join(", ")),
            };
            let whose = if *untenanted { ", by anybody" } else { "" };
            format!("{what} (phase `{phase}`{whose})")
        }
    }
}
