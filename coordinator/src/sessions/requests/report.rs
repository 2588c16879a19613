//! Reports of an agent: sensitive output is sealed with its tenant's key, then the core takes them.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use windlass_coordinator_core::authorise::ReportPermit;
use windlass_coordinator_core::decide::{self, Command, SpaceCommand, WorkReport, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::StoredValue;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Secret;
use windlass_protocol::ids::{AssignmentId, KeyId, SpaceId, TargetId};
use windlass_protocol::limits::{OUTPUT_VARIABLES, REPORT_BYTES};
use windlass_protocol::message::{
    Answer, Denied, NotTaken, Outcome, OutputVariable, OutputVariableValue, Report, ReportKind,
};
use windlass_trust::Sealed;

use super::super::{OUTPUT_PURPOSE, Sessions};
use super::answering::Asker;
use super::{denied, work_out};
use crate::engine::Engine;
use crate::vault::VaultError;

pub(super) async fn answer(
    asker: &Asker,
    permit: &ReportPermit,
    reports: &[Report],
) -> Result<Answer, Denied> {
    let (sessions, target, space) = (&*asker.sessions, permit.target(), permit.space());
    if sealed_values(reports.iter()) > OUTPUT_VARIABLES {
        return Err(Denied::Malformed);
    }
    // An agent tells a report until it is acknowledged, and may hold one for longer than the deployment is remembered.
    // So it hears the same of all of them: it need not tell them again.
    let others = reports.iter().filter(|report| !permit.admits(report.assignment)).count();
    sessions.counters.denied(target, "report", others as u64);
    let news: Vec<Report> = {
        let state = sessions.engine.state();
        let space = state.space(space).ok_or(Denied::NotFound)?;
        decide::news(space, target, reports).into_iter().cloned().collect()
    };
    if news.is_empty() {
        return Ok(Answer::Reported);
    }
    let prepared = if sealed_values(news.iter()) == 0 {
        prepare(sessions, target, space, news, &CancellationToken::new())
    } else {
        let preparing =
            move |sessions: &Sessions, gone: &CancellationToken| prepare(sessions, target, space, news, gone);
        work_out(asker, space, preparing).await?
    };
    let Prepared { parts, untaken, unsealed } = prepared?;
    for reports in parts.parts {
        let command = Command::Space(space, SpaceCommand::Report { peer: asker.peer, reports });
        let envelope = Engine::envelope(Actor::Target(target), None);
        // Meanwhile the target has gone, or has another key; or they cannot be recorded now.
        if let Err(why) = sessions.engine.submit(envelope, command).await {
            if asker.takes_line() {
                tracing::warn!(%target, %why, "reports were not recorded");
            }
            return Err(denied(&why));
        }
    }
    let is_told = (untaken.is_some() || unsealed.is_some()) && asker.takes_line();
    match (unsealed, untaken) {
        // What it put out would be lost. The agent tells it again, and the others are not held up.
        (Some((assignment, why)), _) => {
            if is_told {
                tracing::error!(%target, %assignment, %why, "sensitive output cannot be sealed now");
            }
            Err(Denied::Busy)
        }
        (None, Some((assignment, why))) if is_told => {
            tracing::warn!(%target, %assignment, %why, "a report cannot be taken as it is");
            Ok(Answer::Reported)
        }
        (None, _) => Ok(Answer::Reported),
    }
}

/// Sealed values that would have to be opened. An agent tells one report at a time, which has as many as a step may set
/// variables; of one with more variables none is opened.
fn sealed_values<'a>(reports: impl Iterator<Item = &'a Report>) -> usize {
    let of_report = |report: &Report| match &report.kind {
        ReportKind::Ended { variables, .. } if variables.len() <= OUTPUT_VARIABLES => {
            variables.iter().filter(|set| matches!(set.value, OutputVariableValue::Sealed(_))).count()
        }
        _ => 0,
    };
    reports.map(of_report).sum()
}

/// Reports as they are to be recorded, and what is to be told of them: of each kind the first, for a request has one line
/// of the log.
#[derive(Default)]
struct Prepared {
    parts: Parts,
    /// Cannot be taken as it is.
    untaken: Option<(AssignmentId, NotTaken)>,
    /// Cannot be sealed now.
    unsealed: Option<(AssignmentId, VaultError)>,
}

fn prepare(
    sessions: &Sessions,
    target: TargetId,
    space: SpaceId,
    reports: Vec<Report>,
    gone: &CancellationToken,
) -> Result<Prepared, Denied> {
    let state = sessions.engine.state();
    let space = state.space(space).ok_or(Denied::NotFound)?;
    let mut prepared = Prepared::default();
    for mut report in reports {
        if gone.is_cancelled() {
            return Err(Denied::Busy);
        }
        let assignment = report.assignment;
        // An agent does the same before it keeps one; from who does not, no other report of its request suffers for it.
        if let Err(why) = report.check() {
            prepared.untaken.get_or_insert((assignment, why));
            report = report.taken();
        }
        match sealed(sessions, key_for(space, target, assignment), &report.kind) {
            Ok(kind) => prepared.parts.push(WorkReport { assignment, kind }, report.recorded_bytes()),
            Err(why) => drop(prepared.unsealed.get_or_insert((assignment, why))),
        }
    }
    Ok(prepared)
}

