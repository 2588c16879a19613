//! The machine that numbers are measured on, and what is made of several of them.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Kernel, cores, memory, and the limits on socket buffers.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo").lines().next().unwrap_or_default().to_owned();
    format!(
        "Linux {}, {cores} cores, {memory}, rmem_max {}, wmem_max {}\n{}",
        read("/proc/sys/kernel/osrelease"),
        read("/proc/sys/net/core/rmem_max"),
        read("/proc/sys/net/core/wmem_max"),
        load()
    )
}

/// The load of the last minutes.
pub fn load() -> String {
    format!("load average {}", read("/proc/loadavg"))
}

/// Thousands of agents in one process are thousands of sockets.
pub fn raise_open_files() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("cannot raise the limit of open files")
}

/// Bytes of a process' memory, what it shares with others counted in parts (PSS).
pub fn memory(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("a process has a PSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// The middle of several numbers; of an even count the lower one.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

/// Seconds, for a table.
pub fn seconds(durations: &[Duration]) -> Vec<f64> {
    durations.iter().map(Duration::as_secs_f64).collect()
}

/// Numbers in a row, and their median.
pub fn row(numbers: &[f64], digits: usize) -> String {
    let all: Vec<_> = numbers.iter().map(|number| format!("{number:.digits$}")).collect();
    format!("median {:.digits$} of {}", median(numbers), all.join(" "))
}
