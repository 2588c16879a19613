//! One process of a step: prepared, started under its supervisor at most once, watched, judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use data_encoding::HEXLOWER;
use tokio::time::sleep;
use windlass_agent_core::course::Stage;
use windlass_protocol::message::{Outcome, RunWork, Shell as WireShell};
use windlass_segments::{disk, fail};
use windlass_supervisor::{Account, Ended, Job, SCRIPT_PATH, StartError, StepError, StepStatus};
use windlass_templates::Shell;

use super::variables::Variables;
use super::{TaskContext, preludes};

/// Every stage in the order in which they can run: their output is numbered through in this order.
pub(super) const STAGES: [Stage; 5] =
    [Stage::Script, Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];

/// How often a running process is looked at. Its end is on the disk, so nothing depends on this but how soon it is
/// told.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// Seconds between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes of output that a step may print; the rest is counted and dropped.
const OUTPUT_BYTES: u64 = 32 << 20;
/// How often a stage is begun at most: again where nothing of the try before ran, or where it may be repeated.
const ATTEMPTS: usize = 5;

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
    Ended(Outcome),
    /// It has not begun and will not: the task was withdrawn before.
    Withdrawn,
}

/// The folders of a stage's supervisors: one for each attempt so far.
pub(super) fn attempts(work: &Path, stage: Stage) -> impl Iterator<Item = PathBuf> {
    let (work, name) = (work.to_owned(), stage.name());
    (1..).map(move |attempt| work.join(format!("{name}-{attempt}"))).take_while(|folder| folder.exists())
}

