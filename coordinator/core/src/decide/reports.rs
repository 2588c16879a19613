//! What agents report of their work, and what is given up because nobody reports.
//!
//! Reports may come again and may come late: each is taken as far as it is news, and answered the same either way.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};
use windlass_protocol::message::{Outcome, Refusal};
use windlass_protocol::names::visible;

use super::{Draft, Reply, WorkReport, WorkReportKind, identified, progress};
use crate::authorise::Peer;
use crate::event::Event;
use crate::matching::{self, Waits};
use crate::model::{FetchState, RunState, Step, StoredValue};
use crate::state::{Assigned, WorkItem, WorkKind, assignment_id};

/// What an agent may need beyond a step's own time to tell how it ended: it may have been offline meanwhile.
const REPORT_SECONDS: u64 = 3600;

pub(super) fn report(draft: &mut Draft<'_>, peer: &Peer, reports: &[WorkReport]) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let mut touched = BTreeSet::new();
    for report in reports {
        if let Some(Assigned { deployment, kind, .. }) =
            draft.space().assigned(target, report.assignment).copied()
        {
            take(draft, target, deployment, kind, &report.kind);
            touched.insert(deployment);
        }
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

fn take(
    draft: &mut Draft<'_>,
    target: TargetId,
    deployment: DeploymentId,
    kind: WorkKind,
    report: &WorkReportKind,
) {
    match (kind, report) {
        (WorkKind::Fetch, WorkReportKind::Fetched { moved, saved }) => {
            if is_fetching(draft, target, deployment) {
                let (moved, saved) = (*moved, *saved);
                draft.emit(Event::Fetched { deployment, target, moved, saved });
            }
        }
        (WorkKind::Fetch, WorkReportKind::FetchFailed(reason)) => {
            // The agent's own words, which operators read on their terminals.
            fetch_failed(draft, target, deployment, &visible(reason));
        }
        (WorkKind::Fetch, WorkReportKind::Refused(refusal)) => {
            fetch_failed(draft, target, deployment, refusal_in_words(*refusal));
        }
        (WorkKind::Run(step), WorkReportKind::Started) => started(draft, target, deployment, step),
        (WorkKind::Run(step), WorkReportKind::Ended { outcome, outputs, lines }) => {
            let outcome = match outcome {
                Outcome::Failed { reason } => Outcome::Failed { reason: visible(reason).into_owned() },
                other => other.clone(),
            };
            ended(draft, target, deployment, step, outcome, outputs.clone(), *lines);
        }
        (WorkKind::Run(step), WorkReportKind::Refused(refusal)) => {
            let reason = format!("the agent refused: {}", refusal_in_words(*refusal));
            ended(draft, target, deployment, step, Outcome::Failed { reason }, BTreeMap::new(), 0);
        }
        // A report of the wrong kind is a mistake of the agent's, and changes nothing.
        (WorkKind::Fetch, WorkReportKind::Started | WorkReportKind::Ended { .. })
        | (WorkKind::Run(_), WorkReportKind::Fetched { .. } | WorkReportKind::FetchFailed(_)) => {}
    }
}

fn is_fetching(draft: &Draft<'_>, target: TargetId, deployment: DeploymentId) -> bool {
    let deployment = draft.space().deployments.get(&deployment);
    let work = deployment.and_then(|deployment| deployment.work.get(&target));
    work.is_some_and(|work| matches!(work.fetch, FetchState::Assigned { .. }))
}

fn fetch_failed(draft: &mut Draft<'_>, target: TargetId, deployment: DeploymentId, reason: &str) {
    if is_fetching(draft, target, deployment) {
        draft.emit(Event::FetchFailed { deployment, target, reason: reason.to_owned() });
    }
}

fn run_state<'a>(
    draft: &'a Draft<'_>,
    target: TargetId,
    deployment: DeploymentId,
    step: StepId,
) -> Option<&'a RunState> {
    draft.space().deployments.get(&deployment)?.work.get(&target)?.runs.get(&step)
}

/// A step as the release of the deployment froze it.
fn frozen_step<'a>(draft: &'a Draft<'_>, deployment: DeploymentId, step: StepId) -> Option<&'a Step> {
    let release = draft.space().deployments.get(&deployment)?.release;
    let release = draft.space().releases.get(&release)?;
    release.snapshot.steps.iter().find(|known| known.id == step)
}

