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
    pub environment: EnvironmentId,
    pub tenant: Option<&'a Tenant>,
    /// The roles of the step; the target needs one of them.
    pub roles: &'a BTreeSet<String>,
    /// Targets that the request limits itself to.
    pub only: Option<&'a BTreeSet<TargetId>>,
    /// Targets that the request excludes.
    pub excluded: &'a BTreeSet<TargetId>,
    pub now: Timestamp,
}

/// Every rule, in the closed list's order.
const RULES: &[TargetRule] = TargetRule::ALL;

/// What a rule looks at besides the target. What is judged once for several questions rests on it, and so does what a
/// plan's digest says of targets that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LooksAt {
    /// Nothing.
    TargetAlone,
    /// The environment of the deployment.
    Environment,
    /// Whether it is a tenant's.
    Tenancy,
    Tenant,
    Step,
    /// The targets that the request names.
    Request,
}

/// What a rule looks at.
pub(crate) const fn looks_at(rule: TargetRule) -> LooksAt {
    match rule {
        TargetRule::Environment => LooksAt::Environment,
        TargetRule::Role => LooksAt::Step,
        TargetRule::Participation => LooksAt::Tenancy,
        TargetRule::Tenant => LooksAt::Tenant,
        TargetRule::Disabled | TargetRule::Revoked => LooksAt::TargetAlone,
        TargetRule::Excluded => LooksAt::Request,
    }
}

/// Whether a rule lets a target in.
fn holds(rule: TargetRule, space: &Space, target: &Target, question: &Question<'_>) -> bool {
    match rule {
        TargetRule::Environment => scope::has_environment(&space.environments, target, question.environment),
        TargetRule::Role => scope::has_any_role(target, question.roles),
        TargetRule::Participation => scope::takes_part(target, question.tenant.is_some()),
        TargetRule::Tenant => question.tenant.is_none_or(|tenant| scope::has_tenant(space, target, tenant)),
        TargetRule::Disabled => target.enabled,
        TargetRule::Revoked => !target.revoked,
        TargetRule::Excluded => {
            question.only.is_none_or(|only| only.contains(&target.id))
                && !question.excluded.contains(&target.id)
        }
    }
}

/// Why a target is left out: every rule that does not hold, in the closed list's order, so the first is *the* rule.
pub fn refusals(space: &Space, target: &Target, question: &Question<'_>) -> Vec<TargetRule> {
    RULES.iter().copied().filter(|rule| !holds(*rule, space, target, question)).collect()
}

/// Whether a target belongs to it.
pub fn admits(space: &Space, target: &Target, question: &Question<'_>) -> bool {
    RULES.iter().all(|rule| holds(*rule, space, target, question))
}

/// Whether a target would belong to it if it had one of the roles, and if it serves the tenant.
pub fn admits_for_whom_it_serves(space: &Space, target: &Target, question: &Question<'_>) -> bool {
    let apart = |rule| matches!(looks_at(rule), LooksAt::Step | LooksAt::Tenant);
    RULES.iter().all(|rule| apart(*rule) || holds(*rule, space, target, question))
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
