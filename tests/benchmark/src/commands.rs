//! Whole commands made durable in a second: decided, chained, written, synced, published, answered.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use windlass_api::requests::EnrolmentRequest;
use windlass_coordinator::engine::{Engine, random};
use windlass_coordinator::{installation, journal};
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::ids::{EnrolmentId, SpaceId};

use crate::machine::{median, row};
use crate::{Setting, Verdict};

/// Commands that are under way at once.
const AT_ONCE: usize = 64;
/// How long each side of a run takes.
const TIME: Duration = Duration::from_secs(3);
/// Bytes of a record in the bare loop.
const RECORD_BYTES: usize = 300;
/// What has to be reached, unless the disk's own pace allows less.
const FLOOR: f64 = 20_000.0;
/// So many times the bare loop is enough as well.
const TIMES: f64 = 20.0;

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut bare, mut whole, mut bytes) = (Vec::new(), Vec::new(), 0);
    for run in 0..setting.runs {
        let folder = setting.scratch.path().join(format!("commands-{run}"));
        std::fs::create_dir(&folder)?;
        bare.push(bare_loop(&folder)?);
        let (pace, record) = runtime.block_on(commands(&folder.join("data")))?;
        whole.push(pace);
        bytes = record;
    }
    println!("\nCommands made durable in a second, {AT_ONCE} at once, {bytes} bytes a record");
    println!("  bare append of {RECORD_BYTES} bytes and fdatasync, one after the other: {}", row(&bare, 0));
    println!("  commands: {}", row(&whole, 0));
    let (pace, bare) = (median(&whole), median(&bare));
    println!("  {:.1} times the bare loop", pace / bare);
    let bound = FLOOR.min(TIMES * bare);
    Ok(vec![Verdict { what: format!("commands: {pace:.0}/s, at least {bound:.0}/s"), holds: pace >= bound }])
}

fn bare_loop(folder: &Path) -> anyhow::Result<f64> {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("bare"))?;
    let record = [b'x'; RECORD_BYTES];
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < TIME {
        file.write_all(&record)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// Commands in a second, and the bytes of one's record.
async fn commands(data: &Path) -> anyhow::Result<(f64, u64)> {
    installation::init(data)?;
    let replayed = journal::replay(data)?;
    let before = journal_bytes(data)?;
    let journal = installation::open_journal(data)?;
    let (engine, ended) = Engine::start(journal, Some(data.to_owned()), replayed, Box::new(|_, _| {}))?;
    let space = *engine.state().spaces.keys().next().context("an installation has a space")?;
    let token = *engine.state().tokens.keys().next().context("an installation has a token")?;
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (engine, done) = (engine.clone(), Arc::clone(&done));
        tasks.spawn(async move {
            while started.elapsed() < TIME {
                let envelope = Engine::envelope(Actor::Token(token), None);
                engine.submit(envelope, command(space)).await.map_err(|why| anyhow::anyhow!("{why}"))?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let (count, elapsed) = (done.load(Ordering::Relaxed), started.elapsed());
    drop(engine);
    tokio::task::spawn_blocking(move || ended.join())
        .await?
        .map_err(|_| anyhow::anyhow!("the engine died"))??;
    let bytes = (journal_bytes(data)? - before) / count.max(1);
    Ok((count as f64 / elapsed.as_secs_f64(), bytes))
}

/// An operator's command: a token for one more machine.
fn command(space: SpaceId) -> Command {
    let request = EnrolmentRequest::default();
    let token = (EnrolmentId::from_bytes(random()), Digest::from_bytes(random()));
    Command::Space(space, SpaceCommand::CreateEnrolment { request, token })
}

fn journal_bytes(data: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(journal::folder(data))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
