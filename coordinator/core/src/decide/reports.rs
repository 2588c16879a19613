//! What agents report of their work.
//!
//! Reports may come again and may come late: each is taken as far as it is news, and answered the same either way.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};
use windlass_protocol::message::{Outcome, Report, ReportKind};
use windlass_protocol::names::visible;

use super::{Draft, Reply, WorkReport, WorkReportKind, identified, progress};
use crate::authorise::{Peer, still_qualifies};
use crate::event::DeploymentEvent;
use crate::graph::WorkKind;
use crate::model::{Deployment, Failure, RunEnd, RunOutcome, Step, StoredValue, Unknown};
use crate::state::{Assigned, Space, WorkItem, assignment_id};

/// What an agent may need beyond a step's own time to tell how it ended: it may have been offline meanwhile.
const REPORT_SECONDS: u64 = 3600;
/// Of a step that was stopped.
const UNASKED: &str = "it was stopped there, and nobody had asked for that";
/// A step that begins again sooner than this after it began has the time that it was given then.
const BEGINS_AGAIN_SECONDS: u64 = 300;

/// When a step began, and when its time is over, by its timeout and the deadline that it was given with it.
pub fn running_time(deadline: Timestamp, timeout_seconds: u32) -> (Timestamp, Timestamp) {
    let earlier = |of: Timestamp, seconds: u64| {
        let milliseconds = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        Timestamp::from_milliseconds(of.milliseconds().saturating_sub(milliseconds))
    };
    let over = earlier(deadline, REPORT_SECONDS);
    (earlier(over, u64::from(timeout_seconds)), over)
}

/// Which of a target's reports may be news: those of work of its own that is not over, of the kind of that work, and of
/// several that say the same of it the first. Of no other has anything to be opened or decided: what ended once stays so.
pub fn news<'a>(space: &Space, target: TargetId, reports: &'a [Report]) -> Vec<&'a Report> {
    let mut said = BTreeSet::new();
    let mut is_news = |report: &&Report| {
        let Some(assigned) = space.assigned(target, report.assignment) else { return false };
        let is_start = matches!(report.kind, ReportKind::Started);
        let fits = match (assigned.kind, &report.kind) {
            (WorkKind::Run(_), ReportKind::Started) => may_start(space, assigned),
            (WorkKind::Fetch, ReportKind::Fetched { .. } | ReportKind::FetchFailed(_))
            | (WorkKind::Run(_), ReportKind::Ended { .. })
            | (_, ReportKind::Refused(_)) => may_end(space, assigned),
            (WorkKind::Fetch, ReportKind::Started | ReportKind::Ended { .. })
            | (WorkKind::Run(_), ReportKind::Fetched { .. } | ReportKind::FetchFailed(_)) => false,
        };
        fits && said.insert((report.assignment, is_start))
    };
    reports.iter().filter(|report| is_news(report)).collect()
}

