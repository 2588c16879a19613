//! A coordinator's store, an agent's cache, and ways to look at both.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_agent_packages::{Cache, PullError, PullState, Received};
use windlass_packages::{Limits, PackageStore, PullPlan, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;

/// Files by path; a path that ends with `*` is executable.
pub type Tree = BTreeMap<String, Vec<u8>>;

pub fn tree(files: &[(&str, &[u8])]) -> Tree {
    files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect()
}

/// Bytes that do not compress, different for each seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Bytes that compress well, different for each seed.
pub fn words(seed: u64, length: usize) -> Vec<u8> {
    noise(seed, 2000).iter().copied().cycle().take(length).collect()
}

/// Both sides, in folders that go with them.
pub struct Place {
    pub folder: TempDir,
    pub store: PackageStore,
}

impl Place {
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
        let manifest = |digest: Digest| self.store.manifest(digest).unwrap().unwrap();
        let held: Vec<_> = request.holds.iter().map(|held| manifest(*held)).collect();
        plan_pull(&manifest(request.manifest), &held, request).unwrap()
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

/// A tar archive of the files.
pub fn tar(tree: &Tree) -> File {
    let mut archive = tempfile::tempfile().unwrap();
    for (path, content) in tree {
        let (name, mode) = match path.strip_suffix('*') {
            Some(name) => (name, b"0000755\0"),
            None => (path.as_str(), b"0000644\0"),
        };
        // A content that begins with `->` is the target of a link.
        let link = content.strip_prefix(b"->");
        let content: &[u8] = if link.is_some() { &[] } else { content };
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(mode);
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[156] = if link.is_some() { b'2' } else { b'0' };
        if name.ends_with('/') {
            header[156] = b'5';
        }
        let target = link.unwrap_or_default();
        header[157..157 + target.len()].copy_from_slice(target);
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.write_all(&header).unwrap();
        archive.write_all(content).unwrap();
        archive.write_all(&vec![0; content.len().next_multiple_of(512) - content.len()]).unwrap();
    }
    archive.write_all(&[0; 1024]).unwrap();
    archive.rewind().unwrap();
    archive
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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
