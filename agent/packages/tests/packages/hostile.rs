//! Streams of a coordinator that lies or errs: each is refused for its own reason, and the cache stays clean.

use proptest::prelude::*;
use tokio::runtime::Runtime;
use windlass_agent_packages::Cache;
use windlass_protocol::Digest;
use windlass_protocol::codec::{self, Message};
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::manifest::{Entry, EntryKind, EntryPath, Manifest};
use windlass_protocol::message::{Answer, Denied, FileEncoding, PullFile, PullHeader};

use crate::workshop::{
    CacheFixture, assignment, check_cache, check_complete, names, noise, receive, tree, words,
};

/// The frame of a message that may be sent.
fn frame<M: Message>(message: &M) -> Vec<u8> {
    codec::frame(message).expect("a test's message is within the limit of its kind")
}

const ONE: &[u8] = b"one";
const TWO: &[u8] = b"twice as long";

/// A package of two files, in the order of their names.
fn package() -> Manifest {
    let file = |path: &str, content: &[u8]| Entry {
        path: EntryPath::new(path.as_bytes()).unwrap(),
        kind: EntryKind::File { executable: false, size: content.len() as u64, digest: Digest::of(content) },
    };
    Manifest::new(vec![file("a", ONE), file("b", TWO)]).unwrap()
}

fn header(files: u32, text: &[u8]) -> Vec<u8> {
    let bytes = (ONE.len() + TWO.len()) as u64;
    frame(&Answer::Pull(PullHeader { manifest_bytes: text.len() as u32, files, bytes }))
}

/// An honest beginning: the header and the manifest.
fn begin(files: u32) -> Vec<u8> {
    let text = package().to_text();
    [header(files, &text), text].concat()
}

/// A file, as its frame says and as segments follow.
fn file(content: &[u8], size: u64, encoding: FileEncoding, count: u32, segments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = frame(&PullFile { digest: Digest::of(content), size, encoding, segments: count });
    for segment in segments {
        bytes.extend_from_slice(&(segment.len() as u32).to_be_bytes());
        bytes.extend_from_slice(segment);
    }
    bytes
}

fn plain(content: &[u8]) -> Vec<u8> {
    file(content, content.len() as u64, FileEncoding::Plain, 1, &[content])
}

fn zstd(content: &[u8], segment: &[u8]) -> Vec<u8> {
    file(content, content.len() as u64, FileEncoding::Zstd, 1, &[segment])
}

fn compressed(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 3).unwrap()
}

