//! The coordinator's memory for each connected agent: the slope of its PSS from 1,000 to 3,000 agents.

use std::time::Duration;

use anyhow::Context;

use windlass_tests::installation::Installation;

use crate::fleet::Fleet;
use crate::machine::{median, memory, row};
use crate::{Setting, Verdict, operator};

const FIRST: usize = 1000;
const MORE: usize = 2000;
/// Kilobytes that an agent may cost that has done nothing.
const UNUSED: f64 = 60.0;
/// And one that has pulled a package.
const USED: f64 = 90.0;
const PACKAGE_BYTES: u64 = 1_000_000;
/// What a connection did a moment ago is not what it costs.
const SETTLING: Duration = Duration::from_secs(3);

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let (mut unused, mut used) = (Vec::new(), Vec::new());
    for run in 0..setting.runs {
        unused.push(slope(setting, &format!("unused-{run}"), false)?);
        used.push(slope(setting, &format!("used-{run}"), true)?);
    }
    println!("\nKilobytes of the coordinator's PSS for each agent, from {FIRST} to {} agents", FIRST + MORE);
    println!("  connected, unused: {}", row(&unused, 1));
    println!("  after each has pulled 1 MB: {}", row(&used, 1));
    let bound = |what: &str, kilobytes: &[f64], most: f64| {
        let found = median(kilobytes);
        Verdict { what: format!("memory, {what}: {found:.1} kB, at most {most} kB"), holds: found <= most }
    };
    Ok(vec![bound("unused", &unused, UNUSED), bound("after a pull", &used, USED)])
}

/// Kilobytes for each of the later agents.
fn slope(setting: &Setting, name: &str, pull: bool) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = setting.scratch.path().join(name);
    std::fs::create_dir(&folder)?;
    let installation = Installation::start(&folder)?;
    prepare(&installation, &folder)?;
    let mut fleets = Vec::new();
    let mut sizes = Vec::new();
    for (environment, count) in [("First", FIRST), ("More", MORE)] {
        let token = operator::enrolment(&installation, environment, count);
        let fleet = runtime.block_on(Fleet::connect(&installation.quic, &token, environment, count))?;
        if pull {
            let arguments = ["release", "deploy", "--project", environment, "--version", "1.0.0"];
            installation.windlass(&[&arguments[..], &["--environment", environment]].concat());
            runtime.block_on(fleet.pull())?;
        }
        fleets.push(fleet);
        std::thread::sleep(SETTLING);
        sizes.push(memory(installation.process().context("the coordinator runs")?)?);
    }
    Ok((sizes[1] as f64 - sizes[0] as f64) / 1000.0 / MORE as f64)
}

/// A project for each of two environments, so that each half of the agents has its own deployment.
fn prepare(installation: &Installation, folder: &std::path::Path) -> anyhow::Result<()> {
    let mut documents = Vec::new();
    for name in ["First", "More"] {
        documents.push(format!("kind: environment\nname: {name}\n"));
        documents.push(format!(
            "kind: lifecycle\nname: Only {name}\nphases: [{{name: {name}, environments: [{name}]}}]\n"
        ));
        documents.push(format!(
            "kind: project\nname: {name}\nlifecycle: Only {name}\n\
             steps: [{{name: Install, roles: [web], package: {{id: megabyte}}}}]\n"
        ));
    }
    installation.apply(&documents.join("---\n"));
    let package = folder.join("megabyte.1.0.0.bin");
    operator::random_file(&package, PACKAGE_BYTES)?;
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    for name in ["First", "More"] {
        installation.windlass(&["release", "create", "--project", name, "--version", "1.0.0"]);
    }
    Ok(())
}
