//! Killing an agent at every point between the first byte of a pull and the switch to its release: whatever is
//! there is whole, and the same steps come to their end afterwards.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use windlass_agent_packages::{Cache, CacheError, Unpack, publish, remove_others, switch};
use windlass_packages::{Limits, PackageStore, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_workshop::Killed;

/// Two versions of a package, each a single file; `upload` is the coordinator's side and may not be killed.
fn upload(store: &PackageStore, version: u8) -> Manifest {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(&content(version)).unwrap();
    file.rewind().unwrap();
    let uploaded = store.store_upload(file, "program", &Limits::default()).unwrap();
    store.manifest(uploaded.manifest).unwrap().unwrap()
}

fn content(version: u8) -> Vec<u8> {
    vec![version; 5_000_000]
}

/// Pulls, unpacks and switches to a version, from wherever an earlier try stopped.
fn deploy(place: &Path, store: &PackageStore, manifest: &Manifest, version: u8) {
    let cache = Cache::open(place.join("cache")).unwrap();
    let state = cache.begin(manifest.digest(), "program").unwrap();
    // As an agent does: what is whole is not asked for again, so it has to be complete by then.
    if !state.is_whole() {
        let contents = store.contents(manifest.digest()).unwrap().unwrap();
        let plan = plan_pull(contents, [], &state.request(AssignmentId::from_bytes([1; 16]))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut answer = Vec::new();
            send(store, &plan, &mut answer, || true).await.unwrap();
            cache.receive(state, &mut answer.as_slice(), manifest.size(), |_| ()).await.unwrap();
        });
    }
    let releases = place.join("releases");
    let _ = fs::create_dir(&releases);
    let current = fs::read_link(place.join("current")).ok();
    let current = current.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    let release = format!("{version}.0-1");
    remove_others(&releases, &[current.unwrap_or_default()]).unwrap();
    if current != Some(release.as_str()) {
        cache.unpack(manifest.digest(), &releases.join(".new"), &Unpack::default()).unwrap();
        publish(&releases.join(".new"), &releases.join(&release)).unwrap();
        switch(&place.join("current"), &format!("releases/{release}")).unwrap();
    }
    cache.pause_pulls().evict(0, &[manifest.digest()].into()).unwrap();
}

fn run(place: &Path) {
    let store = PackageStore::open(place.join("packages")).unwrap();
    for version in [1, 2] {
        deploy(place, &store, &upload(&store, version), version);
    }
}

/// What is there is whole: contents, packages, and the release that is current.
fn check(place: &Path, point: &str) {
    let cache = place.join("cache");
    for entry in fs::read_dir(cache.join("blobs")).into_iter().flatten() {
        let entry = entry.unwrap();
        let found = Digest::of(fs::read(entry.path()).unwrap()).to_string();
        assert_eq!(entry.file_name().to_str(), Some(found.as_str()), "{point}");
    }
    if cache.exists() {
        let cache = Cache::open(&cache).unwrap();
        for entry in fs::read_dir(place.join("cache/manifests")).unwrap() {
            let digest: Digest = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
            assert!(cache.contains(digest).unwrap(), "{point}");
        }
    }
    if let Ok(current) = fs::read_link(place.join("current")) {
        let version = current.file_name().unwrap().to_str().unwrap().as_bytes()[0] - b'0';
        assert_eq!(fs::read(place.join("current/program")).unwrap(), content(version), "{point}");
    }
}

#[test]
fn an_agent_killed_at_any_point_has_only_whole_things() {
    if let Some(place) = Killed::place() {
        return run(&place);
    }
    let expected = [
        "cache-after-complete",
        "cache-after-evict",
        "cache-after-manifest",
        "cache-after-names",
        "cache-after-rename",
        "cache-after-sync",
        "cache-before-evict",
        "cache-before-manifest",
        "cache-before-rename",
        "cache-before-sync",
        "release-after-rename",
        "release-after-sync",
        "release-before-rename",
        "switch-after-rename",
        "switch-after-sync",
        "switch-before-rename",
        "unpack-after-sync",
        "unpack-before-sync",
    ];
    let killed = Killed { test: "an_agent_killed_at_any_point_has_only_whole_things" };
    // The coordinator's side has its own test. That an old release goes is a step of its own below.
    let mine = |point: &str| !point.starts_with("packages-");
    killed.at_every_point(mine, &expected, |place, point| {
        check(place, point);
        run(place);
        check(place, point);
        assert_eq!(fs::read_link(place.join("current")).unwrap(), Path::new("releases/2.0-1"), "{point}");
    });
}

#[test]
fn a_release_killed_half_removed_is_gone_after_the_next_time() {
    if let Some(place) = Killed::place() {
        let _: Result<_, CacheError> = remove_others(&place, &["kept"]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["kept", "old"] {
        fs::create_dir_all(folder.path().join(name).join("deep")).unwrap();
    }
    let killed = Killed { test: "a_release_killed_half_removed_is_gone_after_the_next_time" };
    assert_eq!(killed.run(folder.path(), Some("release-before-remove")).signal(), Some(9));
    assert!(folder.path().join(".removing-old").exists() && !folder.path().join("old").exists());
    assert_eq!(remove_others(folder.path(), &["kept"]).unwrap().names, [""; 0]);
    assert_eq!(windlass_workshop::names(folder.path()), ["kept", "points"]);
}
