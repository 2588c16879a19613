//! Reports of an agent: sensitive output is sealed with its tenant's key, then the core takes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use windlass_coordinator_core::authorise::{Peer, ReportPermit};
use windlass_coordinator_core::decide::{Command, SpaceCommand, WorkReport, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::StoredValue;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Secret;
use windlass_protocol::ids::{AssignmentId, KeyId, TargetId};
use windlass_protocol::limits::REPORT_BYTES;
use windlass_protocol::message::{
    Answer, Denied, Outcome, OutputVariable, OutputVariableValue, Report, ReportKind,
};
use windlass_trust::Sealed;

use super::super::{OUTPUT_PURPOSE, Sessions};
use super::denied;
use crate::engine::Engine;
use crate::vault::VaultError;

pub(super) async fn answer(
    sessions: &Sessions,
    peer: &Peer,
    permit: &ReportPermit,
    reports: &[Report],
) -> Result<Answer, Denied> {
    let target = permit.target();
    // An agent tells a report until it is acknowledged, and may hold one for longer than the deployment is remembered.
    // So it hears the same of all of them: it need not tell them again.
    let (own, others): (Vec<_>, Vec<_>) = reports.iter().partition(|report| permit.admits(report.assignment));
    sessions.counters.denied(target, "report", others.len() as u64);
    if own.is_empty() {
        return Ok(Answer::Reported);
    }
    let (mut parts, mut answer) = (Parts::default(), Ok(Answer::Reported));
    {
        let state = sessions.engine.state();
        let space = state.space(permit.space()).ok_or(Denied::NotFound)?;
        for report in own {
            let report = takeable(target, report);
            let key = key_for(space, permit, report.assignment);
            match sealed(sessions, key, &report.kind) {
                Ok(kind) => {
                    parts.push(WorkReport { assignment: report.assignment, kind }, report.recorded_bytes());
                }
                // What it put out would be lost. The agent tells it again, and the others are not held up.
                Err(why) => {
                    tracing::error!(%target, assignment = %report.assignment, %why, "sensitive output cannot be sealed now");
                    answer = Err(Denied::Busy);
                }
            }
        }
    }
    for reports in parts.parts {
        let command = Command::Space(permit.space(), SpaceCommand::Report { peer: *peer, reports });
        let envelope = Engine::envelope(Actor::Target(target), None);
        // Meanwhile the target has gone, or has another key; or they cannot be recorded now.
        if let Err(why) = sessions.engine.submit(envelope, command).await {
            tracing::warn!(%target, %why, "reports were not recorded");
            return Err(denied(&why));
        }
    }
    answer
}

/// The report, or the failure that it comes to where it can never be taken. An agent does the same before it keeps one;
/// from who does not, no other report of its request suffers for it.
fn takeable(target: TargetId, report: &Report) -> Cow<'_, Report> {
    match report.check() {
        Ok(()) => Cow::Borrowed(report),
        Err(why) => {
            tracing::warn!(%target, assignment = %report.assignment, %why, "a report cannot be taken as it is");
            Cow::Owned(report.clone().taken())
        }
    }
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
fn key_for(space: &Space, permit: &ReportPermit, assignment: AssignmentId) -> Option<KeyId> {
    let deployment = space.work_item(permit.target(), assignment).map(|item| item.deployment);
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
