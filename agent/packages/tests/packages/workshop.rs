//! A coordinator's store, an agent's cache, and ways to look at both.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_agent_packages::{Cache, PullError, PullState, Received};
use windlass_packages::{Limits, PackageStore, PullPlan, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;
pub use windlass_workshop::{Tree, names, noise, tar, tree, words};

/// Both sides, in folders that go with them.
pub struct CacheFixture {
    pub folder: TempDir,
    pub store: PackageStore,
}

impl CacheFixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = PackageStore::open(folder.path().join("packages")).unwrap();
        Self { folder, store }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An agent's cache; each name is another one.
    pub fn cache(&self, name: &str) -> Cache {
        Cache::open(self.at(name)).unwrap()
    }

    pub fn upload(&self, tree: &Tree) -> Manifest {
        let uploaded = self.store.store_upload(tar(tree), "app.1.0.tar", &Limits::default()).unwrap();
        self.store.manifest(uploaded.manifest).unwrap().unwrap()
    }

    /// The bytes of the answer, as if the coordinator believed everything that the request says is held.
    pub async fn answer(&self, request: &PullRequest) -> Vec<u8> {
        let plan = self.plan(request);
        let mut bytes = Vec::new();
        send(&self.store, &plan, &mut bytes, || true).await.unwrap();
        bytes
    }

    fn plan(&self, request: &PullRequest) -> PullPlan {
        let contents = |digest: &Digest| self.store.contents(*digest).unwrap().unwrap();
        plan_pull(contents(&request.manifest), request.holds.iter().map(contents), request).unwrap()
    }

    /// A whole pull over a stream, both sides at once.
    pub async fn pull(&self, cache: &Cache, manifest: &Manifest) -> Result<Received, PullError> {
        let state = cache.begin(manifest.digest(), "app")?;
        let plan = self.plan(&state.request(assignment()));
        let (mut near, mut far) = tokio::io::duplex(1 << 16);
        let sending = async move {
            send(&self.store, &plan, &mut near, || true).await.unwrap();
            // Dropped here, the stream ends.
        };
        let receiving = cache.receive(state, &mut far, manifest.size(), |_| ());
        tokio::join!(sending, receiving).1
    }
}

/// Receives from bytes.
pub async fn receive(
    cache: &Cache,
    state: PullState,
    mut bytes: &[u8],
    size: u64,
) -> Result<Received, PullError> {
    cache.receive(state, &mut bytes, size, |_| ()).await
}

pub fn assignment() -> AssignmentId {
    AssignmentId::from_bytes([7; 16])
}

/// What must hold of a cache at every moment: each content is what its name says, and each manifest has all of its.
pub fn check_cache(folder: &Path) {
    let read = |kind: &str, name: &str| fs::read(folder.join(kind).join(name)).unwrap();
    for name in names(&folder.join("blobs")) {
        assert_eq!(Digest::of(read("blobs", &name)).to_string(), name);
    }
    for name in names(&folder.join("manifests")) {
        let text = read("manifests", &name);
        assert_eq!(Digest::of(&text).to_string(), name);
        for (path, content, _) in Manifest::from_text(&text).unwrap().files() {
            assert!(folder.join("blobs").join(content.to_hex()).exists(), "{path} of {name}");
        }
    }
}

/// That the cache holds the package whole, and has nothing of its pull left.
pub fn check_complete(cache: &Cache, folder: &Path, manifest: &Manifest) {
    assert!(cache.contains(manifest.digest()).unwrap());
    assert!(!names(&folder.join("partial")).contains(&manifest.digest().to_string()));
    check_cache(folder);
}
