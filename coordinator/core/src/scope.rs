//! Effective = granted ∩ advertised, dimension by dimension (SEMANTICS 3).
//!
//! What an agent says can only narrow: every function here starts from the grant.

use std::collections::BTreeSet;

use windlass_protocol::ids::{EnvironmentId, TenantId};
use windlass_protocol::message::Participation;

use crate::model::{Target, Tenant};
use crate::query::{Empty, Query};

/// The roles that a target has.
pub fn roles(target: &Target) -> BTreeSet<String> {
    match &target.advertised.roles {
        None => target.granted.roles.clone(),
        Some(advertised) => target.granted.roles.intersection(advertised).cloned().collect(),
    }
}

/// Whether a target has one of `wanted`.
pub fn has_any_role(target: &Target, wanted: &BTreeSet<String>) -> bool {
    let advertised =
        |role: &String| target.advertised.roles.as_ref().is_none_or(|roles| roles.contains(role));
    wanted.iter().any(|role| target.granted.roles.contains(role) && advertised(role))
}

/// The environments that a target belongs to.
pub fn environments(target: &Target) -> BTreeSet<EnvironmentId> {
    match &target.advertised.environments {
        None => target.granted.environments.clone(),
        Some(advertised) => target.granted.environments.intersection(advertised).copied().collect(),
    }
}

/// Whether a target belongs to an environment.
pub fn has_environment(target: &Target, environment: EnvironmentId) -> bool {
    let advertised = &target.advertised.environments;
    target.granted.environments.contains(&environment)
        && advertised.as_ref().is_none_or(|advertised| advertised.contains(&environment))
}

/// Whether a target's tenant query, granted and advertised, matches a tenant. An empty query means nobody.
pub fn has_tenant(target: &Target, tenant: &Tenant) -> bool {
    let matches = |query: &Query| query.matches(tenant, Empty::MeansNobody).is_some();
    matches(&target.granted.tenants) && target.advertised.tenants.as_ref().is_none_or(matches)
}

/// Whether a target takes part in deployments for tenants, or in untenanted ones.
pub fn takes_part(target: &Target, tenanted: bool) -> bool {
    let admits = |participation: Participation| match participation {
        Participation::Both => true,
        Participation::Tenanted => tenanted,
        Participation::Untenanted => !tenanted,
    };
    admits(target.granted.participation) && target.advertised.participation.is_none_or(admits)
}

/// The participation that granted and advertised have in common, if any.
pub fn participation(target: &Target) -> Option<Participation> {
    match (takes_part(target, true), takes_part(target, false)) {
        (true, true) => Some(Participation::Both),
        (true, false) => Some(Participation::Tenanted),
        (false, true) => Some(Participation::Untenanted),
        (false, false) => None,
    }
}

/// Participation where nobody said one: decided once, when a target is made.
pub fn participation_by_default(tenants: &Query) -> Participation {
    if tenants.includes_nothing() { Participation::Untenanted } else { Participation::Tenanted }
}

/// Which of `tenants` a target may serve.
pub fn tenants<'a>(
    target: &'a Target,
    tenants: impl Iterator<Item = &'a Tenant> + 'a,
) -> impl Iterator<Item = TenantId> + 'a {
    let tenanted = takes_part(target, true);
    tenants.filter(move |tenant| tenanted && has_tenant(target, tenant)).map(|tenant| tenant.id)
}
