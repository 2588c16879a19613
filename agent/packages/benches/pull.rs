//! What a gigabyte costs from upload to release, over TCP on loopback with both sides in this process, and what
//! syncing many files one by one would cost.
//!
//! `cargo bench -p windlass-agent-packages --bench pull [-- FOLDER [MEGABYTES]]`: the folder says which disk.
#![allow(clippy::print_stdout, reason = "a measurement is printed for whoever runs it")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use windlass_agent_packages::{Cache, Unpack};
use windlass_packages::{Limits, PackageStore, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_workshop::{noise, tar};

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
    let archive = archive(files, bytes / files);
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
            let contents = store.contents(manifest).expect("it can be read").expect("it is there");
            let plan = plan_pull(contents, [], &request).expect("the request makes sense");
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
fn archive(files: usize, bytes: usize) -> File {
    let path = |number: usize| format!("folder-{}/file-{number}", number / 100);
    tar(&(0..files).map(|number| (path(number), noise(number as u64, bytes))).collect())
}
