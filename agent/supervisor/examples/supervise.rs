//! The smallest program that supervises: what the agent does in a hidden subcommand of its own. The tests use it.
//!
//! - `supervise run FOLDER` is the supervisor.
//! - `supervise start FOLDER` is an agent that starts one with the job on its standard input, and is gone.

use std::path::Path;
use std::process::ExitCode;

use windlass_supervisor::{Job, start, supervise};

/// Stands in for a real seal: whoever reads the disk must not see the value.
fn seal(key: &[u8; 32], value: &[u8]) -> Option<Vec<u8>> {
    Some(value.iter().zip(key.iter().cycle()).map(|(value, key)| value ^ key).collect())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", folder] => supervise(Path::new(folder), &seal).is_ok(),
        ["start", folder] => start_and_go(Path::new(folder)),
        _ => false,
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn start_and_go(folder: &Path) -> bool {
    let Ok(job) = Job::read(std::io::stdin().lock()) else { return false };
    let Ok(binary) = std::env::current_exe() else { return false };
    start(&binary, ["run"], folder, &job).is_ok()
}
