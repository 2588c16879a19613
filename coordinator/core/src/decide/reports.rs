//! What agents report of their work, and what is given up because nobody reports.
//!
//! Reports may come again and may come late: each is taken as far as it is news, and answered the same either way.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId, TargetId};
use windlass_protocol::message::{Outcome, Refusal};
use windlass_protocol::names::visible;

use super::{Draft, Reply, WorkReport, WorkReportKind, progress};
use crate::event::Event;
use crate::matching::{self, Waits};
use crate::model::{FetchState, RunState, StoredValue};
use crate::state::{WorkItem, WorkKind, assignment_id};

/// What an agent may need beyond a step's own time to tell how it ended: it may have been offline meanwhile.
const REPORT_SECONDS: u64 = 3600;

pub(super) fn report(
    draft: &mut Draft<'_>,
    target: TargetId,
    reports: &[WorkReport],
) -> Result<Reply, Problem> {
    let mut touched = BTreeSet::new();
    for report in reports {
        if let Some((deployment, kind)) = locate(draft, target, report.assignment) {
            take(draft, target, deployment, kind, &report.kind);
            touched.insert(deployment);
        }
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

/// What an assignment of this target was for: its work now, or a part of a deployment that is remembered.
fn locate(draft: &Draft<'_>, target: TargetId, assignment: AssignmentId) -> Option<(DeploymentId, WorkKind)> {
    let space = draft.space();
    if let Some(item) = space.work_item(target, assignment) {
        return Some((item.deployment, item.kind));
    }
    let of = |deployment: &crate::model::Deployment| {
        let work = deployment.work.get(&target)?;
        let kinds = std::iter::once(WorkKind::Fetch).chain(work.runs.keys().map(|step| WorkKind::Run(*step)));
        let mut kinds = kinds.filter(|kind| assignment_id(deployment.id, target, *kind) == assignment);
        kinds.next().map(|kind| (deployment.id, kind))
    };
    let recent = space.finished.iter().rev().filter_map(|id| space.deployments.get(id));
    let running = space.indexes.running.iter().filter_map(|(_, id)| space.deployments.get(id));
    running.chain(recent).find_map(|deployment| of(deployment))
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

fn started(draft: &mut Draft<'_>, target: TargetId, deployment: DeploymentId, step: StepId) {
    let active = draft.space().work_item(target, assignment_id(deployment, target, WorkKind::Run(step)));
    if active.is_none_or(|item| item.started) {
        return;
    }
    let release = draft.space().deployments.get(&deployment).map(|deployment| deployment.release);
    let release = release.and_then(|release| draft.space().releases.get(&release));
    let steps = release.map(|release| release.snapshot.steps.as_slice()).unwrap_or_default();
    let timeout = steps.iter().find(|known| known.id == step).map_or(0, |known| known.timeout_seconds);
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
        give_up(draft, target, item);
        touched.insert(item.deployment);
    }
    for deployment in touched {
        progress::advance(draft, deployment);
    }
    Ok(Reply::Done)
}

fn give_up(draft: &mut Draft<'_>, target: TargetId, item: WorkItem) {
    let known = draft.space().targets.get(target);
    let reason = match known.and_then(|known| matching::waits(known, draft.now())) {
        Some(Waits::CertificateExpired) => "the target did not renew its certificate in time (expired)",
        None => "the target did not come in time (offline)",
    };
    match item.kind {
        WorkKind::Fetch => fetch_failed(draft, target, item.deployment, reason),
        WorkKind::Run(step) => {
            let outcome =
                if item.started { Outcome::Unknown } else { Outcome::Failed { reason: reason.to_owned() } };
            ended(draft, target, item.deployment, step, outcome, BTreeMap::new(), 0);
        }
    }
}

pub(super) fn variables_read(
    draft: &mut Draft<'_>,
    target: TargetId,
    assignment: AssignmentId,
    names: &[String],
    digest: Digest,
) -> Result<Reply, Problem> {
    let item = draft.space().work_item(target, assignment).copied();
    let Some(WorkItem { deployment, kind: WorkKind::Run(step), .. }) = item else {
        return Err(Problem::not_found("there is no such assignment"));
    };
    draft.emit(Event::VariablesRead { deployment, step, target, names: names.to_vec(), digest });
    Ok(Reply::Done)
}

pub(super) fn pulled(
    draft: &mut Draft<'_>,
    target: TargetId,
    assignment: AssignmentId,
    manifest: Digest,
    bytes: u64,
) -> Result<Reply, Problem> {
    let item = draft.space().work_item(target, assignment).copied();
    let Some(WorkItem { deployment, kind: WorkKind::Fetch, .. }) = item else {
        return Err(Problem::not_found("there is no such assignment"));
    };
    draft.emit(Event::PackagePulled { deployment, target, manifest, bytes });
    Ok(Reply::Done)
}
