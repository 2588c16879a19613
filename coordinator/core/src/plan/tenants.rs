//! Whether a release may be deployed to an environment for a tenant, or untenanted, and why not.

use std::collections::BTreeSet;

use windlass_api::documents::Tenancy;
use windlass_api::error::Problem;
use windlass_api::plan::TenantRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, ReleaseId, TenantId};

use super::check::Code;
use super::given::{Given, Lookups};
use super::layout::{LaidStep, Layout, Layouts};
use super::request::{Pair, Resolved};
use crate::model::{Project, Release};
use crate::names;
use crate::promotion::{self, Blocked, ResolvedPhase};
use crate::state::Space;

/// Bytes of the names of missing values in a reason: each of them is asked for (SEMANTICS 6), and a plan has a reason for
/// each of ten thousand tenants.
const MISSING_BYTES: usize = 1024;

/// A rule that leaves a tenant out, and the sentence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRefusal {
    pub rule: TenantRule,
    pub reason: String,
}

/// Every rule that forbids this deployment, in the closed list's order; none: it may be made. Said with the names of
/// `words`: of the space as somebody sees it.
pub fn judge(
    space: &Space,
    words: &Space,
    project: &Project,
    release: &Release,
    environment: EnvironmentId,
    tenant: Option<TenantId>,
) -> Vec<TenantRefusal> {
    let lookups = &mut Lookups::of(release);
    TenantChecks::of(space, words, project, release).judge(lookups, environment, tenant)
}

/// What deployments of one release are judged by.
struct TenantChecks<'a> {
    space: &'a Space,
    words: &'a Space,
    project: &'a Project,
    release: ReleaseId,
    /// The phases of the project's lifecycle.
    phases: Option<Vec<ResolvedPhase>>,
}

impl<'a> TenantChecks<'a> {
    fn of(space: &'a Space, words: &'a Space, project: &'a Project, release: &'a Release) -> Self {
        Self { space, words, project, release: release.id, phases: phases(space, project) }
    }

