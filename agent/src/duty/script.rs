//! One process of a step: prepared, started under its supervisor at most once, watched, judged.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;
use windlass_agent_core::course::Stage;
use windlass_protocol::limits;
use windlass_protocol::message::{Outcome, RunWork, Shell as WireShell};
use windlass_supervisor::{Account, Job, SCRIPT_PATH, Standing};
use windlass_templates::Shell;

use super::reporting::Output;
use super::variables::Variables;
use super::{Order, preludes};

/// How often a running process is looked at. Its end is on the disk, so nothing depends on this but how soon it is
/// told.
const LOOK: Duration = Duration::from_millis(50);
/// Seconds between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes of output that a step may print; the rest is counted and dropped.
const OUTPUT_BYTES: u64 = 32 << 20;

/// A process to be run.
pub(super) struct Process<'a> {
    pub(super) stage: Stage,
    pub(super) shell: Shell,
    /// Its text, `#{…}` substituted.
    pub(super) body: String,
    pub(super) folder: &'a Path,
    pub(super) home: &'a Path,
    pub(super) account: Option<Account>,
}

/// How a process stands.
pub(super) enum Ran {
    /// It is over.
    Ended(Outcome),
    /// It has not begun and will not: the duty was withdrawn before.
    Withdrawn,
}

/// The folder of a stage's supervisor. A repeated stage has the next number.
fn stage_folder(order: &Order, stage: Stage, attempt: u32) -> PathBuf {
    order.agent.ledger().folder(order.id()).join(format!("{}-{attempt}", stage.name()))
}

/// The attempts of a stage so far.
pub(super) fn attempts(work: &Path, stage: Stage) -> impl Iterator<Item = PathBuf> {
    let (work, name) = (work.to_owned(), stage.name());
    (1..).map(move |attempt| work.join(format!("{name}-{attempt}"))).take_while(|folder| folder.exists())
}

/// How a stage ended, if it did: after a crash this says what need not be done again. Whatever stands in between is
/// waited for or buried.
pub(super) async fn finished(order: &Order, stage: Stage, work: &RunWork) -> anyhow::Result<Option<Outcome>> {
    let folder = order.agent.ledger().folder(order.id());
    let Some(last) = attempts(&folder, stage).last() else { return Ok(None) };
    match look(&last).await? {
        Standing::NotStarted => Ok(None),
        Standing::Lost { .. } if work.safe_to_repeat => {
            bury(&last).await?;
            Ok(None)
        }
        Standing::Lost { .. } => Ok(Some(judge(&bury(&last).await?))),
        Standing::Ended { ended, .. } => match judge(&ended) {
            Outcome::Unknown if work.safe_to_repeat => Ok(None),
            outcome => Ok(Some(outcome)),
        },
        Standing::Starting | Standing::Running { .. } => watch(order, &last, work).await.map(Some),
    }
}

/// Runs a stage that has not ended yet.
pub(super) async fn run(
    order: &Order,
    work: &RunWork,
    variables: &Variables,
    process: Process<'_>,
) -> anyhow::Result<Ran> {
    if order.is_withdrawn() {
        return Ok(Ran::Withdrawn);
    }
    let folder = order.agent.ledger().folder(order.id());
    let begun = attempts(&folder, process.stage).count();
    let attempt = u32::try_from(begun).unwrap_or(u32::MAX).saturating_add(1);
    let place = stage_folder(order, process.stage, attempt);
    fs::DirBuilder::new().mode(0o700).create(&place)?;
    let job = job(work, variables, process, order)?;
    let (binary, started) = (std::env::current_exe().context("cannot find this program")?, place.clone());
    let start = move || windlass_supervisor::start(&binary, ["supervise"], &started, &job);
    if let Err(why) = tokio::task::spawn_blocking(start).await? {
        return Ok(Ran::Ended(Outcome::Failed { reason: cut(why.sentence()) }));
    }
    watch(order, &place, work).await.map(Ran::Ended)
}