/// What is wrong, the stream, and how the refusal begins.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let honest = [begin(2), plain(ONE), plain(TWO)].concat();
    let wrong = |content: &'static [u8], shown: &[u8]| file(content, 3, FileEncoding::Plain, 1, &[shown]);
    let text = package().to_text();
    let links_out = b"f 3 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed a\nl b\0../../x\n";
    let shape = "comes with a size or a number of segments that it does not have";
    vec![
        (
            "denied",
            frame(&Answer::Denied(Denied::NotFound)),
            "the coordinator denied the package: it has no such",
        ),
        ("another answer", frame(&Answer::Reported), "the answer to the pull is of another kind"),
        ("a huge first frame", vec![0, 0x3f, 0, 0], "the answer to the pull is of another kind"),
        ("an endless first frame", vec![0xff; 4], "a frame of the pull is malformed"),
        ("an unreadable first frame", vec![0, 0, 0, 1, 99], "a frame of the pull is malformed"),
        ("no manifest", [header(2, b""), plain(ONE)].concat(), "the answer carries 0 bytes of manifest"),
        (
            "a manifest of 4 GiB",
            frame(&Answer::Pull(PullHeader { manifest_bytes: u32::MAX, files: 2, bytes: 16 })),
            "the answer carries 4294967295 bytes of manifest",
        ),
        ("another manifest", [header(2, b"d a\n"), b"d a\n".to_vec()].concat(), "the manifest that came is"),
        (
            "half a manifest",
            [header(2, &text), text[..50].to_vec()].concat(),
            "the stream of the pull broke off",
        ),
        (
            "a link that leads out",
            [header(2, links_out), links_out.to_vec()].concat(),
            "the manifest that came is",
        ),
        ("too many files", begin(3), "the answer's header does not fit the package"),
        (
            "too many bytes",
            {
                let header = PullHeader { manifest_bytes: text.len() as u32, files: 2, bytes: 17 };
                [frame(&Answer::Pull(header)), text.clone()].concat()
            },
            "the answer's header does not fit the package",
        ),
        ("one file too few", [begin(1), plain(TWO)].concat(), "neither came nor is in the cache"),
        ("no files at all", begin(0), "neither came nor is in the cache"),
        (
            "an announced file that does not come",
            [begin(2), plain(ONE)].concat(),
            "the stream of the pull broke off",
        ),
        ("bytes after the end", [honest.as_slice(), b"x"].concat(), "bytes follow the end of the pull"),
        ("a third file", [honest.clone(), plain(ONE)].concat(), "bytes follow the end of the pull"),
        ("another's file", [begin(2), plain(b"foreign")].concat(), "does not belong here"),
        ("the wrong order", [begin(2), plain(TWO), plain(ONE)].concat(), "does not belong here"),
        ("the same file twice", [begin(2), plain(ONE), plain(ONE)].concat(), "does not belong here"),
        ("a wrong content", [begin(2), wrong(ONE, b"0ne"), plain(TWO)].concat(), "has another digest"),
        ("a wrong size", [begin(2), file(ONE, 4, FileEncoding::Plain, 1, &[b"one!"])].concat(), shape),
        ("a huge size", [begin(2), file(ONE, u64::MAX, FileEncoding::Plain, 1, &[b"one"])].concat(), shape),
        (
            "two segments of one",
            [begin(2), file(ONE, 3, FileEncoding::Plain, 2, &[b"o", b"ne"])].concat(),
            shape,
        ),
        ("no segments", [begin(2), file(ONE, 3, FileEncoding::Plain, 0, &[])].concat(), shape),
        ("endless segments", [begin(2), file(ONE, 3, FileEncoding::Plain, u32::MAX, &[])].concat(), shape),
        ("a short segment", [begin(2), wrong(ONE, b"on")].concat(), "has an impossible length"),
        ("a long segment", [begin(2), wrong(ONE, b"one!")].concat(), "has an impossible length"),
        ("an empty compressed segment", [begin(2), zstd(ONE, b"")].concat(), "has an impossible length"),
        (
            "a compressed segment of 4 GiB",
            [begin(2), file(ONE, 3, FileEncoding::Zstd, 1, &[]), vec![0xff; 4]].concat(),
            "has an impossible length",
        ),
        ("no zstd at all", [begin(2), zstd(ONE, b"one")].concat(), "does not decompress to its size"),
        (
            "a zstd of less",
            [begin(2), zstd(ONE, &compressed(b"on"))].concat(),
            "does not decompress to its size",
        ),
        (
            "a zstd of more",
            [begin(2), zstd(ONE, &compressed(b"one!"))].concat(),
            "does not decompress to its size",
        ),
        ("a zstd of another", [begin(2), zstd(ONE, &compressed(b"0ne"))].concat(), "has another digest"),
        (
            "a bomb",
            // 47 bytes that become 1 MB.
            [begin(2), plain(ONE), zstd(TWO, &compressed(&[0; 1_000_000]))].concat(),
            "does not decompress to its size",
        ),
        (
            "a patch",
            {
                let patch = FileEncoding::Patch { base: Digest::of(TWO) };
                [begin(2), file(ONE, 3, patch, 1, &[b"one"])].concat()
            },
            "comes in an encoding that this agent cannot read",
        ),
        (
            "an unreadable frame",
            [begin(2), vec![0, 0, 0, 2, 1, 2]].concat(),
            "a frame of the pull is malformed",
        ),
        ("an endless frame", [begin(2), vec![0, 0, 1, 1]].concat(), "a frame of the pull is malformed"),
        ("nothing", Vec::new(), "the stream of the pull broke off"),
    ]
}

