//! Running a step: its turn, its variables, its account and folders, then its action.

use std::path::Path;

use tokio::sync::watch;
use windlass_agent_core::course::Stage;
use windlass_agent_core::telling;
use windlass_protocol::message::{
    Action, Body, Outcome, OutputVariable, OutputVariableValue, Report, ReportKind, RunWork,
};
use windlass_supervisor::OutputValue;

use super::environment::{StepEnvironment, prepare};
use super::output::{Extent, output_folders, stage_folders};
use super::script::{self, Process, Ran};
use super::{TaskContext, folders, package, reporting, variables};

/// Runs a step to its durable end, and says from when on it may print something.
pub(super) async fn run(
    context: &TaskContext,
    work: &RunWork,
    extent: &watch::Sender<Extent>,
) -> anyhow::Result<()> {
    let turn = if work.concurrent { None } else { Some(context.agent.turn.acquire().await?) };
    if context.is_withdrawn() && !order_has_begun(context) {
        return clear(context, work).await;
    }
    extent.send_replace(Extent::Growing);
    let outcome = match prepare_and_act(context, work).await {
        Ok(outcome) => outcome,
        // The machine is not as it should be (a folder in the way, no account): that is the step's failure.
        Err(why) => Some(Outcome::Failed { reason: format!("{why:#}") }),
    };
    // Others need not wait for what a tenant's processes may make long.
    drop(turn);
    // Before the end is written down: whatever stops this process until then, it is done again.
    clear(context, work).await?;
    let Some(outcome) = outcome else { return Ok(()) };
    let folder = context.agent.ledger().folder(context.id());
    let (variables, lines) = tokio::task::spawn_blocking(move || gather(&folder)).await??;
    let kind = ReportKind::Ended { outcome, variables, lines };
    // As it is told, so that what is kept is what others hear.
    let report = telling::fitting(Report { assignment: context.id(), kind });
    if let ReportKind::Ended { outcome, .. } = &report.kind {
        let words = match outcome {
            Outcome::Succeeded => "succeeded".to_owned(),
            Outcome::Failed { reason } => format!("failed: {reason}"),
            other => format!("{other:?}").to_lowercase(),
        };
        let project = &context.assignment.path.project.1;
        context.agent.did(format!("step `{}` of {project} {words}", work.name));
    }
    context.agent.ledger().end(&report)
}

fn order_has_begun(context: &TaskContext) -> bool {
    has_begun(&context.agent.ledger().folder(context.id()))
}

/// Whether anything of the assignment whose files are in this folder may have run.
pub(crate) fn has_begun(folder: &Path) -> bool {
    script::STAGES.iter().any(|stage| script::attempts(folder, *stage).next().is_some())
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
    for folder in output_folders(work, true) {
        for line in windlass_supervisor::output(&folder, 1) {
            line?;
            lines += 1;
        }
    }
    Ok((variables, lines))
}
