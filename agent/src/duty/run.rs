//! Running a step: its turn, its variables, its account and folders, then its action.

use std::path::Path;
use std::sync::Arc;

use windlass_agent_core::course::Stage;
use windlass_protocol::codec::{self, TooLarge};
use windlass_protocol::message::{
    Action, Body, Outcome, OutputLine, OutputVariable, OutputVariableValue, Report, ReportKind, Request,
    RunWork,
};
use windlass_supervisor::{Account, OutputValue};

use super::place::{self, Folders};
use super::script::{self, Process, Ran};
use super::variables::{self, Variables};
use super::{Order, accounts, notes, package, reporting};

/// Every stage in the order in which they can run: their output is numbered through in this order.
const STAGES: [Stage; 5] =
    [Stage::Script, Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];

pub(super) async fn run(order: &Order, work: &RunWork) -> anyhow::Result<()> {
    let turn = if work.concurrent { None } else { Some(order.agent.turn.acquire().await?) };
    if order.is_withdrawn() && !order_has_begun(order) {
        return clear(order, work).await;
    }
    let outcome = match prepare_and_act(order, work).await {
        Ok(outcome) => outcome,
        // The machine is not as it should be (a folder in the way, no account): that is the step's failure.
        Err(why) => Some(Outcome::Failed { reason: script::cut(format!("{why:#}")) }),
    };
    // Others need not wait for what a tenant's processes may make long.
    drop(turn);
    // Before the end is written down: whatever stops this process until then, it is done again.
    clear(order, work).await?;
    let Some(outcome) = outcome else { return Ok(()) };
    let words = match &outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Failed { reason } => format!("failed: {reason}"),
        other => format!("{other:?}").to_lowercase(),
    };
    order.agent.did(format!("step `{}` of {} {words}", work.name, order.assignment.place.project.1));
    let folder = order.agent.ledger().folder(order.id());
    let (variables, lines) = tokio::task::spawn_blocking(move || gather(&folder)).await??;
    let kind = ReportKind::Ended { outcome, variables, lines };
    order.agent.ledger().end(&sendable(Report { assignment: order.id(), kind }))
}

/// The report, or the failure that it comes to if it is larger than the coordinator takes: sent as it is, it would be
/// refused for ever.
fn sendable(report: Report) -> Report {
    let Err(TooLarge { bytes, most }) = codec::body(&Request::Report(vec![report.clone()])) else {
        return report;
    };
    let reason = format!(
        "the step set output variables of {bytes} bytes together, and they may have {most}; put what is large in files"
    );
    let lines = if let ReportKind::Ended { lines, .. } = report.kind { lines } else { 0 };
    let kind = ReportKind::Ended { outcome: Outcome::Failed { reason }, variables: Vec::new(), lines };
    Report { kind, ..report }
}

fn order_has_begun(order: &Order) -> bool {
    has_begun(&order.agent.ledger().folder(order.id()))
}

/// Whether anything of the assignment whose files are in this folder may have run.
pub(crate) fn has_begun(folder: &Path) -> bool {
    STAGES.iter().any(|stage| script::attempts(folder, *stage).next().is_some())
}

/// Removes what the assignment needed only while it ran.
async fn clear(order: &Order, work: &RunWork) -> anyhow::Result<()> {
    let root = order.agent.configuration.install_root.clone();
    let (assignment, work) = (order.assignment.clone(), work.clone());
    let clearing =
        tokio::task::spawn_blocking(move || place::clear(&root, &assignment.place, &work, assignment.id));
    if let Err(why) = clearing.await? {
        tracing::warn!(%why, "what a step needed while it ran cannot be removed");
    }
    Ok(())
}

/// What a step's processes work with.
pub(super) struct Ground {
    pub(super) variables: Arc<Variables>,
    pub(super) account: Option<Account>,
    pub(super) folders: Folders,
}

/// `None`: withdrawn before anything began.
async fn prepare_and_act(order: &Order, work: &RunWork) -> anyhow::Result<Option<Outcome>> {
    // A script that ran before this process began needs nothing any more.
    if let Action::Script(_) = work.action
        && let Some(outcome) = script::finished(order, Stage::Script, work).await?
    {
        return Ok(Some(outcome));
    }
    let Some(variables) = variables::fetch(order, work).await? else { return Ok(None) };
    let report = Report { assignment: order.id(), kind: ReportKind::Started };
    tokio::select! {
        () = order.withdrawal() => if !order_has_begun(order) { return Ok(None) },
        () = reporting::report(order, &report) => {}
    }
    let ground = prepare(order, work, variables).await?;
    match &work.action {
        Action::Script(body) => run_script(order, work, &ground, body).await,
        Action::Package { package, substitute } => {
            package::deploy(order, work, &ground, package, substitute).await
        }
    }
}