fn job(work: &RunWork, variables: &Variables, process: Process<'_>, order: &Order) -> anyhow::Result<Job> {
    let program = match process.shell {
        Shell::Bash => vec!["bash", SCRIPT_PATH],
        Shell::Sh => vec!["sh", SCRIPT_PATH],
        Shell::Python => vec!["python3", SCRIPT_PATH],
        Shell::Pwsh => vec!["pwsh", "-NoProfile", "-NonInteractive", "-Command", "-"],
    };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("HOME".to_owned(), text(process.home)),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("WINDLASS_DEPLOYMENT".to_owned(), order.assignment.deployment.to_string()),
        ("WINDLASS_STEP".to_owned(), work.name.clone()),
    ]);
    Ok(Job {
        program: program.into_iter().map(str::to_owned).collect(),
        working_folder: process.folder.to_owned(),
        environment,
        script: preludes::script(process.shell, variables, &process.body)?,
        account: process.account,
        timeout: Duration::from_secs(work.timeout_seconds.into()),
        grace: GRACE,
        output_bytes: OUTPUT_BYTES,
        secrets: variables.secrets()?,
        seal_to: Some(*order.agent.identity.membership.sealing_key.as_bytes()),
    })
}

async fn look(folder: &Path) -> anyhow::Result<Standing> {
    let folder = folder.to_owned();
    Ok(tokio::task::spawn_blocking(move || windlass_supervisor::inspect(&folder)).await??)
}

async fn bury(folder: &Path) -> anyhow::Result<windlass_supervisor::Ended> {
    let folder = folder.to_owned();
    Ok(tokio::task::spawn_blocking(move || windlass_supervisor::bury(&folder)).await??)
}

/// Watches a process to its end, sending its output on the way, and stops it when the duty is withdrawn.
async fn watch(order: &Order, folder: &Path, work: &RunWork) -> anyhow::Result<Outcome> {
    let mut output = Output::of(order);
    let mut told_to_stop = false;
    loop {
        match look(folder).await? {
            Standing::Ended { ended, .. } => return Ok(judge(&ended)),
            Standing::Lost { .. } => {
                tracing::error!(
                    step = work.name,
                    "the supervisor of a step is gone; what is left of the step is ended"
                );
                return Ok(judge(&bury(folder).await?));
            }
            Standing::Running { .. } if order.is_withdrawn() && !told_to_stop => {
                windlass_supervisor::stop(folder)?;
                told_to_stop = true;
            }
            Standing::NotStarted | Standing::Starting | Standing::Running { .. } => {}
        }
        tokio::select! {
            sent = output.send_available() => {
                sent?;
                sleep(LOOK).await;
            }
            () = sleep(LOOK) => {}
        }
    }
}

fn judge(ended: &windlass_supervisor::Ended) -> Outcome {
    use windlass_supervisor::Outcome as Process;
    match &ended.outcome {
        _ if ended.timed_out => Outcome::TimedOut,
        _ if ended.stopped => Outcome::Stopped,
        Process::Exited { code: 0 } => Outcome::Succeeded,
        Process::Exited { code } => Outcome::Failed { reason: format!("exit code {code}") },
        Process::Killed { signal } => Outcome::Failed { reason: format!("killed by signal {signal}") },
        Process::NotStarted { reason } => Outcome::Failed { reason: cut(reason.clone()) },
        Process::Unknown => Outcome::Unknown,
    }
}

/// A sentence of at most the length that a report may have.
pub(super) fn cut(mut sentence: String) -> String {
    while sentence.len() > limits::REASON_BYTES {
        sentence.pop();
    }
    sentence
}

/// The shell of a script, as templates quote for it.
pub(super) const fn shell(shell: WireShell) -> Shell {
    match shell {
        WireShell::Bash => Shell::Bash,
        WireShell::Sh => Shell::Sh,
        WireShell::Python => Shell::Python,
        WireShell::Pwsh => Shell::Pwsh,
    }
}
