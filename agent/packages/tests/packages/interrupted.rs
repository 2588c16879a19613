//! Pulls that break off, and those that go on from there.

use proptest::prelude::*;
use tokio::runtime::Runtime;
use windlass_agent_packages::{Cache, PullError};
use windlass_protocol::codec;
use windlass_protocol::codec::LENGTH_BYTES;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::{Answer, PullFile};

use crate::workshop::{
    CacheFixture, Tree, assignment, check_cache, check_complete, noise, receive, tree, words,
};

/// Several segments, compressed and not, in few bytes on the stream but for one file.
fn sample() -> Tree {
    tree(&[
        ("a/words", &words(1, 3 * SEGMENT_BYTES + 9)),
        ("b/empty", b""),
        ("c/noise", &noise(2, SEGMENT_BYTES + 100)),
        ("d/small", b"small"),
        ("e/words", &words(3, SEGMENT_BYTES + 1)),
    ])
}

/// Every fixture in an answer where a frame, a segment or a file begins or ends.
fn boundaries(answer: &[u8]) -> Vec<usize> {
    let length = |at: usize| u32::from_be_bytes(answer[at..at + LENGTH_BYTES].try_into().unwrap()) as usize;
    let mut places = vec![0, LENGTH_BYTES];
    let mut at = LENGTH_BYTES + length(0);
    places.push(at);
    let Answer::Pull(header) = codec::decode(&answer[LENGTH_BYTES..at]).unwrap() else { panic!("a denial") };
    at += header.manifest_bytes as usize;
    places.push(at);
    while at < answer.len() {
        let end = at + LENGTH_BYTES + length(at);
        let file: PullFile = codec::decode(&answer[at + LENGTH_BYTES..end]).unwrap();
        at = end;
        places.push(at);
        for _ in 0..file.segments {
            places.push(at + LENGTH_BYTES);
            at += LENGTH_BYTES + length(at);
            places.push(at);
        }
    }
    places
}

/// Pulls, but the stream ends after `bytes`. Returns how many bytes of content came.
async fn pull_cut(fixture: &CacheFixture, cache: &Cache, manifest: &Manifest, bytes: usize) -> Option<u64> {
    let state = cache.begin(manifest.digest(), "app").unwrap();
    let answer = fixture.answer(&state.request(assignment())).await;
    let cut = bytes.min(answer.len());
    match receive(cache, state, &answer[..cut], manifest.size()).await {
        Ok(received) => Some(received.moved),
        Err(PullError::Stream(_)) if cut < answer.len() => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_pull_cut_at_any_boundary_goes_on_and_repeats_no_more_than_a_segment() {
    let fixture = CacheFixture::new();
    let manifest = fixture.upload(&sample());
    let whole = {
        let cache = fixture.cache("whole");
        let state = cache.begin(manifest.digest(), "app").unwrap();
        fixture.answer(&state.request(assignment())).await
    };
    let places = boundaries(&whole);
    assert_eq!(places.len(), 4 + 5 + 2 * (4 + 2 + 1 + 2));
    assert_eq!(places.last(), Some(&whole.len()));
    for (index, cut) in places.into_iter().enumerate().take_while(|(_, cut)| *cut < whole.len()) {
        let name = format!("cache-{index}");
        let cache = fixture.cache(&name);
        assert_eq!(pull_cut(&fixture, &cache, &manifest, cut).await, None);
        check_cache(&fixture.at(&name));
        let state = cache.begin(manifest.digest(), "app").unwrap();
        let rest = fixture.answer(&state.request(assignment())).await;
        drop(state);
        // What was cut inside a segment comes again, and frames; no whole segment does.
        let left = whole.len() - cut;
        let inside = if cut < 200 { cut } else { 200 };
        assert!(rest.len() <= left + inside, "cut at {cut} of {}: {} more", whole.len(), rest.len());
        assert!(pull_cut(&fixture, &cache, &manifest, usize::MAX).await.is_some());
        check_complete(&cache, &fixture.at(&name), &manifest);
    }
}

#[tokio::test]
async fn a_continued_content_that_was_changed_on_disk_is_found_and_pulled_anew() {
    let fixture = CacheFixture::new();
    let manifest = fixture.upload(&tree(&[("noise", &noise(8, 2 * SEGMENT_BYTES))]));
    let cache = fixture.cache("cache");
    assert_eq!(pull_cut(&fixture, &cache, &manifest, SEGMENT_BYTES + 1000).await, None);
    let (_, content, _) = manifest.files().next().unwrap();
    let partial = fixture.at("cache/partial").join(manifest.digest().to_hex()).join(content.to_hex());
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[77] ^= 1;
    std::fs::write(&partial, &bytes).unwrap();

    let state = cache.begin(manifest.digest(), "app").unwrap();
    assert_eq!(state.complete_segments(), 1);
    let answer = fixture.answer(&state.request(assignment())).await;
    let error = receive(&cache, state, &answer, manifest.size()).await.unwrap_err();
    assert!(matches!(error, PullError::Content(found) if found == content), "{error}");
    let state = cache.begin(manifest.digest(), "app").unwrap();
    assert_eq!((state.complete_files(), state.complete_segments()), (0, 0));
    drop(state);
    assert!(pull_cut(&fixture, &cache, &manifest, usize::MAX).await.is_some());
    check_complete(&cache, &fixture.at("cache"), &manifest);
}

#[tokio::test]
async fn a_manifest_that_was_changed_on_disk_is_asked_for_again() {
    let fixture = CacheFixture::new();
    let manifest = fixture.upload(&sample());
    let cache = fixture.cache("cache");
    assert_eq!(pull_cut(&fixture, &cache, &manifest, 2000).await, None);
    assert!(cache.begin(manifest.digest(), "app").unwrap().has_manifest());
    let text = fixture.at("cache/partial").join(manifest.digest().to_hex()).join("manifest");
    std::fs::write(text, b"d other\n").unwrap();
    assert!(!cache.begin(manifest.digest(), "app").unwrap().has_manifest());
    assert!(pull_cut(&fixture, &cache, &manifest, usize::MAX).await.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_pull_cut_again_and_again_at_any_byte_comes_to_its_end(
        cuts in proptest::collection::vec(prop_oneof![0usize..2000, 0usize..3 * SEGMENT_BYTES], 1..8),
    ) {
        Runtime::new().unwrap().block_on(async {
            let fixture = CacheFixture::new();
            let manifest = fixture.upload(&sample());
            for cut in cuts {
                // A new cache each time: what the disk holds is all that is known.
                let cache = fixture.cache("cache");
                pull_cut(&fixture, &cache, &manifest, cut).await;
                check_cache(&fixture.at("cache"));
            }
            let cache = fixture.cache("cache");
            assert!(pull_cut(&fixture, &cache, &manifest, usize::MAX).await.is_some());
            check_complete(&cache, &fixture.at("cache"), &manifest);
        });
    }
}