/// Reports in parts, each of which is one small record: together they may be six times as large as they travelled.
#[derive(Default)]
struct Parts {
    parts: Vec<Vec<WorkReport>>,
    /// Bytes of the last part, as it is recorded.
    bytes: usize,
}

impl Parts {
    fn push(&mut self, report: WorkReport, bytes: usize) {
        self.bytes += bytes;
        match self.parts.last_mut() {
            Some(last) if self.bytes <= REPORT_BYTES => last.push(report),
            _ => {
                self.bytes = bytes;
                self.parts.push(vec![report]);
            }
        }
    }
}

/// The data key for what this assignment puts out: its tenant's, or the space's. None where the tenant was deleted.
fn key_for(space: &Space, target: TargetId, assignment: AssignmentId) -> Option<KeyId> {
    let deployment = space.work_item(target, assignment).map(|item| item.deployment);
    let tenant =
        deployment.and_then(|id| space.deployments.get(&id)).and_then(|deployment| deployment.tenant);
    tenant.map_or(Some(space.head.key), |id| space.tenants.get(id).map(|tenant| tenant.key))
}

/// A report as it is recorded, or why it cannot be now.
fn sealed(sessions: &Sessions, key: Option<KeyId>, kind: &ReportKind) -> Result<WorkReportKind, VaultError> {
    Ok(match kind {
        ReportKind::Refused(refusal) => WorkReportKind::Refused(*refusal),
        ReportKind::Fetched { moved, saved } => WorkReportKind::Fetched { moved: *moved, saved: *saved },
        ReportKind::FetchFailed(reason) => WorkReportKind::FetchFailed(reason.clone()),
        ReportKind::Started => WorkReportKind::Started,
        ReportKind::Ended { outcome, variables, lines } => {
            let (outcome, outputs) = match outputs(sessions, key, variables) {
                Ok(outputs) => (outcome.clone(), outputs),
                Err(Unsealed::Never(reason)) => (failed(outcome, reason), BTreeMap::new()),
                Err(Unsealed::Now(why)) => return Err(why),
            };
            WorkReportKind::Ended { outcome, outputs, lines: *lines }
        }
    })
}

/// A step that went well did not: what comes after it would miss what it put out.
fn failed(outcome: &Outcome, reason: String) -> Outcome {
    match outcome {
        Outcome::Succeeded => Outcome::Failed { reason },
        other => other.clone(),
    }
}

/// Why sensitive output is not sealed.
enum Unsealed {
    /// It cannot be now.
    Now(VaultError),
    /// It can never be, told to people.
    Never(String),
}

fn outputs(
    sessions: &Sessions,
    key: Option<KeyId>,
    variables: &[OutputVariable],
) -> Result<BTreeMap<String, StoredValue>, Unsealed> {
    let stored = |OutputVariable { name, value }: &OutputVariable| {
        let value = match value {
            OutputVariableValue::Plain(text) => StoredValue::Plain(text.clone()),
            OutputVariableValue::Sealed(bytes) => {
                let secret = opened(sessions, bytes).ok_or_else(|| {
                    Unsealed::Never(format!("the sensitive output variable `{name}` cannot be opened"))
                })?;
                let gone = || {
                    let text = "cannot be kept: the key of its tenant was destroyed";
                    Unsealed::Never(format!("the sensitive output variable `{name}` {text}"))
                };
                let sealed = sessions.services.vault.seal(key.ok_or_else(gone)?, &secret);
                StoredValue::Sealed(sealed.map_err(|why| match why {
                    VaultError::Destroyed(_) => gone(),
                    why => Unsealed::Now(why),
                })?)
            }
        };
        Ok((name.clone(), value))
    };
    variables.iter().map(stored).collect()
}

/// What the agent sealed to the coordinator, if it did.
fn opened(sessions: &Sessions, bytes: &[u8]) -> Option<Secret> {
    let (encapsulated, ciphertext) = bytes.split_at_checked(32)?;
    let sealed = Sealed { encapsulated: encapsulated.to_vec(), ciphertext: ciphertext.to_vec() };
    let clear = sessions.sealing_key.open(&sealed, OUTPUT_PURPOSE).ok()?;
    String::from_utf8(clear.to_vec()).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_recorded_in_parts_of_so_many_bytes_in_their_order() {
        let mut parts = Parts::default();
        let sizes = [1, REPORT_BYTES - 1, 1, REPORT_BYTES, REPORT_BYTES + 1, 2, 3];
        for (number, bytes) in (0..).zip(sizes) {
            let assignment = AssignmentId::from_bytes([number; 16]);
            parts.push(WorkReport { assignment, kind: WorkReportKind::Started }, bytes);
        }
        let numbers = |part: &Vec<WorkReport>| -> Vec<u8> {
            part.iter().map(|report| report.assignment.as_bytes()[0]).collect()
        };
        let parts: Vec<_> = parts.parts.iter().map(numbers).collect();
        assert_eq!(parts, [vec![0, 1], vec![2], vec![3], vec![4], vec![5, 6]]);
    }
}