async fn prepare(order: &Order, work: &RunWork, variables: Variables) -> anyhow::Result<Ground> {
    let configuration = order.agent.configuration.clone();
    let (assignment, work) = (order.assignment.clone(), work.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let place = &assignment.place;
        let root = &configuration.install_root;
        let home = place::tenant_folder(root, place).join(".home");
        let account = accounts::account(configuration.isolation, place, &home)?;
        let folders = place::prepare(root, place, &work, assignment.id, account)?;
        anyhow::Ok((account, folders))
    });
    let (account, folders) = prepared.await??;
    Ok(Ground { variables: Arc::new(variables), account, folders })
}

async fn run_script(
    order: &Order,
    work: &RunWork,
    ground: &Ground,
    body: &Body,
) -> anyhow::Result<Option<Outcome>> {
    let shell = script::shell(body.shell);
    let process = Process {
        stage: Stage::Script,
        shell,
        body: ground.variables.render(&body.text, Some(shell))?,
        folder: &ground.folders.scratch,
        home: &ground.folders.home,
        account: ground.account,
    };
    Ok(match script::run(order, work, &ground.variables, process).await? {
        Ran::Ended(outcome) => Some(outcome),
        Ran::Withdrawn => None,
    })
}

/// The output variables and the count of lines of all stages together.
fn gather(work: &Path) -> anyhow::Result<(Vec<OutputVariable>, u64)> {
    let mut variables: Vec<OutputVariable> = Vec::new();
    let mut lines = 0;
    for folder in stage_folders(work) {
        for set in windlass_supervisor::output_variables(&folder)? {
            let value = match set.value {
                OutputValue::Clear(text) => OutputVariableValue::Plain(text),
                OutputValue::Sealed(bytes) => OutputVariableValue::Sealed(bytes),
            };
            variables.retain(|known| known.name != set.name);
            variables.push(OutputVariable { name: set.name, value });
        }
    }
    for folder in output_folders(work) {
        for line in windlass_supervisor::output(&folder, 1) {
            line?;
            lines += 1;
        }
    }
    Ok((variables, lines))
}

/// Where lines of a step's output lie, in the order in which they are numbered through.
fn output_folders(work: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    stage_folders(work).chain([notes::folder(work)])
}

fn stage_folders(work: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    STAGES.into_iter().flat_map(move |stage| script::attempts(work, stage).collect::<Vec<_>>())
}

/// Lines of a step's output from number `from` on, all stages numbered through.
pub(super) fn read_output(work: &Path, from: u64, most: usize) -> anyhow::Result<Vec<OutputLine>> {
    let mut found = Vec::new();
    let mut number = 0;
    for folder in output_folders(work) {
        for line in windlass_supervisor::output(&folder, 1) {
            let (_, line) = line?;
            number += 1;
            if number >= from {
                found.push(reporting::travelling(line));
            }
            if found.len() == most {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use windlass_protocol::ids::AssignmentId;

    use super::*;

    fn report(variables: usize) -> Report {
        let variable = |number| OutputVariable {
            name: format!("Output{number}"),
            value: OutputVariableValue::Plain("x".repeat(windlass_protocol::limits::VARIABLE_BYTES)),
        };
        let variables = (0..variables).map(variable).collect();
        let kind = ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines: 7 };
        Report { assignment: AssignmentId::from_bytes([1; 16]), kind }
    }

    #[test]
    fn a_step_that_sets_more_than_can_be_told_has_failed_and_says_so() {
        assert!(sendable(report(31)) == report(31));
        let told = sendable(report(32));
        let ReportKind::Ended { outcome: Outcome::Failed { reason }, variables, lines: 7 } = &told.kind
        else {
            panic!("another kind of report");
        };
        assert!(variables.is_empty());
        assert_eq!(
            reason,
            "the step set output variables of 2097644 bytes together, and they may have 2097152; put what is large \
             in files"
        );
        assert!(codec::body(&Request::Report(vec![told])).is_ok());
    }
}
