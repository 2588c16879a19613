//! What whole-system tests share: the programs, built once and found beside the tests.

pub mod agents;
pub mod archives;
pub mod canaries;
pub mod client;
pub mod installation;
pub mod journal;
pub mod raw;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, bail};

/// Where the programs are. `cargo test` does not build the programs of other packages for a package of tests, so this
/// does, once, with the profile and target folder of the running program.
pub fn programs() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let packages = ["-p", "windlass-coordinator", "-p", "windlass-agent", "-p", "windlass-cli"];
    let built =
        BUILT.get_or_init(|| build(&[&["--bins"], &packages[..]].concat()).map_err(|why| format!("{why:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

/// The agent that writes down what it is given. It has a name of its own, so that it lies beside the ordinary programs
/// that other tests run at the same time, and shares all that was built for them.
pub fn recording_agent() -> anyhow::Result<PathBuf> {
    const NAME: &str = "windlass-agent-recording";
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let arguments = ["--bin", NAME, "-p", "windlass-agent", "--features", "windlass-agent/recording"];
    let built = BUILT.get_or_init(|| build(&arguments).map_err(|why| format!("{why:#}")));
    Ok(built.clone().map_err(anyhow::Error::msg)?.join(NAME))
}

fn build(what: &[&str]) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // A test is <target>/<profile>/deps/<test>, any other program <target>/<profile>/<program>.
    let folder = own.parent().context("a program lies in a folder")?;
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let profile = profile.context("a test lies in a target folder")?;
    let target = profile.parent().context("a target folder has a parent")?;
    let name = profile.file_name().and_then(|name| name.to_str()).context("a profile has a name")?;
    let profile_argument = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--profile", profile_argument, "--target-dir"])
        .arg(target)
        .args(what)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the programs do not build: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(profile.to_owned())
}