    fn judge(
        &self,
        lookups: &mut Lookups<'_>,
        environment: EnvironmentId,
        tenant: Option<TenantId>,
    ) -> Vec<TenantRefusal> {
        let Self { space, words, project, release, phases } = self;
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
        let environment_name = || {
            let found = words.environments.get(environment);
            found.map_or_else(|| environment.to_string(), |found| found.name.to_string())
        };
        if let Some(tenant) = tenant {
            if !tenant.is_connected(project.id, environment) {
                refuse(
                    TenantRule::NotConnected,
                    format!("is not connected to `{}` in `{}`", environment_name(), project.name),
                );
            }
            if !tenant.enabled {
                refuse(TenantRule::TenantDisabled, "is disabled".to_owned());
            }
        }
        let promoted = phases.as_deref().ok_or(Blocked::NotInLifecycle).and_then(|phases| {
            promotion::check(phases, &space.history, project.id, *release, environment, tenant)
        });
        if let Err(blocked) = promoted {
            refuse(TenantRule::Lifecycle, sentence(words, &blocked, &environment_name()));
        }
        let missing = lookups.missing(environment, tenant);
        if !missing.is_empty() {
            refuse(
                TenantRule::MissingVariable,
                format!("needs values for {}", names::listed_within(&missing, MISSING_BYTES)),
            );
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
}

/// The pairs of a request that may be deployed, and those that are left out, with why.
pub struct Admitted {
    /// Those that may be.
    pub pairs: Vec<Pair>,
    /// Those that only a tag brought in, and that may not be.
    pub left_out: Vec<(Pair, Vec<TenantRefusal>)>,
}

/// Whether somebody still waits for what is planned or decided; an error ends it. Asked for each deployment or document.
pub type Wanted<'a> = &'a dyn Fn() -> Result<(), Problem>;

/// Deployments that one request may make.
const MOST_DEPLOYMENTS: usize = 10_000;

/// Ids that the deployments of one request may hold together, each for some 40 bytes: they are one record.
const MOST_IDS: usize = 200_000;

/// About as much as that holds a deployment that names neither targets nor steps.
const IDS_OF_DEPLOYMENT: usize = 10;

/// Which pairs of a request may be deployed. What nobody may deploy is an error, for the plan as for the deployment: too
/// much at once, a tenant that somebody named and that may not be, variables that no target could be given, nobody left.
/// It is said with the names of `words`.
pub fn admitted(
    space: &Space,
    words: &Space,
    resolved: &Resolved<'_>,
    now: Timestamp,
) -> Result<Admitted, Problem> {
    admitted_shown(space, words, resolved, now, &|| Ok(()), |_, _, _, _| ())
}

/// The same; each that may be deployed is shown to `show`, as it is laid out and with what its targets are given.
pub(super) fn admitted_shown<'a>(
    space: &'a Space,
    words: &Space,
    resolved: &'a Resolved<'_>,
    now: Timestamp,
    wanted: Wanted<'_>,
    mut show: impl FnMut(Pair, &Layout<'a>, &[LaidStep<'a>], &[Given<'a>]),
) -> Result<Admitted, Problem> {
    refuse_too_much(resolved)?;
    let (mut code, mut lookups) = (Code::of(resolved.release), Lookups::of(resolved.release));
    let mut layouts = Layouts::of(space);
    let judging = TenantChecks::of(space, words, resolved.project, resolved.release);
    let mut admitted = Admitted { pairs: Vec::new(), left_out: Vec::new() };
    for pair in &resolved.pairs {
        wanted()?;
        let refusals = judging.judge(&mut lookups, pair.environment, pair.tenant);
        if refusals.is_empty() {
            let layout = resolved.layout(space, *pair, now);
            let laid = layouts.lay_out(&layout);
            let given = lookups.given(&layout, &laid)?;
            code.check(&layout, &laid, &given)?;
            show(*pair, &layout, &laid, &given);
            admitted.pairs.push(*pair);
        } else if pair.named {
            return Err(Problem::conflict(refusal_sentence(words, *pair, &refusals)));
        } else {
            admitted.left_out.push((*pair, refusals));
        }
    }
    if let (true, Some((pair, refusals))) = (admitted.pairs.is_empty(), admitted.left_out.first()) {
        let sentence = refusal_sentence(words, *pair, refusals);
        return Err(Problem::failed(format!("nobody is left to deploy to; {sentence}")));
    }
    Ok(admitted)
}

fn refuse_too_much(resolved: &Resolved<'_>) -> Result<(), Problem> {
    let deployments = resolved.pairs.len();
    if deployments > MOST_DEPLOYMENTS {
        return Err(Problem::usage(format!("a request makes at most {MOST_DEPLOYMENTS} deployments")));
    }
    let only = resolved.only_targets.as_ref().map_or(0, BTreeSet::len);
    let named = only + resolved.excluded_targets.len() + resolved.skipped_steps.len();
    if deployments * (IDS_OF_DEPLOYMENT + named) > MOST_IDS {
        return Err(Problem::usage(format!(
            "{deployments} deployments that each name {named} targets and steps are too much at once; deploy to fewer \
             tenants or environments, or name fewer targets"
        )));
    }
    Ok(())
}

/// Why a pair may not be deployed, as a sentence that says which it is.
pub fn refusal_sentence(space: &Space, pair: Pair, refusals: &[TenantRefusal]) -> String {
    let environment = space.environments.get(pair.environment).map(|found| found.name.to_string());
    let who =
        pair.tenant.and_then(|id| space.tenants.get(id)).map(|tenant| format!("tenant `{}`", tenant.name));
    let who = who.unwrap_or_else(|| "the untenanted deployment".to_owned());
    let reason = refusals.first().map(|refusal| refusal.reason.as_str()).unwrap_or_default();
    format!("{who} in {}: {reason}", environment.unwrap_or_default())
}

/// The phases of a project's lifecycle.
fn phases(space: &Space, project: &Project) -> Option<Vec<ResolvedPhase>> {
    let lifecycle = space.lifecycles.get(project.lifecycle)?;
    let environments: Vec<_> =
        space.environments_in_order().iter().map(|environment| environment.id).collect();
    let name = |id| space.environments.get(id).map(|found| found.name.to_string()).unwrap_or_default();
    Some(promotion::phases(lifecycle, &environments, name))
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
            // Where it is waited for is nothing that everybody sees.
            if names.len() < missing.len() {
                return "needs a success elsewhere first".to_owned();
            }
            let what = match names.as_slice() {
                [one] => format!("needs a success in {one} first"),
                several if *needed == several.len() => {
                    format!("needs a success in each of {} first", names::listed(several))
                }
                several => format!("needs a success in {needed} of {} first", names::listed(several)),
            };
            let whose = if *untenanted { ", by anybody" } else { "" };
            format!("{what} (phase `{phase}`{whose})")
        }
    }
}
