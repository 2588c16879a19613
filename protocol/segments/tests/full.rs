//! Full disks: the failure is told apart, the writer is unusable afterwards, and nothing acknowledged is lost.
//!
//! Each test runs itself again as a child process, whose limits end with it.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use windlass_segments::{Options, SegmentError, Writer, read};

const PLACE: &str = "WINDLASS_SEGMENTS_CHILD";

fn line(number: u64) -> Vec<u8> {
    format!("{number:0300}").into_bytes()
}

/// The folder to work in, if this process is the child.
fn child() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

/// Writes batches until there is no space, checks the failure, and returns how many lines were acknowledged.
fn fill(folder: &Path, options: Options) -> u64 {
    let (mut writer, _) = Writer::open(folder, options).unwrap();
    let error = loop {
        for _ in 0..7 {
            writer.append(&line(writer.next())).unwrap();
        }
        if let Err(error) = writer.sync() {
            break error;
        }
        assert!(writer.durable() < 100_000, "the disk never became full");
    };
    assert!(matches!(&error, SegmentError::Full { folder: named } if named == folder), "{error:?}");
    for error in [
        writer.append(b"more").unwrap_err(),
        writer.sync().unwrap_err(),
        writer.truncate_before(2).unwrap_err(),
    ] {
        assert!(matches!(error, SegmentError::Poisoned { .. }), "{error:?}");
    }
    writer.durable()
}

/// The number of acknowledged lines that the child printed.
fn acknowledged(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let number = text.lines().find_map(|line| line.strip_prefix("acknowledged ")).unwrap();
    number.parse().unwrap()
}

/// Checks that exactly the acknowledged lines are there, and that writing can go on.
fn check(folder: &Path, options: Options, acknowledged: u64) {
    let (mut writer, recovery) = Writer::open(folder, options).unwrap();
    assert_eq!((recovery.next, recovery.cut_bytes), (acknowledged + 1, 0), "the failed batch was taken back");
    let lines = read(folder, 1).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(lines, (1..=acknowledged).map(|number| (number, line(number))).collect::<Vec<_>>());
    writer.append(b"room again").unwrap();
    writer.sync().unwrap();
    assert_eq!(writer.durable(), acknowledged + 1);
}

#[test]
fn a_limit_on_file_sizes_loses_nothing_acknowledged() {
    let options = Options::default();
    if let Some(folder) = child() {
        // Blocked, the signal that goes with the limit leaves the error for the call to return.
        SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 50_000, 50_000).unwrap();
        return println!("\nacknowledged {}", fill(&folder, options));
    }
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_limit_on_file_sizes_loses_nothing_acknowledged", "--nocapture"]);
    let output = command.env(PLACE, &folder).output().unwrap();
    let count = acknowledged(&output);
    assert_eq!(count, 50_000 / 301 / 7 * 7, "whole batches of seven lines fit");
    check(&folder, options, count);
}

/// On a real file system of 256 KiB, in a mount namespace of the child's own. Where a process may not have one
/// (neither as root nor with a user namespace), there is nothing to run this on, and the limit above has to do.
#[test]
fn a_full_file_system_loses_nothing_acknowledged() {
    let options = Options { segment_bytes: 20_000, ..Options::default() };
    if let Some(place) = child() {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&place).status();
        assert!(mount.unwrap().success());
        let folder = place.join("lines");
        fs::write(place.join("ballast"), [0; 20_000]).unwrap();
        let (mut provident, _) = Writer::open(place.join("provident"), Options::default()).unwrap();
        provident.reserve(20_000).unwrap();
        let count = fill(&folder, options);
        provident.append(&[b'x'; 19_000]).unwrap();
        provident.sync().expect("its room was set aside");
        let full = provident.reserve(200_000).unwrap_err();
        assert!(matches!(full, SegmentError::Full { .. }), "{full:?}");
        fs::remove_file(place.join("ballast")).unwrap();
        check(&folder, options, count);
        return println!("\nacknowledged {count}");
    }
    let unshare = ["--user", "--map-root-user", "--mount"];
    if !Command::new("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system gives no mount namespaces");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(unshare).arg(env::current_exe().unwrap());
    command.args(["--exact", "a_full_file_system_loses_nothing_acknowledged", "--nocapture"]);
    assert!(acknowledged(&command.env(PLACE, place.path()).output().unwrap()) > 100);
}
