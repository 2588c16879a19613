//! Reports of an agent: sensitive output is sealed with its tenant's key, then the core takes them.

use std::collections::BTreeMap;

use windlass_coordinator_core::authorise::{Peer, ReportPermit};
use windlass_coordinator_core::decide::{Command, SpaceCommand, WorkReport, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::StoredValue;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Secret;
use windlass_protocol::ids::{AssignmentId, KeyId};
use windlass_protocol::message::{Answer, Denied, OutputVariable, OutputVariableValue, Report, ReportKind};
use windlass_trust::Sealed;

use super::super::{OUTPUT_PURPOSE, Sessions};
use super::denied;
use crate::engine::Engine;

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
    sessions.tally.denied(target, "report", others.len() as u64);
    if own.is_empty() {
        return Ok(Answer::Reported);
    }
    let mut taken = Vec::with_capacity(own.len());
    {
        let state = sessions.engine.state();
        let space = state.space(permit.space()).ok_or(Denied::NotFound)?;
        for report in own {
            let key = key_for(space, permit, report.assignment);
            taken.push(WorkReport { assignment: report.assignment, kind: kind(sessions, key, &report.kind) });
        }
    }
    let command = Command::Space(permit.space(), SpaceCommand::Report { peer: *peer, reports: taken });
    let envelope = Engine::envelope(Actor::Target(target), None);
    match sessions.engine.submit(envelope, command).await {
        Ok(_) => Ok(Answer::Reported),
        // Meanwhile the target has gone, or has another key; or they cannot be recorded now.
        Err(why) => {
            tracing::warn!(%target, %why, "reports were not recorded");
            Err(denied(&why))
        }
    }
}

/// The data key for what this assignment puts out: its tenant's, or the space's.
fn key_for(space: &Space, permit: &ReportPermit, assignment: AssignmentId) -> KeyId {
    let deployment = space.work_item(permit.target(), assignment).map(|item| item.deployment);
    let tenant =
        deployment.and_then(|id| space.deployments.get(&id)).and_then(|deployment| deployment.tenant);
    tenant.and_then(|id| space.tenants.get(id)).map_or(space.head.key, |tenant| tenant.key)
}

fn kind(sessions: &Sessions, key: KeyId, kind: &ReportKind) -> WorkReportKind {
    match kind {
        ReportKind::Refused(refusal) => WorkReportKind::Refused(*refusal),
        ReportKind::Fetched { moved, saved } => WorkReportKind::Fetched { moved: *moved, saved: *saved },
        ReportKind::FetchFailed(reason) => WorkReportKind::FetchFailed(reason.clone()),
        ReportKind::Started => WorkReportKind::Started,
        ReportKind::Ended { outcome, variables, lines } => WorkReportKind::Ended {
            outcome: outcome.clone(),
            outputs: outputs(sessions, key, variables),
            lines: *lines,
        },
    }
}

fn outputs(sessions: &Sessions, key: KeyId, variables: &[OutputVariable]) -> BTreeMap<String, StoredValue> {
    let stored = |variable: &OutputVariable| match &variable.value {
        OutputVariableValue::Plain(text) => Some(StoredValue::Plain(text.clone())),
        OutputVariableValue::Sealed(bytes) => {
            let (encapsulated, ciphertext) = bytes.split_at_checked(32)?;
            let sealed = Sealed { encapsulated: encapsulated.to_vec(), ciphertext: ciphertext.to_vec() };
            let clear = sessions.sealing_key.open(&sealed, OUTPUT_PURPOSE).ok()?;
            let secret = Secret::new(String::from_utf8(clear.to_vec()).ok()?);
            sessions.vault.seal(key, &secret).ok().map(StoredValue::Sealed)
        }
    };
    let pairs = variables.iter().filter_map(|variable| Some((variable.name.clone(), stored(variable)?)));
    pairs.collect()
}
