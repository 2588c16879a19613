//! What appending, syncing and polling cost, and whether preallocating a segment would make syncing cheaper.
//!
//! `cargo bench -p windlass-segments --bench cost [-- FOLDER]`: the folder says which disk is measured.
#![allow(clippy::print_stdout, reason = "a measurement is printed for whoever runs it")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use windlass_segments::{Options, Writer, read};

const BATCH: usize = 64;
const LINE: [u8; 300] = [b'x'; 300];
const ROUNDS: u32 = 400;
const REPEATS: usize = 15;

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let base = given.map_or_else(std::env::temp_dir, PathBuf::from);
    let place = tempfile::tempdir_in(&base).expect("the folder given can be written to");
    println!("{} batches of {BATCH} lines of {} bytes in {}", ROUNDS, LINE.len(), base.display());
    writing(&place.path().join("lines"));
    reading(&place.path().join("lines"));
    preallocating(place.path());
}

/// The processor time of this process, in it and in the kernel for it.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may look at itself");
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.try_into().expect("time used is not negative"))
}

fn writing(folder: &Path) {
    let (mut writer, _) = Writer::open(folder, Options::default()).expect("an empty folder opens");
    let (start, start_processor) = (Instant::now(), processor_time());
    let mut appending = Duration::ZERO;
    for _ in 0..ROUNDS {
        let before = Instant::now();
        for _ in 0..BATCH {
            writer.append(&LINE).expect("the lines are well-formed");
        }
        appending += before.elapsed();
        writer.sync().expect("the disk has room");
    }
    let lines = f64::from(ROUNDS) * BATCH as f64;
    println!("append alone       {:>12.0} lines/s", lines / appending.as_secs_f64());
    println!("append and sync    {:>12.0} lines/s", lines / start.elapsed().as_secs_f64());
    let processor = processor_time() - start_processor;
    println!(
        "per processor time {:>12.0} lines/s, the kernel's part included",
        lines / processor.as_secs_f64()
    );
}

fn reading(folder: &Path) {
    let start = Instant::now();
    let mut lines = read(folder, 1).expect("line 1 was written");
    let mut count = 0;
    while lines.next_line().expect("the lines are intact").is_some() {
        count += 1;
    }
    println!("read               {:>12.0} lines/s", f64::from(count) / start.elapsed().as_secs_f64());
    let start = Instant::now();
    for _ in 0..ROUNDS {
        assert!(lines.next_line().expect("the lines are intact").is_none());
    }
    println!("poll at the end    {:>12.1} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}

/// How long the same writes and syncs take on plain files and on preallocated ones, in turns, since a disk's speed
/// drifts. The median of the ratios counts.
fn preallocating(place: &Path) {
    let mut ratios: Vec<f64> = (0..REPEATS)
        .map(|turn| {
            let first = syncing(&place.join("first"), turn % 2 == 0);
            let second = syncing(&place.join("second"), turn % 2 == 1);
            let (preallocated, plain) = if turn % 2 == 0 { (first, second) } else { (second, first) };
            preallocated.as_secs_f64() / plain.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "preallocated costs {:.2} of plain (from {:.2} to {:.2})",
        ratios[REPEATS / 2],
        ratios[0],
        ratios[REPEATS - 1]
    );
}

/// The mean time of a batch.
fn syncing(path: &Path, preallocate: bool) -> Duration {
    let mut options = OpenOptions::new();
    let mut file: File = options.append(true).create_new(true).open(path).expect("the name is free");
    if preallocate {
        let size = Options::default().segment_bytes.try_into().expect("a segment is not that large");
        fallocate(file.as_fd(), FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, size)
            .expect("the disk can preallocate");
    }
    file.sync_all().expect("the disk works");
    let batch = [LINE; BATCH].concat();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        file.write_all(&batch).expect("the disk has room");
        file.sync_data().expect("the disk works");
    }
    let elapsed = start.elapsed();
    std::fs::remove_file(path).expect("the file was just made");
    elapsed / ROUNDS
}