/// Makes the folder of an attempt, which is new, and its name durable: were it lost with the marks inside, the stage
/// would be begun again.
pub(crate) fn begin_attempt(place: &Path) -> std::io::Result<()> {
    if !disk::create_folder(place)? {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    disk::sync_folder(disk::parent(place))
}

/// How a stage ended, if it did: after a crash this says what need not be done again. Whatever stands in between is
/// waited for or buried.
pub(super) async fn finished(
    context: &TaskContext,
    stage: Stage,
    work: &RunWork,
) -> anyhow::Result<Option<Outcome>> {
    let folder = context.agent.ledger().folder(context.id());
    let Some(last) = attempts(&folder, stage).last() else { return Ok(None) };
    Ok(judge(&watch(context, &last, work).await?, work))
}

/// Runs a stage that has not ended yet.
pub(super) async fn run(
    context: &TaskContext,
    work: &RunWork,
    variables: &Variables,
    process: Process<'_>,
) -> anyhow::Result<Ran> {
    let folder = context.agent.ledger().folder(context.id());
    let stage = process.stage;
    let job = Arc::new(job(work, variables, process, context)?);
    loop {
        if context.is_withdrawn() {
            return Ok(Ran::Withdrawn);
        }
        let begun = attempts(&folder, stage).count();
        if begun >= ATTEMPTS {
            return Ok(Ran::Ended(given_up(&folder, stage).await?));
        }
        let place = folder.join(format!("{}-{}", stage.name(), begun + 1));
        if let Err(why) = start(&place, &job).await? {
            return Ok(Ran::Ended(Outcome::Failed { reason: why.sentence() }));
        }
        if let Some(outcome) = judge(&watch(context, &place, work).await?, work) {
            return Ok(Ran::Ended(outcome));
        }
    }
}

/// Starts the supervisor of one attempt. One that ended before it had the step is no error: nothing of the step ran,
/// and whoever watches the folder finds that out.
async fn start(place: &Path, job: &Arc<Job>) -> anyhow::Result<Result<(), StartError>> {
    let binary = std::env::current_exe().context("cannot find this program")?;
    let (place, job) = (place.to_owned(), Arc::clone(job));
    let start = move || {
        begin_attempt(&place)?;
        fail::point("step-before-start");
        let started = windlass_supervisor::start(&binary, ["supervise"], &place, &job);
        fail::point("step-after-start");
        anyhow::Ok(match started {
            Err(StartError::Gone) => Ok(()),
            started => started,
        })
    };
    tokio::task::spawn_blocking(start).await?
}

/// What a stage ended with that was begun as often as it may be.
async fn given_up(folder: &Path, stage: Stage) -> anyhow::Result<Outcome> {
    let last = attempts(folder, stage).last().context("it was begun")?;
    Ok(match look(&last).await? {
        StepStatus::Ended { ended, .. } if ended.outcome == windlass_supervisor::Outcome::Void => {
            let reason = format!("its supervisor ended before the step began, {ATTEMPTS} times");
            Outcome::Failed { reason }
        }
        _ => Outcome::Unknown,
    })
}

fn job(
    work: &RunWork,
    variables: &Variables,
    process: Process<'_>,
    context: &TaskContext,
) -> anyhow::Result<Job> {
    let program = match process.shell {
        Shell::Bash => vec!["bash", SCRIPT_PATH],
        Shell::Sh => vec!["sh", SCRIPT_PATH],
        Shell::Python => vec!["python3", SCRIPT_PATH],
        Shell::Pwsh => vec!["pwsh", "-NoProfile", "-NonInteractive", "-File", SCRIPT_PATH],
    };
    let token = token()?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let environment = BTreeMap::from([
        ("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("HOME".to_owned(), text(process.home)),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("WINDLASS_DEPLOYMENT".to_owned(), context.assignment.deployment.to_string()),
        ("WINDLASS_STEP".to_owned(), work.name.clone()),
    ]);
    Ok(Job {
        program: program.into_iter().map(str::to_owned).collect(),
        working_folder: process.folder.to_owned(),
        environment,
        script: preludes::script(process.shell, variables, &process.body, &token)?,
        account: process.account,
        timeout: Duration::from_secs(work.timeout_seconds.into()),
        grace: GRACE,
        output_bytes: OUTPUT_BYTES,
        secrets: variables.secrets()?,
        token,
        seal_to: Some(*context.agent.identity.membership.sealing_key.as_bytes()),
    })
}

/// What the functions of one process prove themselves with when they set an output variable.
fn token() -> anyhow::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("no randomness")?;
    Ok(HEXLOWER.encode(&random))
}

async fn look(folder: &Path) -> anyhow::Result<StepStatus> {
    let folder = folder.to_owned();
    Ok(tokio::task::spawn_blocking(move || windlass_supervisor::inspect(&folder)).await??)
}

async fn bury(folder: &Path) -> anyhow::Result<Result<Ended, StepError>> {
    let folder = folder.to_owned();
    Ok(tokio::task::spawn_blocking(move || windlass_supervisor::bury(&folder)).await?)
}

/// Watches a process to its end, and stops it when the task is withdrawn. What has no
/// supervisor is buried: it may be that one which was started before a crash is just about to take the step, and two
/// would run it twice.
async fn watch(context: &TaskContext, folder: &Path, work: &RunWork) -> anyhow::Result<Ended> {
    let mut told_to_stop = false;
    loop {
        let status = look(folder).await?;
        match &status {
            StepStatus::Ended { ended, .. } => {
                fail::point("step-after-end");
                return Ok(ended.clone());
            }
            StepStatus::NotStarted | StepStatus::Lost { .. } => {
                if matches!(status, StepStatus::Lost { .. }) {
                    tracing::error!(
                        step = work.name,
                        "a step's supervisor is gone; what is left of it is ended"
                    );
                }
                match bury(folder).await? {
                    Ok(ended) => return Ok(ended),
                    // It came after all.
                    Err(StepError::Supervised { .. }) => {}
                    Err(why) => return Err(why.into()),
                }
            }
            // One that ends just now cannot be told any more: the next look shows it.
            StepStatus::Running { .. } if context.is_withdrawn() && !told_to_stop => {
                told_to_stop = windlass_supervisor::stop(folder).is_ok();
            }
            StepStatus::Starting | StepStatus::Running { .. } => {}
        }
        sleep(LOOK).await;
    }
}

/// How a process ended, as far as the step is concerned. `None`: it is begun again, because nothing of it ran, or
/// because nobody knows and the step says that it may be.
fn judge(ended: &Ended, work: &RunWork) -> Option<Outcome> {
    use windlass_supervisor::Outcome as Process;
    Some(match &ended.outcome {
        Process::Void => return None,
        Process::Unknown if work.safe_to_repeat => return None,
        _ if ended.timed_out => Outcome::TimedOut,
        _ if ended.stopped => Outcome::Stopped,
        Process::Exited { code: 0 } => Outcome::Succeeded,
        Process::Exited { code } => Outcome::Failed { reason: format!("exit code {code}") },
        Process::Killed { signal } => Outcome::Failed { reason: format!("killed by signal {signal}") },
        Process::NotStarted { reason } | Process::Unkept { reason } => {
            Outcome::Failed { reason: reason.clone() }
        }
        Process::Unknown => Outcome::Unknown,
    })
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
