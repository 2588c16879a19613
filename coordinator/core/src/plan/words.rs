//! Why a step, a target or a value is as a plan prints it, in words.

use std::collections::BTreeSet;

use windlass_api::plan::{StepRule, TargetRule};

use super::layout::{LaidStep, Layout};
use crate::model::Target;
use crate::names::{self, LISTED};
use crate::scope;
use crate::state::Space;
use crate::variables::{Candidate, Source};

/// How many more targets a deployment waits for than are named.
pub(super) fn more_unready(more: usize, named: usize) -> String {
    let others = if named > 0 { " more" } else { "" };
    format!(
        "{more}{others} of its targets are not ready: held, not connected, or with a certificate that has expired"
    )
}

pub(super) fn step_reason(rule: StepRule, space: &Space, layout: &Layout<'_>, laid: &LaidStep<'_>) -> String {
    let environment = space.environments.get(layout.environment).map(|found| found.name.to_string());
    let environment = environment.unwrap_or_default();
    match (rule, layout.tenant) {
        (StepRule::StepEnvironment, _) => format!("does not run in {environment}"),
        (StepRule::StepTenant, Some(tenant)) => format!("does not run for {}", tenant.name),
        (StepRule::StepTenant, None) => "runs for certain tenants only".to_owned(),
        (StepRule::StepSkipped, _) => "skipped by the request".to_owned(),
        (StepRule::StepDisabled, _) => "is disabled".to_owned(),
        (StepRule::NoTarget, _) => {
            let roles = &laid.step.roles;
            if roles.len() > LISTED {
                return format!(
                    "no target with one of the {} is in scope",
                    listed("roles", roles.iter().cloned())
                );
            }
            let roles: Vec<_> = roles.iter().map(String::as_str).collect();
            format!("no target with the role {} is in scope", roles.join(" or "))
        }
    }
}

/// Why a rule leaves a target out, as a sentence about the target.
pub fn target_reason(rule: TargetRule, space: &Space, target: &Target) -> String {
    match rule {
        TargetRule::Environment => {
            let environments = scope::environments(&space.environments, target).into_iter();
            let names = environments.filter_map(|id| space.environments.get(id));
            scoped_to("environments", names.map(|environment| environment.name.to_string()))
        }
        TargetRule::Role => scoped_to("roles", scope::roles(target).iter().cloned()),
        TargetRule::Participation => match scope::participation(target) {
            Some(participation) => format!("takes part in {participation:?} deployments only").to_lowercase(),
            None => {
                "takes part in no deployments: what it advertises and what it is granted exclude each other"
                    .into()
            }
        },
        TargetRule::Tenant => scoped_to_tenants(space, target),
        TargetRule::Disabled => "is disabled".to_owned(),
        TargetRule::Revoked => "has its key revoked".to_owned(),
        TargetRule::Excluded => "is left out by the request".to_owned(),
    }
}

fn scoped_to(what: &str, names: impl Iterator<Item = String>) -> String {
    format!("is scoped to {}", listed(what, names))
}

fn listed(what: &str, mut names: impl Iterator<Item = String>) -> String {
    match (names.next(), names.next()) {
        (None, _) => format!("no {what}"),
        (Some(one), None) => format!("{} {one}", what.trim_end_matches('s')),
        (Some(one), Some(two)) => format!("{what} {}", names::listed([one, two].into_iter().chain(names))),
    }
}

/// As the grant says it: who carries a tag that it names is not looked up, for that may be everybody.
fn scoped_to_tenants(space: &Space, target: &Target) -> String {
    let query = &target.granted.tenants;
    let named = query.tenants.iter().filter_map(|id| space.tenants.get(*id));
    let named: BTreeSet<_> =
        named.filter(|tenant| scope::has_tenant(space, target, tenant)).map(|tenant| &tenant.name).collect();
    let tenants = scoped_to("tenants", named.iter().map(ToString::to_string));
    if query.tags.is_empty() {
        return tenants;
    }
    let mut tags = BTreeSet::new();
    for (set, named) in query.tags.iter().filter_map(|(set, tags)| Some((space.tag_sets.get(*set)?, tags))) {
        let named = set.tags.iter().filter(|tag| named.contains(&tag.id));
        tags.extend(named.map(|tag| format!("{}/{}", set.name, tag.name)));
    }
    let tags = listed("tags", tags.into_iter());
    let scoped =
        if named.is_empty() { format!("is scoped to {tags}") } else { format!("{tenants} and {tags}") };
    let narrows = target.advertised.tenants.is_some() || target.advertised.tenant_tags.is_some();
    if narrows { format!("{scoped}, and its agent narrows that") } else { scoped }
}

/// Where a candidate comes from, in words.
pub fn source(space: &Space, candidate: &Candidate<'_>) -> String {
    let set = |id| space.library_sets.get(id).map(|set| set.name.to_string()).unwrap_or_default();
    let scope = candidate.rank.in_words();
    let scoped = if scope.is_empty() { String::new() } else { format!(", scoped by {scope}") };
    match candidate.source {
        Source::Project => format!("project{scoped}"),
        Source::LibrarySet(id) => format!("library set `{}`{scoped}", set(id)),
        Source::TenantForProject => "the tenant's value for the project".to_owned(),
        Source::TenantForLibrarySet(id) => format!("the tenant's value for library set `{}`", set(id)),
        Source::Default => "the template's default".to_owned(),
    }
}
