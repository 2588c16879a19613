//! The one pass that starts things: slots are given out in turns, one flow after the other, as far as caps allow
//! (SEMANTICS 9).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use imbl::OrdSet;
use windlass_api::error::Problem;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::{Draft, Reply, progress};
use crate::admission::{self, Admission, Wish};
use crate::event::{DefinitionEvent, DeploymentEvent, DeploymentStarted};
use crate::graph::{Plot, WorkKind};
use crate::model::{Deployment, DeploymentEnd, EndReason, StepAction};
use crate::plan::{self, Checks, LaidStep, Layout};
use crate::scope;
use crate::state::{Caps, Space};

/// Events after which a pass leaves the rest to the next one: a record stays small.
const MOST_EVENTS: usize = 256;

/// Steps and their targets after whose laying out a pass leaves the rest to the next one: whoever asks for something else
/// waits until it is over.
const MOST_LAID: usize = 4096;

/// Whatever is higher would never be reached, and only make a mistake look like a setting.
const HIGHEST_CAP: usize = 100_000;

pub(super) fn set_caps(draft: &mut Draft<'_>, caps: Caps) -> Result<Reply, Problem> {
    let range = 1..=HIGHEST_CAP;
    if !range.contains(&caps.space) || !range.contains(&caps.tenant) {
        return Err(Problem::usage(format!("a cap is 1 to {HIGHEST_CAP} deployments that run at once")));
    }
    if draft.space().caps != caps {
        draft.emit(DefinitionEvent::CapsSet { caps });
    }
    Ok(Reply::Done)
}

/// Starts what may start, as much as one record should hold and others should wait for.
pub(super) fn start(draft: &mut Draft<'_>) {
    let (mut before, mut pass) = (None, Pass::default());
    while draft.len() < MOST_EVENTS
        && pass.laid < MOST_LAID
        && !draft.is_full()
        // What came to nothing has its turn again at once, and again to nothing.
        && before != Some(draft.len())
        && let Some(id) = next(draft.space())
    {
        before = Some(draft.len());
        progress::or_end(draft, id, |draft| pass.start_or_end(draft, id));
    }
}

/// The deployment whose turn it is: the first one of the next flow that has one and may have a slot. Every start costs
/// one slot, so taking turns is all that deficit round-robin comes to.
pub(super) fn next(space: &Space) -> Option<DeploymentId> {
    if space.indexes.slots_taken >= space.caps.space {
        return None;
    }
    let flows = &space.indexes.flows;
    let after = match space.turn {
        Some((flow,)) => Bound::Excluded(flow),
        None => Bound::Unbounded,
    };
    let flow = flows.range((after, Bound::Unbounded)).next().or_else(|| flows.get_min())?;
    space.indexes.startable.get(flow)?.get_min().map(|(_, id)| *id)
}

/// What the starts of one pass share. A pass changes nothing of what a start rests on but the deployments themselves, so
/// that it is looked up in the space as it was before.
#[derive(Default)]
struct Pass<'a> {
    checks: Checks<'a>,
    /// Steps that were laid out, each once more for each of its targets.
    laid: usize,
}

impl<'a> Pass<'a> {
    fn start_or_end(&mut self, draft: &mut Draft<'a>, id: DeploymentId) {
        let Some(deployment) = draft.space_before().deployments.get(&id) else { return };
        match self.decide(draft, deployment) {
            Ok(Some(started)) => {
                draft.emit(DeploymentEvent::Started(started));
                progress::advance(draft, id);
            }
            Ok(None) => progress::end(draft, id, DeploymentEnd::NothingDone, EndReason::NothingToDo),
            Err((end, why)) => progress::end(draft, id, end, why),
        }
    }

    /// How a deployment whose turn it is starts, every condition asked again; `None` where nothing would run.
    fn decide(
        &mut self,
        draft: &Draft<'a>,
        deployment: &'a Deployment,
    ) -> Result<Option<DeploymentStarted>, (DeploymentEnd, EndReason)> {
        let space = draft.space_before();
        let release = space.releases.get(&deployment.release());
        let project = space.projects.get(deployment.project);
        let (Some(release), Some(project)) = (release, project) else {
            return Err((DeploymentEnd::Cancelled, EndReason::Gone));
        };
        let wish = Wish { project, release, key: deployment.key(), asked: Some(deployment.asked) };
        if let Admission::Refused(refusals) = admission::admit(draft.space(), &wish) {
            let rules = refusals.iter().map(|refusal| refusal.rule).collect();
            return Err((DeploymentEnd::Cancelled, EndReason::Refused { rules }));
        }
        let layout = Layout {
            release,
            environment: deployment.environment,
            tenant: deployment.tenant.and_then(|tenant| space.tenants.get(tenant)),
            only_targets: deployment.only_targets.as_ref(),
            excluded_targets: &deployment.excluded_targets,
            skipped_steps: &deployment.skipped_steps,
            now: draft.now(),
        };
        let laid = plan::lay_out(space, &layout);
        self.laid += laid.iter().map(|laid| 1 + laid.targets.len()).sum::<usize>();
        if let Err(problem) = self.checks.check(&layout, &laid) {
            return Err((DeploymentEnd::Failed, EndReason::Unfit { problem: problem.message }));
        }
        Ok(started(deployment.id, &laid))
    }
}

/// The start with these steps; `None` where nothing would run.
fn started(deployment: DeploymentId, laid: &[LaidStep<'_>]) -> Option<DeploymentStarted> {
    let running: Vec<_> = laid.iter().filter(|laid| laid.skipped.is_none()).collect();
    if running.is_empty() {
        return None;
    }
    let mut roles: BTreeMap<BTreeSet<String>, BTreeSet<TargetId>> = BTreeMap::new();
    let mut fetching = OrdSet::new();
    for laid in &running {
        for target in &laid.targets {
            roles.entry(scope::roles(target).into_owned()).or_default().insert(target.id);
            if matches!(laid.step.action, StepAction::Package { .. }) {
                fetching.insert(target.id);
            }
        }
    }
    let steps = running.iter().map(|laid| {
        (WorkKind::Run(laid.step.id), laid.targets.iter().map(|target| target.id).collect::<OrdSet<_>>())
    });
    let fetch = (!fetching.is_empty()).then_some((WorkKind::Fetch, fetching));
    // Every package is fetched everywhere before the first step, and each step comes after the one before.
    let nodes = fetch.into_iter().chain(steps).enumerate().map(|(place, (work, targets))| Plot {
        work,
        after: place.checked_sub(1).into_iter().collect(),
        targets,
    });
    Some(DeploymentStarted { deployment, nodes: nodes.collect(), roles: roles.into_iter().collect() })
}