pub(super) fn report(draft: &mut Draft<'_>, peer: &Peer, reports: &[WorkReport]) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let mut touched = BTreeSet::new();
    for report in reports {
        if let Some(assigned) = draft.space().assigned(target, report.assignment).copied() {
            progress::or_end(draft, assigned.deployment, |draft| take(draft, assigned, &report.kind));
            touched.insert(assigned.deployment);
        }
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

fn take(draft: &mut Draft<'_>, assigned: Assigned, report: &WorkReportKind) {
    match (assigned.kind, report) {
        (WorkKind::Fetch, WorkReportKind::Fetched { moved, saved }) => {
            let (moved, saved) = (*moved, *saved);
            ended(
                draft,
                assigned,
                RunEnd { outcome: RunOutcome::Succeeded, lines: 0, moved, saved },
                BTreeMap::new(),
            );
        }
        // The agent's own words, which operators read on their terminals.
        (WorkKind::Fetch, WorkReportKind::FetchFailed(reason)) => {
            failed(draft, assigned, Failure::Said(visible(reason).into_owned()));
        }
        (_, WorkReportKind::Refused(refusal)) => failed(draft, assigned, Failure::Refused(*refusal)),
        (WorkKind::Run(_), WorkReportKind::Started) => started(draft, assigned),
        (WorkKind::Run(_), WorkReportKind::Ended { outcome, outputs, lines }) => {
            let end =
                RunEnd { lines: *lines, ..RunEnd::of(said(draft.space(), &assigned, outcome, draft.now())) };
            ended(draft, assigned, end, outputs.clone());
        }
        // A report of the wrong kind is a mistake of the agent's, and changes nothing.
        (WorkKind::Fetch, WorkReportKind::Started | WorkReportKind::Ended { .. })
        | (WorkKind::Run(_), WorkReportKind::Fetched { .. } | WorkReportKind::FetchFailed(_)) => {}
    }
}

/// How the agent says that a step ended. Of a deployment that goes on, on a target that belongs to it, nobody had a step
/// stopped.
fn said(space: &Space, assigned: &Assigned, outcome: &Outcome, now: Timestamp) -> RunOutcome {
    let belongs = |known: &Deployment| still_qualifies(space, known, assigned.target, now).is_ok();
    let goes_on = || {
        space.deployments.get(&assigned.deployment).is_some_and(|known| !known.is_over() && belongs(known))
    };
    match outcome {
        Outcome::Succeeded => RunOutcome::Succeeded,
        Outcome::Failed { reason } => RunOutcome::Failed(Failure::Said(visible(reason).into_owned())),
        Outcome::TimedOut => RunOutcome::TimedOut,
        Outcome::Stopped if goes_on() => RunOutcome::Failed(Failure::Said(UNASKED.to_owned())),
        Outcome::Stopped => RunOutcome::Stopped,
        Outcome::Unknown => RunOutcome::Unknown(Unknown::SupervisorGone),
    }
}

/// A step as the release of the deployment froze it.
fn frozen_step(space: &Space, deployment: DeploymentId, step: StepId) -> Option<&Step> {
    let release = space.deployments.get(&deployment)?.release();
    let release = space.releases.get(&release)?;
    release.snapshot.steps.iter().find(|known| known.id == step)
}

/// Whether a run is given and was not said to have started, or may start again.
fn may_start(space: &Space, Assigned { deployment, target, kind, attempt, .. }: &Assigned) -> bool {
    let id = assignment_id(*deployment, *target, *kind, *attempt);
    let WorkKind::Run(step) = *kind else { return false };
    let is_repeatable = || frozen_step(space, *deployment, step).is_some_and(|known| known.safe_to_repeat);
    space.work_item(*target, id).is_some_and(|item| !item.started || is_repeatable())
}

/// A step that has begun, or begun again, has its whole time from now on. An agent says so before it begins one, each time;
/// how often that counts is bounded by the time between two, and by the time that the assignment is good for.
fn started(draft: &mut Draft<'_>, assigned: Assigned) {
    let Assigned { deployment, node, target, kind, attempt } = assigned;
    let WorkKind::Run(step) = kind else { return };
    let (space, now) = (draft.space(), draft.now());
    let id = assignment_id(deployment, target, kind, attempt);
    let Some(item) = space.work_item(target, id).filter(|_| may_start(space, &assigned)) else { return };
    let timeout = frozen_step(space, deployment, step).map_or(0, |known| known.timeout_seconds);
    let (begun, _) = running_time(item.deadline, timeout);
    if item.started && (now < begun.plus_seconds(BEGINS_AGAIN_SECONDS) || now > item.expires) {
        return;
    }
    let deadline = now.plus_seconds(u64::from(timeout) + REPORT_SECONDS);
    draft.emit(DeploymentEvent::RunStarted { deployment, node, work: kind, target, deadline });
}

pub(super) fn failed(draft: &mut Draft<'_>, assigned: Assigned, why: Failure) {
    ended(draft, assigned, RunEnd::of(RunOutcome::Failed(why)), BTreeMap::new());
}

/// Whether a run is the newest of its node there and not over. A fetch that ends after its deployment is news to nobody.
fn may_end(space: &Space, Assigned { deployment, node, target, kind, attempt }: &Assigned) -> bool {
    let Some(known) = space.deployments.get(deployment) else { return false };
    let run = known.graph.run(*node, *target);
    run.is_some_and(|run| run.attempt == *attempt && run.is_open())
        && !(*kind == WorkKind::Fetch && known.is_over())
}

/// Ends a run, if it may end.
pub(super) fn ended(
    draft: &mut Draft<'_>,
    assigned: Assigned,
    end: RunEnd,
    outputs: BTreeMap<String, StoredValue>,
) {
    if !may_end(draft.space(), &assigned) {
        return;
    }
    let Assigned { deployment, node, target, kind, .. } = assigned;
    let Some(known) = draft.space().deployments.get(&deployment) else { return };
    // Nothing reads the outputs of a deployment that is over, so they are not kept either.
    let outputs = if known.is_over() { BTreeMap::new() } else { outputs };
    draft.emit(DeploymentEvent::RunEnded { deployment, node, work: kind, target, end, outputs });
}

/// Ends what the agent told it had started and does not hold any more: its state was lost, or put back to an earlier
/// one. Given again, the step would run a second time (SEMANTICS 7); only one that is `safe-to-repeat` may.
pub(super) fn end_lost(draft: &mut Draft<'_>, target: TargetId, held: &BTreeSet<AssignmentId>) {
    let started = draft.space().work_of(target).filter(|(id, item)| item.started && !held.contains(id));
    let repeats = |item: &WorkItem| match item.kind {
        WorkKind::Run(step) => {
            frozen_step(draft.space(), item.deployment, step).is_none_or(|known| known.safe_to_repeat)
        }
        WorkKind::Fetch => true,
    };
    let lost = started.filter(|(_, item)| !repeats(item)).map(|(_, item)| Assigned::of(target, item));
    for assigned in lost.collect::<Vec<_>>() {
        ended(draft, assigned, RunEnd::of(RunOutcome::Unknown(Unknown::StateLost)), BTreeMap::new());
        progress::advance(draft, assigned.deployment);
    }
}
