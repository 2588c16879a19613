//! What a gigabyte costs from upload to release, over TCP on loopback with both sides in this process, and what
//! syncing many files one by one would cost.
//!
//! `cargo bench -p windlass-agent-packages --bench pull [-- FOLDER [MEGABYTES]]`: the folder says which disk.
#![allow(clippy::print_stdout, reason = "a measurement is printed for whoever runs it")]

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use windlass_agent_packages::{Cache, Unpack};
use windlass_packages::{Limits, PackageStore, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;

fn main() {
    let mut given = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let base = given.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let megabytes: usize = given.next().map_or(1024, |text| text.parse().expect("a number of megabytes"));
    println!("{megabytes} MiB of random bytes in {}", base.display());
    for files in [1, 2000] {
        let place = tempfile::tempdir_in(&base).expect("the folder given can be written to");
        measure(place.path(), files, megabytes << 20);
    }
    sync_each(&base, 2000, megabytes << 20);
    sync_each(&base, 5000, 5000 * 4096);
}

fn measure(place: &Path, files: usize, bytes: usize) {
    let archive = archive(&place.join("archive"), files, bytes / files);
    println!("{files} files:");
    let report = |what: &str, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        println!("  {what:24} {seconds:6.2} s  {:6.0} MB/s", bytes as f64 / 1e6 / seconds);
    };
    let store = PackageStore::open(place.join("packages")).expect("an empty folder opens");
    let start = Instant::now();
    let uploaded = store.store_upload(archive, "bench.tar", &Limits::default()).expect("it is acceptable");
    report("upload", start);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let cache = Cache::open(place.join("cache")).expect("an empty folder opens");
    let start = Instant::now();
    runtime.block_on(pull(&store, &cache, uploaded.manifest, uploaded.size));
    report("pull, durable", start);
    let start = Instant::now();
    cache.unpack(uploaded.manifest, &place.join("release"), &Unpack::default()).expect("it unpacks");
    report("unpack, durable", start);
}

async fn pull(store: &PackageStore, cache: &Cache, manifest: Digest, size: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback listens");
    let address = listener.local_addr().expect("it has an address");
    let state = cache.begin(manifest, "bench").expect("it can begin");
    let request = state.request(AssignmentId::from_bytes([1; 16]));
    let sending = tokio::spawn({
        let store = store.clone();
        async move {
            let (mut stream, _) = listener.accept().await.expect("the agent connects");
            let manifest = store.manifest(manifest).expect("it can be read").expect("it is there");
            let plan = plan_pull(&manifest, &[], &request).expect("the request makes sense");
            send(&store, &plan, &mut stream, || true).await.expect("all is sent");
        }
    });
    let mut stream = TcpStream::connect(address).await.expect("the coordinator listens");
    cache.receive(state, &mut stream, size, |_| ()).await.expect("all is received");
    sending.await.expect("sending does not die");
}

/// What the agent would wait for, did it sync each file by itself.
fn sync_each(base: &Path, files: usize, bytes: usize) {
    for each in [true, false] {
        let place = tempfile::tempdir_in(base).expect("the folder given can be written to");
        let content = noise(1, bytes / files);
        let start = Instant::now();
        for number in 0..files {
            let mut file = File::create(place.path().join(number.to_string())).expect("a file is made");
            file.write_all(&content).expect("there is room");
            if each {
                file.sync_all().expect("the disk works");
            }
        }
        let folder = File::open(place.path()).expect("the folder opens");
        nix::unistd::syncfs(&folder).expect("the disk works");
        let how = if each { "a sync of each" } else { "one syncfs" };
        println!(
            "{files} files of {} KiB written with {how}: {:.2} s",
            content.len() >> 10,
            start.elapsed().as_secs_f64()
        );
    }
}

/// A tar archive of files of random bytes.
fn archive(path: &Path, files: usize, bytes: usize) -> File {
    let options = &mut OpenOptions::new();
    let mut file = options.read(true).write(true).create_new(true).open(path).expect("it can be written");
    for number in 0..files {
        let mut header = [0u8; 512];
        let name = format!("folder-{}/file-{number}", number / 100);
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{bytes:011o}\0").as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        file.write_all(&header).expect("there is room");
        let content = noise(number as u64, bytes.next_multiple_of(512));
        file.write_all(&content[..bytes]).expect("there is room");
        file.write_all(&vec![0; content.len() - bytes]).expect("there is room");
    }
    file.write_all(&[0; 1024]).expect("there is room");
    file.rewind().expect("a file rewinds");
    fs::remove_file(path).expect("the name is not needed any more");
    file
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
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
