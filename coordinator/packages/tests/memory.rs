//! The memory of pulls of large packages, counted by the allocator: what each holds while it is sent, however slowly.
//!
//! A program of its own, because there is one allocator to a program.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]
#![allow(clippy::print_stdout, reason = "what was measured is worth seeing")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use windlass_packages::{PackageStore, plan_pull};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::{Entry, EntryKind, EntryPath, Manifest};
use windlass_protocol::message::PullRequest;

const FILES: u32 = 50_000;
const HELD: u8 = 2;
const PULLS: usize = 64;

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is the system's own allocator; beside it only a number is kept.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A manifest like that of a large web application, of which the versions differ in every tenth file.
fn manifest(version: u8) -> Manifest {
    let entries = (0..FILES).map(|number| {
        let path = format!("node_modules/package-{:04}/dist/esm/module-{number:05}.js", number / 20);
        let content = (number, if number % 10 == 0 { version } else { 0 });
        let digest = Digest::of(format!("{content:?}"));
        let kind = EntryKind::File { executable: false, size: 100, digest };
        Entry { path: EntryPath::new(path.as_bytes()).unwrap(), kind }
    });
    Manifest::new(entries.collect()).unwrap()
}

/// Puts a manifest where the store finds it: without blobs, which a plan does not look at.
fn put(place: &std::path::Path, version: u8) -> Digest {
    let text = manifest(version).to_text();
    let digest = Digest::of(&text);
    fs::write(place.join("manifests").join(digest.to_hex()), text).unwrap();
    digest
}

#[test]
fn a_pull_of_many_files_holds_little_while_it_is_sent() {
    let place = tempfile::tempdir().unwrap();
    let store = PackageStore::open(place.path()).unwrap();
    let digests: Vec<_> = (0..=HELD).map(|version| put(place.path(), version)).collect();
    let request = PullRequest {
        assignment: AssignmentId::from_bytes([1; 16]),
        manifest: digests[0],
        has_manifest: false,
        holds: digests[1..].to_vec(),
        complete_files: 0,
        complete_segments: 0,
    };
    let before = LIVE.load(Ordering::Relaxed);
    let read = |digest: &Digest| store.contents(*digest).unwrap().unwrap();
    let pull = |_| plan_pull(read(&request.manifest), request.holds.iter().map(read), &request).unwrap();
    let first = pull(0);
    // What is known of the package and of those that are held: shared, and bounded.
    let shared = LIVE.load(Ordering::Relaxed) - before;
    let more: Vec<_> = (0..PULLS).map(pull).collect();
    let each = (LIVE.load(Ordering::Relaxed) - before - shared) / PULLS;
    println!("{shared} bytes shared, {each} of each pull");
    assert_eq!(first.header().files, FILES / 10);
    assert!(shared < 36 << 20, "{shared} bytes for what is shared");
    assert!(each < 64 << 10, "{each} bytes for each pull");
    drop(more);
}
