//! Killing a store at every point that an upload passes: what it acknowledged is there and whole, the rest may come
//! again.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::Path;

use windlass_packages::{Limits, PackageStore};
use windlass_protocol::Digest;
use windlass_workshop::Killed;

/// A single file is a package of its own.
fn upload(store: &PackageStore, number: u8) -> Digest {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(&content(number)).unwrap();
    file.rewind().unwrap();
    store.store_upload(file, "file.bin", &Limits::default()).unwrap().manifest
}

fn content(number: u8) -> Vec<u8> {
    vec![number; 10_000 * usize::from(number)]
}

fn upload_until_killed(place: &Path) {
    let mut acknowledged =
        OpenOptions::new().append(true).create(true).open(place.join("acknowledged")).unwrap();
    let store = PackageStore::open(place.join("packages")).unwrap();
    for number in [1, 2, 1, 3] {
        writeln!(acknowledged, "{}", upload(&store, number)).unwrap();
    }
}

/// Everything that is there reads whole, everything acknowledged is there, and the same uploads pass now.
fn check(place: &Path, point: &str) {
    let store = PackageStore::open(place.join("packages")).unwrap();
    let whole = |digest: Digest| {
        let manifest = store.manifest(digest).unwrap().unwrap_or_else(|| panic!("{point}: {digest} is gone"));
        let texts = store.read_texts(&manifest, |_| true, 1 << 20).unwrap();
        assert_eq!((texts.read.len(), texts.left_out.len()), (1, 0), "{point}");
    };
    let acknowledged = fs::read_to_string(place.join("acknowledged")).unwrap_or_default();
    acknowledged.lines().for_each(|digest| whole(digest.parse().unwrap()));
    for entry in fs::read_dir(place.join("packages/manifests")).unwrap() {
        whole(entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
    }
    assert_eq!(fs::read_dir(place.join("packages/staging")).unwrap().count(), 0, "{point}");
    for number in [1, 2, 3] {
        whole(upload(&store, number));
    }
}

#[test]
fn a_store_killed_at_any_point_keeps_what_it_acknowledged() {
    if let Some(place) = Killed::place() {
        return upload_until_killed(&place);
    }
    let expected = [
        "packages-after-manifest",
        "packages-after-names",
        "packages-after-rename",
        "packages-after-sync",
        "packages-before-manifest",
        "packages-before-sync",
    ];
    let killed = Killed { test: "a_store_killed_at_any_point_keeps_what_it_acknowledged" };
    killed.at_every_point(|_| true, &expected, check);
}
