//! Whether a target belongs to a step of a deployment, and why not (SEMANTICS 3).
//!
//! The one function that plans, explains, starts, and checks again at every read while a deployment runs.

use std::collections::BTreeSet;

use windlass_api::plan::TargetRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, TargetId};

use crate::model::{Target, Tenant};
use crate::scope;
use crate::state::Space;

/// What a target is judged for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The environment of the deployment.
    pub environment: EnvironmentId,
    /// Its tenant, or none.
    pub tenant: Option<&'a Tenant>,
    /// The roles of the step; the target needs one of them.
    pub roles: &'a BTreeSet<String>,
    /// Targets that the request limits itself to.
    pub only: Option<&'a BTreeSet<TargetId>>,
    /// Targets that the request excludes.
    pub excluded: &'a BTreeSet<TargetId>,
    /// Now.
    pub now: Timestamp,
}

/// Why a target is left out: every rule that holds, in the closed list's order, so the first is *the* rule.
pub fn refusals(space: &Space, target: &Target, question: &Question<'_>) -> Vec<TargetRule> {
    let tenanted = question.tenant.is_some();
    let mut rules = Vec::new();
    let mut unless = |holds: bool, rule| {
        if !holds {
            rules.push(rule);
        }
    };
    let has_environment = scope::has_environment(&space.environments, target, question.environment);
    unless(has_environment, TargetRule::Environment);
    unless(scope::has_any_role(target, question.roles), TargetRule::Role);
    unless(scope::takes_part(target, tenanted), TargetRule::Participation);
    let has_tenant = question.tenant.is_none_or(|tenant| scope::has_tenant(space, target, tenant));
    unless(has_tenant, TargetRule::Tenant);
    unless(target.enabled, TargetRule::Disabled);
    unless(!target.revoked, TargetRule::Revoked);
    let listed = question.only.is_none_or(|only| only.contains(&target.id));
    unless(listed && !question.excluded.contains(&target.id), TargetRule::Excluded);
    rules
}

/// Whether a target belongs to it.
pub fn admits(space: &Space, target: &Target, question: &Question<'_>) -> bool {
    refusals(space, target, question).is_empty()
}

/// What a target that belongs to a step has to do before it can get anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Its newest certificate has expired. It comes back by itself, for an expired certificate may renew: so it is
    /// waited for like a target that is offline, and never left out silently.
    CertificateExpired,
}

/// What a target has to do now before it can get anything; `None` where it is ready. A certificate is good up to its
/// last moment.
pub fn waits(target: &Target, now: Timestamp) -> Option<Waits> {
    (target.key.certificate_expires < now).then_some(Waits::CertificateExpired)
}
