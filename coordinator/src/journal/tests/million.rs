//! How long a start takes that has a million records behind it, and how much memory. Run by hand:
//!
//! `cargo test --release -p windlass-coordinator --lib million -- --ignored --nocapture`
//!
//! Bounds on the machine of the README's figures: 3 s with a snapshot, 20 s without; 64 MiB beyond the state's own.
#![allow(clippy::print_stdout, reason = "a measurement is printed for whoever runs it")]

use std::env;
use std::fs;
use std::process::Command as Process;
use std::time::Instant;

use super::*;

/// Names that stay: most records of a long history are about what is over.
const TOKENS: u64 = 500;
/// As often as the engine takes a snapshot: the tail after the newest one is as long as it can be.
const TAIL: u64 = 20_000;
/// How many records instead of a million, where a build without optimisation is measured.
const RECORDS: &str = "WINDLASS_MILLION_RECORDS";
const PLACE: &str = "WINDLASS_MILLION_PLACE";

/// Bytes, by a line of this process's own status.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// One start in a process of its own, whose highest memory is the start's.
fn start(data: &Path) {
    let before = memory("VmHWM:");
    let started = Instant::now();
    let replayed = replay(data).unwrap();
    let elapsed = started.elapsed();
    let (highest, held) = (memory("VmHWM:"), memory("VmRSS:"));
    println!(
        "from record {} of {}: {elapsed:.2?}, {} MiB held, {} MiB more on the way",
        replayed.from,
        replayed.state.number,
        held.saturating_sub(before) >> 20,
        highest.saturating_sub(held) >> 20,
    );
}

fn write(data: &Path, records: u64) {
    let mut story = Story::over(data);
    for number in 0..TOKENS {
        story.create(&format!("kept-{number}"));
    }
    let mut until = |record: u64| {
        while story.state.number < record {
            for _ in 0..250 {
                story.create("passing");
                story.delete("passing");
            }
            story.sync();
        }
        if record < records {
            story.snapshot();
        }
    };
    until(records - TAIL);
    until(records);
}

#[test]
#[ignore = "a measurement of minutes"]
fn million_records() {
    if let Some(place) = env::var_os(PLACE) {
        return start(Path::new(&place));
    }
    let place = tempfile::tempdir().unwrap();
    let records = env::var(RECORDS).map_or(1_000_000, |text| text.parse().unwrap());
    write(place.path(), records);
    let again = || {
        let mut process = Process::new(env::current_exe().unwrap());
        process.args(["--ignored", "--exact", "journal::tests::million::million_records", "--nocapture"]);
        assert!(process.env(PLACE, place.path()).status().unwrap().success());
    };
    again();
    fs::remove_dir_all(place.path().join("snapshots")).unwrap();
    again();
}
