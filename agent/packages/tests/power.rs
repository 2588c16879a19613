//! Losing the power at every point between the first byte of a pull and the switch to its release: whatever is there is
//! whole, what was done is there, and the same steps come to their end afterwards.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs;
use std::path::Path;

use windlass_agent_packages::{Cache, Unpack, publish, remove_others, switch};
use windlass_packages::{Limits, PackageStore, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_segments::power::{Loss, Recording};
use windlass_workshop::{Tree, tar, tree, words};

/// What a version has. The versions share a file.
fn content(version: u64) -> Tree {
    let own = words(version, 2500);
    tree(&[("program", own.as_slice()), ("lib/shared", &words(9, 1200)), ("lib/link", b"->shared")])
}

/// The coordinator's side, which keeps its power.
struct Coordinator {
    store: PackageStore,
    manifests: Vec<Manifest>,
}

impl Coordinator {
    fn new(folder: &Path) -> Self {
        let store = PackageStore::open(folder.join("packages")).unwrap();
        let upload = |version| {
            let uploaded = store.store_upload(tar(&content(version)), "app.tar", &Limits::default()).unwrap();
            store.manifest(uploaded.manifest).unwrap().unwrap()
        };
        let manifests = [1, 2].map(upload).into();
        Self { store, manifests }
    }

    fn manifest(&self, version: u64) -> &Manifest {
        &self.manifests[version as usize - 1]
    }

    /// Brings a version to be the current one, from wherever an earlier try stopped.
    fn deploy(&self, place: &Path, version: u64) {
        let manifest = self.manifest(version);
        let cache = Cache::open(place.join("cache")).unwrap();
        let state = cache.begin(manifest.digest(), "app").unwrap();
        if !state.is_whole() {
            let contents = |manifest| self.store.contents(manifest).unwrap().unwrap();
            let held = state.holds().iter().copied().map(contents);
            let request = state.request(AssignmentId::from_bytes([1; 16]));
            let plan = plan_pull(contents(manifest.digest()), held, &request).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut answer = Vec::new();
                send(&self.store, &plan, &mut answer, || true).await.unwrap();
                cache.receive(state, &mut answer.as_slice(), manifest.size(), |_| ()).await.unwrap();
            });
        }
        let releases = place.join("releases");
        let release = format!("{version}.0-1");
        let current = fs::read_link(place.join("current")).ok();
        let current = current.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        remove_others(&releases, &[current.unwrap_or_default()]).unwrap();
        if current != Some(release.as_str()) {
            cache.unpack(manifest.digest(), &releases.join(".new"), &Unpack::default()).unwrap();
            publish(&releases.join(".new"), &releases.join(&release)).unwrap();
            switch(&place.join("current"), &format!("releases/{release}")).unwrap();
        }
        cache.pause_pulls().evict(0, &[manifest.digest()].into()).unwrap();
    }

    fn check(&self, loss: &Loss<'_>) {
        let cache = loss.folder.join("cache");
        for entry in fs::read_dir(cache.join("blobs")).into_iter().flatten() {
            let entry = entry.unwrap();
            let found = Digest::of(fs::read(entry.path()).unwrap()).to_string();
            assert_eq!(entry.file_name().to_str(), Some(found.as_str()), "{}", loss.name);
        }
        let opened = Cache::open(&cache).unwrap();
        for entry in fs::read_dir(cache.join("manifests")).unwrap() {
            let digest: Digest = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
            assert!(opened.contains(digest).unwrap(), "{}: {digest} is shown and not whole", loss.name);
        }
        drop(opened);
        if loss.acknowledged > 0 {
            let current = fs::read_link(loss.folder.join("current"));
            let version = current.unwrap_or_else(|why| panic!("{}: {why}", loss.name));
            let version = version.file_name().unwrap().to_str().unwrap()[..1].parse::<u64>().unwrap();
            assert!(version >= loss.acknowledged, "{}", loss.name);
            self.whole(loss.folder, version, loss.name);
        }
        for version in [1, 2] {
            self.deploy(loss.folder, version);
            self.whole(loss.folder, version, loss.name);
        }
    }

    fn whole(&self, place: &Path, version: u64, name: &str) {
        for (path, bytes) in content(version).into_iter().filter(|(_, bytes)| !bytes.starts_with(b"->")) {
            assert_eq!(fs::read(place.join("current").join(&path)).unwrap(), bytes, "{name}: {path}");
        }
    }
}

#[test]
fn an_agent_that_loses_its_power_has_only_whole_things() {
    let (outside, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let coordinator = Coordinator::new(outside.path());
    // As the agent has it before any package.
    fs::create_dir(place.path().join("releases")).unwrap();
    let recording = Recording::start(place.path());
    for version in [1, 2] {
        coordinator.deploy(place.path(), version);
        recording.acknowledge(version);
    }
    let recorded = recording.finish();
    let disks = recorded.cut(|loss| coordinator.check(loss));
    assert!(disks > 300, "{disks} disks are not many");
}
