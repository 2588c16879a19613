//! What whole-system tests share: the programs, built once and found beside the tests.

pub mod agents;
pub mod archives;
pub mod canaries;
pub mod client;
pub mod distance;
pub mod installation;
pub mod journal;
pub mod namespace;
pub mod raw;
mod slow;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, bail};

/// The programs that tests start.
const PROGRAMS: [&str; 7] =
    ["--bins", "-p", "windlass-coordinator", "-p", "windlass-agent", "-p", "windlass-cli"];

/// A folder of programs, built at most once in a process.
type Built = OnceLock<Result<PathBuf, String>>;

/// Where the programs are. `cargo test` does not build the programs of other packages for a package of tests, so this
/// does, once, with the profile and target folder of the running program.
pub fn programs() -> anyhow::Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    once(&BUILT, || build(&PROGRAMS, None))
}

/// The agent that writes down what it is given. It has a name of its own, so that it lies beside the ordinary programs
/// that other tests run at the same time, and shares all that was built for them.
pub fn recording_agent() -> anyhow::Result<PathBuf> {
    const NAME: &str = "windlass-agent-recording";
    static BUILT: Built = OnceLock::new();
    let arguments = ["--bin", NAME, "-p", "windlass-agent", "--features", "windlass-agent/recording"];
    Ok(once(&BUILT, || build(&arguments, None))?.join(NAME))
}

/// Where the programs are that can be killed at named points (the cargo feature `fail-points`). They lie in a folder
/// of their own, so that the ordinary ones stay what they are; what both are built from is built once for both.
pub fn killable_programs() -> anyhow::Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    let features = ["--features", "windlass-coordinator/fail-points,windlass-agent/fail-points"];
    once(&BUILT, || build(&[&PROGRAMS[..], &features].concat(), Some("fail-points")))
}

fn once(built: &Built, build: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<PathBuf> {
    built.get_or_init(|| build().map_err(|why| format!("{why:#}"))).clone().map_err(anyhow::Error::msg)
}

/// Builds with the profile of the running program, and returns where the programs are: beside it, or in a folder of
/// their own.
fn build(what: &[&str], apart: Option<&str>) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A test is <target>/<profile>/deps/<test>, any other program <target>/<profile>/<program>.
    let folder = own.parent().context("a program lies in a folder")?;
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let profile = profile.context("a test lies in a target folder")?;
    let target = profile.parent().context("a target folder has a parent")?;
    let name = profile.file_name().and_then(|name| name.to_str()).context("a profile has a name")?;
    let profile_argument = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", profile_argument]).args(what);
    let finished = apart.map_or_else(|| target.to_owned(), |apart| target.join(apart));
    // Only what is finished goes to a folder of its own.
    command.arg("--target-dir").arg(&finished).env("CARGO_BUILD_BUILD_DIR", target);
    let output = command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the programs do not build: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(finished.join(name))
}
