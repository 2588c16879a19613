//! A pull of 1 GiB of random bytes, as one file and as 2,000, against `curl` from nginx over TLS 1.3. Both write,
//! hash and make durable.
//!
//! Windlass' time is its own record: from the deployment's record to that of the report that everything is there,
//! verified and durable. So it holds the nudge, the assignment, the permit, the pull and the report.

mod nginx;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use windlass_tests::installation::{Installation, Process};

use crate::machine::{median, row, seconds};
use crate::{Setting, Verdict, operator};
use nginx::Nginx;

const BYTES: u64 = 1 << 30;
const FILES: u64 = 2000;
/// The least part of curl's speed.
const BOUND: f64 = 0.9;

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let folder = setting.scratch.path();
    let served = folder.join("served");
    let shapes = [("one", "one file", 1), ("many", "2,000 files", FILES)];
    for (name, _, files) in shapes {
        make_files(&served.join(name), files)?;
    }
    let nginx = Nginx::start(&folder.join("nginx"), &served)?;
    let installation = Installation::start(folder)?;
    for (name, _, files) in shapes {
        upload(&installation, &served.join(name), name, files)?;
    }
    let mut verdicts = Vec::new();
    for (name, words, _) in shapes {
        let (mut curl, mut own) = (Vec::new(), Vec::new());
        for run in 0..setting.runs {
            settle()?;
            curl.push(nginx.fetch(name)?);
            settle()?;
            own.push(pull(&installation, name, run)?);
        }
        let (curl, own) = (seconds(&curl), seconds(&own));
        println!("\nSeconds to pull 1 GiB of random bytes as {words}, hashed and durable");
        println!("  curl from nginx, openssl, fsync: {}", row(&curl, 2));
        println!("  windlass: {}", row(&own, 2));
        let speed = median(&curl) / median(&own);
        println!("  {speed:.2} of curl's speed");
        let what = format!("pull as {words}: {speed:.2} of curl's speed, at least {BOUND}");
        verdicts.push(Verdict { what, holds: speed >= BOUND });
    }
    Ok(verdicts)
}

/// What the one side left unwritten must not slow the other.
fn settle() -> anyhow::Result<()> {
    ensure!(Command::new("sync").status()?.success(), "sync failed");
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

fn make_files(folder: &Path, count: u64) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for number in 0..count {
        let bytes = BYTES / count + if number < BYTES % count { 1 } else { 0 };
        operator::random_file(&folder.join(format!("{number:05}.bin")), bytes)?;
    }
    Ok(())
}

/// The package, and a project that installs it.
fn upload(installation: &Installation, files: &Path, name: &str, count: u64) -> anyhow::Result<()> {
    let package = if count == 1 {
        files.join("00000.bin")
    } else {
        let archive = installation.folder.join(format!("{name}.tar"));
        let made = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(files).arg(".").status()?;
        ensure!(made.success(), "tar failed");
        archive
    };
    let upload = ["package", "upload", &package.to_string_lossy(), "--id", name, "--version", "1.0.0"];
    installation.windlass(&upload);
    installation.apply(&format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: {name}\n\
         steps: [{{name: Install, roles: [web], package: {{id: {name}}}}}]\n"
    ));
    installation.windlass(&["release", "create", "--project", name, "--version", "1.0.0"]);
    Ok(())
}

/// Enrols a new machine, which holds nothing, and deploys to it alone.
fn pull(installation: &Installation, name: &str, run: usize) -> anyhow::Result<Duration> {
    let machine = format!("{name}-{run}");
    let folder = installation.folder.join(&machine);
    let mut agent = agent(installation, &folder, &machine)?;
    let deploy =
        ["release", "deploy", "--project", name, "--version", "1.0.0", "--environment", "Production"];
    installation.windlass(&[&deploy[..], &["--target", &machine, "--wait"]].concat());
    let took = journaled(installation)?;
    agent.kill();
    installation.windlass(&["target", "delete", &machine]);
    fs::remove_dir_all(folder)?;
    Ok(took)
}

fn agent(installation: &Installation, folder: &Path, name: &str) -> anyhow::Result<Process> {
    fs::create_dir_all(folder)?;
    let configuration: PathBuf = folder.join("agent.toml");
    let (state, installed) = (folder.join("state"), folder.join("installed"));
    let text = format!(
        "coordinator = \"{}\"\nstate_root = {state:?}\ninstall_root = {installed:?}\nisolation = \"none\"\n",
        installation.quic
    );
    fs::write(&configuration, text)?;
    let token = operator::enrolment(installation, "Production", 1);
    let mut enrol = installation.program("windlass-agent");
    enrol.args(["enrol", "--token", &token, "--name", name, "--config"]).arg(&configuration);
    let enrolled = enrol.output()?;
    ensure!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let mut run = installation.program("windlass-agent");
    Process::start(run.args(["run", "--config"]).arg(&configuration), &folder.join("agent.log"))
}

/// The time from the last deployment's record to that of its packages being there.
fn journaled(installation: &Installation) -> anyhow::Result<Duration> {
    let mut times = (None, None);
    for entry in fs::read_dir(installation.folder.join("data/journal"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(path)?.lines() {
            let line: Value = serde_json::from_str(line)?;
            let time = line["time"].clone();
            for event in windlass_tests::journal::of_line(&line) {
                match event["event"].as_str() {
                    Some("deployment-created") => times = (Some(time.clone()), None),
                    Some("run-ended") if event["work"] == "fetch" => times.1 = Some(time.clone()),
                    _ => {}
                }
            }
        }
    }
    let (Some(from), Some(to)) = times else { anyhow::bail!("the journal holds no finished pull") };
    let milliseconds = |time: &Value| time.as_i64().with_context(|| format!("{time} is no time"));
    Ok(Duration::from_millis(u64::try_from(milliseconds(&to)? - milliseconds(&from)?)?))
}
