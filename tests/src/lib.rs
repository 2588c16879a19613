//! What whole-system tests share: the programs, built once and found beside the tests.

pub mod installation;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, bail};

/// Where the programs are. `cargo test` does not build the programs of other packages for a package of tests, so this
/// does, once, with the profile and target folder of the running test.
pub fn programs() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build(None).map_err(|why| format!("{why:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

/// Where the programs are that can be killed at named points (the cargo feature `fail-points`). They lie in a folder
/// of their own, so that the ordinary ones stay what they are; what both are built from is built once for both.
pub fn killable_programs() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let features = "windlass-coordinator/fail-points,windlass-agent/fail-points";
    let built = BUILT.get_or_init(|| build(Some(features)).map_err(|why| format!("{why:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build(features: Option<&str>) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    // <target>/<profile>/deps/<test>
    let profile = test.parent().and_then(|deps| deps.parent()).context("a test lies in a target folder")?;
    let target = profile.parent().context("a target folder has a parent")?;
    let name = profile.file_name().and_then(|name| name.to_str()).context("a profile has a name")?;
    let profile_argument = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--bins", "--profile", profile_argument, "--target-dir"]);
    let programs = match features {
        None => {
            command.arg(target);
            profile.to_owned()
        }
        Some(features) => {
            let own = target.join("fail-points");
            // Only what is finished goes to the folder of its own.
            command.arg(&own).args(["--features", features]).env("CARGO_BUILD_BUILD_DIR", target);
            own.join(name)
        }
    };
    let output = command
        .args(["-p", "windlass-coordinator", "-p", "windlass-agent", "-p", "windlass-cli"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the programs do not build: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(programs)
}
