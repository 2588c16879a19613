//! How long a start takes that has a million records behind it, and how much memory beyond the state's own.

use std::path::Path;
use std::process::Command as Process;
use std::time::Instant;

use anyhow::{Context, bail};
use windlass_coordinator::engine::{Engine, random};
use windlass_coordinator::{installation, journal};
use windlass_coordinator_core::decide::Command;
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;

use crate::{Setting, Verdict};

const RECORDS: u64 = 1_000_000;
/// Commands that are under way at once.
const AT_ONCE: usize = 256;
/// Names that stay: most records of a long history are about what is over.
const KEPT: usize = 500;
/// Seconds with a snapshot, and without any.
const WITH: f64 = 3.0;
const WITHOUT: f64 = 20.0;
/// Bytes that a start needs on its way beside what it ends with.
const BEYOND: u64 = 64 << 20;

/// What one start came to.
struct Started {
    seconds: f64,
    /// Bytes at the highest, and those that are held in the end.
    highest: u64,
    held: u64,
}

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let data = setting.scratch.path().join("start");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(fill(&data))?;
    println!("\nA start with {RECORDS} records behind it");
    let mut verdicts = Vec::new();
    for (what, most) in [("with a snapshot", WITH), ("without any", WITHOUT)] {
        let Started { seconds, highest, held } = start_apart(&data)?;
        let beyond = highest.saturating_sub(held);
        println!("  {what}: {seconds:.2} s, {} MiB at the highest, {} held", highest >> 20, held >> 20);
        verdicts.push(Verdict {
            what: format!("start, {what}: {seconds:.2} s, at most {most} s"),
            holds: seconds <= most,
        });
        verdicts.push(Verdict {
            what: format!("start, {what}: {} MiB on the way, at most {}", beyond >> 20, BEYOND >> 20),
            holds: beyond <= BEYOND,
        });
        let snapshots = data.join("snapshots");
        if most < WITHOUT {
            std::fs::remove_dir_all(&snapshots).context("the engine wrote snapshots")?;
        }
    }
    Ok(verdicts)
}

/// Writes the history through the engine, which takes its snapshots as it always does.
async fn fill(data: &Path) -> anyhow::Result<()> {
    installation::init(data)?;
    let replayed = journal::replay(data)?;
    let journal = installation::open_journal(data)?;
    let (engine, ended) = Engine::start(journal, Some(data.to_owned()), replayed, Box::new(|_, _| {}))?;
    for number in 0..KEPT {
        ask(&engine, make(&format!("kept-{number}"))).await?;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..AT_ONCE {
        let engine = engine.clone();
        tasks.spawn(async move {
            let name = format!("passing-{number}");
            while engine.state().number < RECORDS {
                ask(&engine, make(&name)).await?;
                ask(&engine, Command::DeleteToken(name.clone())).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    drop(engine);
    let joined = tokio::task::spawn_blocking(move || ended.join()).await?;
    joined.map_err(|_| anyhow::anyhow!("the engine died"))?
}

async fn ask(engine: &Engine, command: Command) -> anyhow::Result<()> {
    let envelope = Engine::envelope(Actor::Installer, None);
    engine.submit(envelope, command).await.map(drop).map_err(|why| anyhow::anyhow!("{why}"))
}

fn make(name: &str) -> Command {
    let token = (TokenId::from_bytes(random()), Digest::from_bytes(random()));
    Command::CreateAdministrator { name: name.to_owned(), token }
}

/// A start in a process of its own, whose highest memory is the start's; and another one whose allocator gives back at
/// once what is let go of, so that in the end it has what is held.
fn start_apart(data: &Path) -> anyhow::Result<Started> {
    let [seconds, highest, _] = replayed(Process::new(std::env::current_exe()?).arg("replay").arg(data))?;
    let mut giving_back = Process::new(std::env::current_exe()?);
    let [_, _, held] = replayed(giving_back.arg("replay").arg(data).env("MALLOC_TRIM_THRESHOLD_", "0"))?;
    Ok(Started { seconds, highest: highest as u64, held: held as u64 })
}

/// Seconds, the highest memory and that in the end.
fn replayed(process: &mut Process) -> anyhow::Result<[f64; 3]> {
    let output = process.output()?;
    if !output.status.success() {
        bail!("replay: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    numbers.try_into().map_err(|_| anyhow::anyhow!("three numbers"))
}

/// Starts from what lies there, and prints how long it took, the highest memory on the way and that in the end.
#[allow(clippy::print_stdout)]
pub fn replay(data: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let replayed = journal::replay(data)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds} {} {}", memory("VmHWM:")?, memory("VmRSS:")?);
    drop(replayed);
    Ok(())
}

/// Bytes, by a line of this process's own status.
fn memory(line: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|found| found.strip_prefix(line)).context("the kernel tells")?;
    Ok(found.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