fn started(draft: &mut Draft<'_>, target: TargetId, deployment: DeploymentId, step: StepId) {
    let active = draft.space().work_item(target, assignment_id(deployment, target, WorkKind::Run(step)));
    if active.is_none_or(|item| item.started) {
        return;
    }
    let timeout = frozen_step(draft, deployment, step).map_or(0, |known| known.timeout_seconds);
    let deadline = draft.now().plus_seconds(u64::from(timeout) + REPORT_SECONDS);
    draft.emit(Event::RunStarted { deployment, step, target, deadline });
}

fn ended(
    draft: &mut Draft<'_>,
    target: TargetId,
    deployment: DeploymentId,
    step: StepId,
    outcome: Outcome,
    outputs: BTreeMap<String, StoredValue>,
    lines: u64,
) {
    let open = run_state(draft, target, deployment, step)
        .is_some_and(|run| matches!(run, RunState::Assigned { .. } | RunState::Started { .. }));
    if open {
        // Nothing reads the outputs of a deployment that is over, so they are not kept either.
        let over = draft.space().deployments.get(&deployment).is_none_or(|deployment| deployment.is_over());
        let outputs = if over { BTreeMap::new() } else { outputs };
        draft.emit(Event::RunEnded { deployment, step, target, outcome, lines, outputs });
    }
}

const fn refusal_in_words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotForThisTarget => "the assignment names another target",
        Refusal::BadSignature => "the assignment's signature is not the coordinator's",
        Refusal::OldGeneration => "the assignment is older than what the agent has acted upon (a replay)",
        Refusal::ChangedContent => "the same assignment came twice with different contents",
        Refusal::Expired => "the assignment came too late",
        Refusal::OutsideConfiguration => "the machine's own configuration does not admit it",
        Refusal::OtherTenant => "the agent cannot switch users and serves another tenant already",
        Refusal::Unsupported => "the agent cannot read the assignment, which may be of a newer version",
    }
}

pub(super) fn give_up_overdue(draft: &mut Draft<'_>) -> Result<Reply, Problem> {
    let now = draft.now();
    let overdue: Vec<_> = draft
        .space()
        .indexes
        .deadlines
        .iter()
        .take_while(|(deadline, _, _)| *deadline < now)
        .copied()
        .collect();
    let mut touched = BTreeSet::new();
    for (_, target, assignment) in overdue {
        let Some(item) = draft.space().work_item(target, assignment).copied() else { continue };
        let reason = why_overdue(draft, target);
        give_up(draft, target, item, reason);
        touched.insert(item.deployment);
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

/// What has begun ends by itself, with what it was given then.
pub(super) fn give_up_undeliverable(
    draft: &mut Draft<'_>,
    target: TargetId,
    reasons: &[(AssignmentId, String)],
) -> Result<Reply, Problem> {
    let mut touched = BTreeSet::new();
    for (assignment, reason) in reasons {
        let item = draft.space().work_item(target, *assignment).copied();
        if let Some(item) = item.filter(|item| !item.started) {
            give_up(draft, target, item, reason);
            touched.insert(item.deployment);
        }
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

fn why_overdue(draft: &Draft<'_>, target: TargetId) -> &'static str {
    let known = draft.space().targets.get(target);
    match known.and_then(|known| matching::waits(known, draft.now())) {
        Some(Waits::CertificateExpired) => "the target did not renew its certificate in time (expired)",
        None => "the target did not come in time (offline)",
    }
}

fn give_up(draft: &mut Draft<'_>, target: TargetId, item: WorkItem, reason: &str) {
    match item.kind {
        WorkKind::Fetch => fetch_failed(draft, target, item.deployment, reason),
        WorkKind::Run(step) => {
            let outcome =
                if item.started { Outcome::Unknown } else { Outcome::Failed { reason: reason.to_owned() } };
            ended(draft, target, item.deployment, step, outcome, BTreeMap::new(), 0);
        }
    }
}

/// Ends what the agent told it had started and does not hold any more: its state was lost, or put back to an earlier
/// one. Given again, the step would run a second time (SEMANTICS 7); only one that is `safe-to-repeat` may.
pub(super) fn end_lost(draft: &mut Draft<'_>, target: TargetId, held: &BTreeSet<AssignmentId>) {
    let started = draft.space().work_of(target).filter(|(id, item)| item.started && !held.contains(id));
    let lost: Vec<_> = started
        .filter_map(|(_, item)| match item.kind {
            WorkKind::Run(step) => Some((item.deployment, step)),
            WorkKind::Fetch => None,
        })
        .filter(|(deployment, step)| {
            frozen_step(draft, *deployment, *step).is_some_and(|known| !known.safe_to_repeat)
        })
        .collect();
    for (deployment, step) in lost {
        ended(draft, target, deployment, step, Outcome::Unknown, BTreeMap::new(), 0);
        progress::advance(draft, deployment);
    }
}