#[tokio::test]
async fn a_stream_that_lies_is_refused_and_leaves_nothing_unverified() {
    let manifest = package();
    for (index, (what, stream, expected)) in cases().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let state = cache.begin(manifest.digest(), "app").unwrap();
        let error = receive(&cache, state, &stream, manifest.size()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{index}: {what}: {error}");
        check_cache(folder.path());
        assert!(!cache.contains(manifest.digest()).unwrap(), "{what}");
        assert!(names(&folder.path().join("blobs")).len() <= 2, "{what}");

        let state = cache.begin(manifest.digest(), "app").unwrap();
        let files: Vec<_> =
            [plain(ONE), plain(TWO)].into_iter().skip(state.complete_files() as usize).collect();
        let text = if state.has_manifest() { Vec::new() } else { manifest.to_text() };
        let honest = [header(2, &text), text, files.concat()].concat();
        receive(&cache, state, &honest, manifest.size()).await.unwrap();
        check_complete(&cache, folder.path(), &manifest);
    }
}

#[tokio::test]
async fn a_manifest_whose_tree_is_hostile_is_refused_even_with_the_right_digest() {
    let digest = Digest::of(ONE);
    for text in [
        format!("f 3 {digest} a\nl b\0../../etc/passwd\n"),
        format!("f 3 {digest} ../a\n"),
        format!("f 3 {digest} /a\n"),
        format!("f 3 {digest} a\0b\n"),
        format!("f 3 {digest} a\nf 3 {digest} a\n"),
        format!("f 3 {digest} a\nl a/b\0a\n"),
        format!("f 3 {digest} b\nf 3 {digest} a\n"),
        format!("f 03 {digest} a\n"),
        "l a\0a\n".to_owned(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let asked = Digest::of(&text);
        let state = cache.begin(asked, "app").unwrap();
        let stream = [header(1, text.as_bytes()), text.clone().into_bytes(), plain(ONE)].concat();
        let error = receive(&cache, state, &stream, 3).await.unwrap_err().to_string();
        assert!(error.starts_with("the package's manifest is not acceptable"), "{text:?}: {error}");
        assert!(!cache.begin(asked, "app").unwrap().has_manifest());
    }
}

#[tokio::test]
async fn a_bomb_of_many_segments_stops_at_the_first() {
    let fixture = CacheFixture::new();
    let content = words(1, 2 * SEGMENT_BYTES);
    let manifest = fixture.upload(&tree(&[("a", &content)]));
    let cache = fixture.cache("cache");
    let state = cache.begin(manifest.digest(), "app").unwrap();
    let bomb = compressed(&vec![0; 40 * SEGMENT_BYTES]);
    let text = manifest.to_text();
    let header = PullHeader { manifest_bytes: text.len() as u32, files: 1, bytes: content.len() as u64 };
    let file = file(&content, content.len() as u64, FileEncoding::Zstd, 2, &[&bomb, &bomb]);
    let stream = [frame(&Answer::Pull(header)), text, file].concat();
    let error = receive(&cache, state, &stream, manifest.size()).await.unwrap_err().to_string();
    assert!(error.contains("does not decompress to its size"), "{error}");
    let partial = fixture.at("cache/partial").join(manifest.digest().to_hex());
    let left: u64 = names(&partial).iter().map(|name| partial.join(name).metadata().unwrap().len()).sum();
    assert!(left < 1000, "{left} bytes of a bomb were written");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_stream_with_any_byte_changed_is_refused_or_harmless(
        place_in in any::<prop::sample::Index>(),
        change in 1u8..,
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        Runtime::new().unwrap().block_on(async {
            let fixture = CacheFixture::new();
            let files = tree(&[("a", &words(1, 30_000)), ("b", &noise(2, 300)), ("c", b""), ("d", b"->a")]);
            let manifest = fixture.upload(&files);
            let cache = fixture.cache("cache");
            let state = cache.begin(manifest.digest(), "app").unwrap();
            let mut stream = fixture.answer(&state.request(assignment())).await;
            let at = place_in.index(stream.len());
            stream[at] ^= change;
            stream.truncate(cut.map_or(stream.len(), |cut| cut.index(stream.len())));
            let result = receive(&cache, state, &stream, manifest.size()).await;
            check_cache(&fixture.at("cache"));
            assert_eq!(result.is_ok(), cache.contains(manifest.digest()).unwrap());
            fixture.pull(&cache, &manifest).await.unwrap();
            check_complete(&cache, &fixture.at("cache"), &manifest);
        });
    }
}
