//! The numbers that Windlass is measured by, each against its floor in the same run (see the README of this folder).

mod arrivals;
mod commands;
mod fleet;
mod machine;
mod memory;
mod model;
mod nudge;
mod operator;
mod pull;
mod raw;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures Windlass against the floors of this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    measure: Option<Measure>,
    /// How many alternating runs a median is taken of.
    #[arg(long, default_value_t = 5, global = true)]
    runs: usize,
    /// Where the measured programs keep their files; on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER", global = true)]
    scratch: Option<PathBuf>,
}

#[derive(Subcommand, Clone)]
enum Measure {
    /// A pull of 1 GiB, as one file and as 2,000, against nginx and curl.
    Pull,
    /// The coordinator's memory for each connected agent.
    Memory,
    /// From a request to the last of 1,000 agents having read its nudge, against bare quinn.
    Nudge,
    /// Commands made durable in a second, against a bare loop of append and fdatasync.
    Commands,
    /// What deciding costs in a large installation, against the same at a tenth of the size.
    Model,
    /// A start with a million records behind it, with a snapshot and without.
    Start,
    /// Starts from a data folder for `start`, in a process of its own.
    #[command(hide = true)]
    Replay {
        /// The folder.
        data: PathBuf,
    },
    /// Serves bare quinn for `nudge`, in a process of its own.
    #[command(hide = true)]
    RawServer,
}

/// What every measure is given.
struct Setting {
    /// How many alternating runs.
    runs: usize,
    /// An empty folder, removed at the end.
    scratch: tempfile::TempDir,
}

/// Measures, prints, and judges.
type Measuring = fn(&Setting) -> anyhow::Result<Vec<Verdict>>;

/// A bound, and whether it held.
struct Verdict {
    what: String,
    holds: bool,
}

// What is printed here is what the program is for.
#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    windlass_trust::install_provider();
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(verdicts) => {
            for verdict in &verdicts {
                println!("{} {}", if verdict.holds { "held  " } else { "MISSED" }, verdict.what);
            }
            if verdicts.iter().all(|verdict| verdict.holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)]
fn run(arguments: &Arguments) -> anyhow::Result<Vec<Verdict>> {
    let measures: &[Measuring] = match &arguments.measure {
        Some(Measure::RawServer) => return raw::serve().map(|()| Vec::new()),
        Some(Measure::Replay { data }) => return start::replay(data).map(|()| Vec::new()),
        Some(Measure::Pull) => &[pull::measure],
        Some(Measure::Memory) => &[memory::measure],
        Some(Measure::Nudge) => &[nudge::measure],
        Some(Measure::Commands) => &[commands::measure],
        Some(Measure::Model) => &[model::measure],
        Some(Measure::Start) => &[start::measure],
        None => &[
            model::measure,
            commands::measure,
            start::measure,
            nudge::measure,
            memory::measure,
            pull::measure,
        ],
    };
    machine::raise_open_files()?;
    println!("{}", machine::describe());
    let mut verdicts = Vec::new();
    for measure in measures {
        let scratch = match &arguments.scratch {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        verdicts.extend(measure(&Setting { runs: arguments.runs.max(1), scratch })?);
        println!("{}", machine::load());
    }
    Ok(verdicts)
}
