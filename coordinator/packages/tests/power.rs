//! Losing the power at every point of uploads: what the store acknowledged is there and whole, and what it shows is.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};

use windlass_packages::{Limits, PackageStore};
use windlass_protocol::Digest;
use windlass_segments::power::{Loss, Recording};
use windlass_workshop::{tar, tree, words};

/// Packages that have contents in common: by their numbers, so that an acknowledgement names all up to its own.
const PACKAGES: u64 = 4;

fn archive(number: u64) -> File {
    let mut file: File = if number == 3 {
        tempfile::tempfile().unwrap()
    } else {
        let own = words(number, 3000);
        return tar(&tree(&[("own", own.as_slice()), ("shared", &words(9, 1500)), ("empty", b"")]));
    };
    // A single file is a package as well.
    file.write_all(&words(9, 1500)).unwrap();
    file.rewind().unwrap();
    file
}

fn upload(store: &PackageStore, number: u64) -> Digest {
    let name = if number == 3 { "package" } else { "package.tar" };
    store.store_upload(archive(number), name, &Limits::default()).unwrap().manifest
}

fn check(loss: &Loss<'_>, manifests: &[Digest]) {
    let store = PackageStore::open(loss.folder.join("packages")).unwrap();
    let whole = |digest: Digest| {
        let manifest = store.manifest(digest).unwrap();
        let manifest = manifest.unwrap_or_else(|| panic!("{}: {digest} is gone", loss.name));
        let texts = store.read_texts(&manifest, |_| true, 1 << 20).unwrap();
        assert_eq!((texts.read.len(), texts.left_out.len()), (manifest.files().count(), 0), "{}", loss.name);
    };
    for entry in fs::read_dir(loss.folder.join("packages/manifests")).unwrap() {
        whole(entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
    }
    for number in 1..=PACKAGES {
        let digest = manifests[number as usize - 1];
        if number <= loss.acknowledged {
            whole(digest);
        }
    }
    // The same uploads pass now, also over what was left of them.
    let again = loss.acknowledged % PACKAGES + 1;
    assert_eq!(upload(&store, again), manifests[again as usize - 1]);
    whole(manifests[again as usize - 1]);
}

#[test]
fn a_store_that_loses_its_power_keeps_what_it_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let recording = Recording::start(place.path());
    let mut manifests = Vec::new();
    for number in 1..=PACKAGES {
        // Each is a process of its own.
        let store = PackageStore::open(place.path().join("packages")).unwrap();
        manifests.push(upload(&store, number));
        recording.acknowledge(number);
    }
    let recorded = recording.finish();
    let disks = recorded.cut(|loss| check(loss, &manifests));
    assert!(disks > 500, "{disks} disks are not many");
}
