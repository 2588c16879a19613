//! Archives to upload and requests to answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use windlass_packages::{Limits, PackageStore, UploadError, Uploaded};
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;

/// Files by path.
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

/// Text that compresses.
pub fn words(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut number = 0u64;
    while bytes.len() < length {
        bytes.extend_from_slice(format!("line {number} of a long text\n").as_bytes());
        number += 1;
    }
    bytes.truncate(length);
    bytes
}

/// A tar archive of the files.
pub fn tar(tree: &Tree) -> File {
    let mut archive = tempfile::tempfile().unwrap();
    for (path, content) in tree {
        let mut header = [0u8; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[156] = b'0';
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

pub fn upload(store: &PackageStore, tree: &Tree) -> Result<Uploaded, UploadError> {
    store.store_upload(tar(tree), "app.1.0.tar", &Limits::default())
}

/// Uploads and gives the stored manifest back.
pub fn stored(store: &PackageStore, tree: &Tree) -> Manifest {
    let uploaded = upload(store, tree).unwrap();
    store.manifest(uploaded.manifest).unwrap().unwrap()
}

pub fn request(manifest: &Manifest) -> PullRequest {
    PullRequest {
        assignment: AssignmentId::from_bytes([7; 16]),
        manifest: manifest.digest(),
        has_manifest: false,
        holds: Vec::new(),
        complete_files: 0,
        complete_segments: 0,
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
