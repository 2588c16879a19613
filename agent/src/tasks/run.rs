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

use super::folders::{self, Folders};
use super::script::{self, Process, Ran};
use super::variables::{self, Variables};
use super::{TaskContext, accounts, notes, package, reporting};

/// Every stage in the order in which they can run: their output is numbered through in this order.
const STAGES: [Stage; 5] =
    [Stage::Script, Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];

pub(super) async fn run(context: &TaskContext, work: &RunWork) -> anyhow::Result<()> {
    let turn = if work.concurrent { None } else { Some(context.agent.turn.acquire().await?) };
    if context.is_withdrawn() && !order_has_begun(context) {
        return clear(context, work).await;
    }
    let outcome = match prepare_and_act(context, work).await {
        Ok(outcome) => outcome,
        // The machine is not as it should be (a folder in the way, no account): that is the step's failure.
        Err(why) => Some(Outcome::Failed { reason: script::cut(format!("{why:#}")) }),
    };
    // Others need not wait for what a tenant's processes may make long.
    drop(turn);
    // Before the end is written down: whatever stops this process until then, it is done again.
    clear(context, work).await?;
    let Some(outcome) = outcome else { return Ok(()) };
    let words = match &outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Failed { reason } => format!("failed: {reason}"),
        other => format!("{other:?}").to_lowercase(),
    };
    context.agent.did(format!("step `{}` of {} {words}", work.name, context.assignment.path.project.1));
    let folder = context.agent.ledger().folder(context.id());
    let (variables, lines) = tokio::task::spawn_blocking(move || gather(&folder)).await??;
    let kind = ReportKind::Ended { outcome, variables, lines };
    context.agent.ledger().end(&sendable(Report { assignment: context.id(), kind }))
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

fn order_has_begun(context: &TaskContext) -> bool {
    has_begun(&context.agent.ledger().folder(context.id()))
}

/// Whether anything of the assignment whose files are in this folder may have run.
pub(crate) fn has_begun(folder: &Path) -> bool {
    STAGES.iter().any(|stage| script::attempts(folder, *stage).next().is_some())
}

/// Removes what the assignment needed only while it ran.
async fn clear(context: &TaskContext, work: &RunWork) -> anyhow::Result<()> {
    let root = context.agent.configuration.install_root.clone();
    let (assignment, work) = (context.assignment.clone(), work.clone());
    let clearing =
        tokio::task::spawn_blocking(move || folders::clear(&root, &assignment.path, &work, assignment.id));
    if let Err(why) = clearing.await? {
        tracing::warn!(%why, "what a step needed while it ran cannot be removed");
    }
    Ok(())
}

/// What a step's processes work with.
pub(super) struct StepEnvironment {
    pub(super) variables: Arc<Variables>,
    pub(super) account: Option<Account>,
    pub(super) folders: Folders,
}

/// `None`: withdrawn before anything began.
async fn prepare_and_act(context: &TaskContext, work: &RunWork) -> anyhow::Result<Option<Outcome>> {
    // A script that ran before this process began needs nothing any more.
    if let Action::Script(_) = work.action
        && let Some(outcome) = script::finished(context, Stage::Script, work).await?
    {
        return Ok(Some(outcome));
    }
    let Some(variables) = variables::fetch(context, work).await? else { return Ok(None) };
    let report = Report { assignment: context.id(), kind: ReportKind::Started };
    tokio::select! {
        () = context.withdrawal() => if !order_has_begun(context) { return Ok(None) },
        () = reporting::report(context, &report) => {}
    }
    let environment = prepare(context, work, variables).await?;
    match &work.action {
        Action::Script(body) => run_script(context, work, &environment, body).await,
        Action::Package { package, substitute } => {
            package::deploy(context, work, &environment, package, substitute).await
        }
    }
}

async fn prepare(
    context: &TaskContext,
    work: &RunWork,
    variables: Variables,
) -> anyhow::Result<StepEnvironment> {
    let configuration = context.agent.configuration.clone();
    let (assignment, work) = (context.assignment.clone(), work.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let place = &assignment.path;
        let root = &configuration.install_root;
        let home = folders::tenant_folder(root, place).join(".home");
        let account = accounts::account(configuration.isolation, place, &home)?;
        let folders = folders::prepare(root, place, &work, assignment.id, account)?;
        anyhow::Ok((account, folders))
    });
    let (account, folders) = prepared.await??;
    Ok(StepEnvironment { variables: Arc::new(variables), account, folders })
}

async fn run_script(
    context: &TaskContext,
    work: &RunWork,
    environment: &StepEnvironment,
    body: &Body,
) -> anyhow::Result<Option<Outcome>> {
    let shell = script::shell(body.shell);
    let process = Process {
        stage: Stage::Script,
        shell,
        body: environment.variables.render(&body.text, Some(shell))?,
        folder: &environment.folders.scratch,
        home: &environment.folders.home,
        account: environment.account,
    };
    Ok(match script::run(context, work, &environment.variables, process).await? {
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
