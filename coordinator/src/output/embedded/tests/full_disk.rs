//! A disk that is full: nothing is acknowledged, nothing acknowledged is lost, and it works again when there is room.
//!
//! On a real file system of some megabytes, in a mount namespace of the test's own process.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::output::tests::without_room;

const PLACE: &str = "WINDLASS_TEST_OUTPUT_CHILD";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_full_disk_stops_nothing_for_good_and_loses_nothing() {
    if let Some(place) = small_disk("a_full_disk_stops_nothing_for_good_and_loses_nothing") {
        on_a_small_disk(&place).await;
    }
}

#[tokio::test]
async fn a_start_on_a_full_disk_works_as_soon_as_there_is_room() {
    if let Some(place) = small_disk("a_start_on_a_full_disk_works_as_soon_as_there_is_room") {
        starting_on_a_full_disk(&place).await;
    }
}

/// A folder that is a small disk, for who runs in a process of its own; whoever does not starts one with this test.
fn small_disk(test: &str) -> Option<PathBuf> {
    if let Some(place) = std::env::var_os(PLACE) {
        let place = PathBuf::from(place);
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(&place).status();
        assert!(mounted.unwrap().success());
        return Some(place);
    }
    let place = tempfile::tempdir().unwrap();
    let unshare = ["--user", "--map-root-user", "--mount"];
    let name = format!("output::embedded::tests::full_disk::{test}");
    if !Command::new("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        // Past the test harness, which would keep it to itself.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {name}: this system gives no mount namespaces");
        return None;
    }
    let mut again = Command::new("unshare");
    again.args(unshare).arg(std::env::current_exe().unwrap()).args(["--exact", &name, "--nocapture"]);
    let output = again.env(PLACE, place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    None
}

/// Without anything there yet, and with what an earlier process left.
async fn starting_on_a_full_disk(place: &Path) {
    let before = tempfile::tempdir().unwrap();
    let store = Embedded::open(before.path(), SMALL).unwrap();
    assert_eq!(append(&store, assignment(1), 1..=10).await, Some(11));
    let left = after_a_crash(before.path(), true);
    for (data, next) in [("new", 1), ("old", 11)] {
        let data = place.join(data);
        fs::create_dir(&data).unwrap();
        if next > 1 {
            let copied = Command::new("cp").arg("-a").arg(left.path().join(".")).arg(&data).status();
            assert!(copied.unwrap().success());
        }
        let ballast = place.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        for size in [64 << 10, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        let store = Embedded::open(&data, SMALL).unwrap();
        assert_eq!(append(&store, assignment(1), next..=20).await, None, "the disk is full");
        drop(file);
        fs::remove_file(&ballast).unwrap();
        let started = Instant::now();
        while append(&store, assignment(1), next..=20).await != Some(21) {
            assert!(started.elapsed() < PATIENCE, "the store does not work");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(runs(&store, assignment(1), None), [Ok((1, 20))]);
    }
}

async fn on_a_small_disk(place: &Path) {
    let limits = Limits { assignment_bytes: 1 << 30, total_bytes: 1 << 30, segment_bytes: 64 << 10 };
    let store = Embedded::open(place, limits).unwrap();
    let ballast = place.join("ballast");
    let fill = |wholly| {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&ballast).unwrap();
        let room = if wholly { 0 } else { 256 << 10 };
        while free(place) > room && file.write_all(&[1; 16 << 10]).is_ok() {}
        while wholly && file.write_all(&[1]).is_ok() {}
    };
    let make_room = |round| {
        if round == 1 {
            // The index meets the full disk as well, and may not survive it.
            let _ = store.index.get().unwrap().commit();
        }
        fs::remove_file(&ballast).unwrap();
    };
    let last = without_room(&store, fill, make_room).await;
    for with_index in [true, false] {
        let disk = after_a_crash(place, with_index);
        let again = Embedded::open(disk.path(), limits).unwrap();
        assert_eq!(
            runs(&again, assignment(1), None),
            [Ok((1, last))],
            "all that was acknowledged is durable"
        );
    }
}

/// Bytes that are free.
fn free(place: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(place).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| line.trim().parse().ok()).unwrap()
}
