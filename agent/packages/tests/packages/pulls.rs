//! Pulls that nobody disturbs.

use windlass_agent_packages::{Cache, CacheError, PullError, Received};
use windlass_protocol::limits::{HELD_MANIFESTS, SEGMENT_BYTES};
use windlass_protocol::message::PullRequest;

use crate::workshop::{CacheFixture, Tree, assignment, check_complete, names, noise, receive, tree, words};

fn sample() -> Tree {
    tree(&[
        ("a/empty", b""),
        ("b/words", &words(1, 2 * SEGMENT_BYTES + 5)),
        ("c/noise", &noise(2, SEGMENT_BYTES + 5)),
        ("d/exactly", &noise(3, SEGMENT_BYTES)),
        ("e/small", b"small"),
        ("f/small again", b"small"),
        ("run*", b"#!/bin/sh\n"),
    ])
}

#[tokio::test]
async fn a_package_is_pulled_whole() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    assert!(!cache.contains(manifest.digest()).unwrap());
    let received = fixture.pull(&cache, &manifest).await.unwrap();
    check_complete(&cache, &fixture.at("cache"), &manifest);
    assert_eq!(cache.manifest(manifest.digest()).unwrap(), Some(manifest.clone()));
    assert_eq!(received.total, manifest.size());
    assert_eq!(received.moved + received.saved, received.total);
    let noise_alone = 2 * SEGMENT_BYTES as u64 + 5;
    assert!((noise_alone..noise_alone + 100_000).contains(&received.moved), "{received:?}");
}

#[tokio::test]
async fn an_upgrade_moves_what_changed() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    fixture.pull(&cache, &fixture.upload(&sample())).await.unwrap();
    let mut files = sample();
    files.insert("e/small".to_owned(), b"changed".to_vec());
    files.insert("moved/noise".to_owned(), noise(2, SEGMENT_BYTES + 5));
    files.remove("c/noise");
    let next = fixture.upload(&files);
    let received = fixture.pull(&cache, &next).await.unwrap();
    check_complete(&cache, &fixture.at("cache"), &next);
    assert_eq!(received, Received { moved: 7, saved: next.size() - 7, total: next.size() });
}

#[tokio::test]
async fn a_coordinator_that_does_not_believe_what_is_held_sends_it_again() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let old = fixture.upload(&tree(&[("a", &noise(1, 50_000)), ("b", b"old")]));
    fixture.pull(&cache, &old).await.unwrap();
    let next = fixture.upload(&tree(&[("a", &noise(1, 50_000)), ("b", b"new")]));
    let state = cache.begin(next.digest(), "app").unwrap();
    let request = PullRequest { holds: Vec::new(), ..state.request(assignment()) };
    assert_eq!(state.holds(), [old.digest()]);
    let answer = fixture.answer(&request).await;
    let received = receive(&cache, state, &answer, next.size()).await.unwrap();
    assert_eq!(received.moved, 50_003);
    check_complete(&cache, &fixture.at("cache"), &next);
}

#[tokio::test]
async fn progress_only_grows_and_ends_with_the_whole() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    let state = cache.begin(manifest.digest(), "app").unwrap();
    let answer = fixture.answer(&state.request(assignment())).await;
    let mut seen: Vec<Received> = Vec::new();
    let mut stream = answer.as_slice();
    let received = cache.receive(state, &mut stream, manifest.size(), |now| seen.push(now)).await.unwrap();
    assert!(seen.len() >= 20, "{}", seen.len());
    seen.push(received);
    let done = |now: &Received| now.moved + now.saved;
    assert!(seen.windows(2).all(|pair| pair[0].moved <= pair[1].moved && done(&pair[0]) <= done(&pair[1])));
    assert!(seen.iter().all(|now| now.total == manifest.size() && done(now) <= now.total));
}

#[tokio::test]
async fn a_package_that_is_complete_moves_nothing_when_it_is_pulled_again() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    fixture.pull(&cache, &manifest).await.unwrap();
    let state = cache.begin(manifest.digest(), "app").unwrap();
    assert!(state.is_whole() && state.has_manifest());
    assert_eq!((state.complete_files(), state.complete_segments()), (6, 0));
    drop(state);
    assert_eq!(fixture.pull(&cache, &manifest).await.unwrap().moved, 0);
    check_complete(&cache, &fixture.at("cache"), &manifest);
}

#[tokio::test]
async fn a_content_that_got_lost_is_pulled_again() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    fixture.pull(&cache, &manifest).await.unwrap();
    let (_, content, size) = manifest.files().nth(2).unwrap();
    std::fs::remove_file(fixture.at("cache/blobs").join(content.to_hex())).unwrap();
    assert!(!cache.contains(manifest.digest()).unwrap());
    assert_eq!(cache.held("app").unwrap(), []);
    let received = fixture.pull(&cache, &manifest).await.unwrap();
    assert!(received.moved >= size, "{received:?}");
    check_complete(&cache, &fixture.at("cache"), &manifest);
}

#[tokio::test]
async fn packages_of_the_same_label_are_held_first_and_the_latest_of_them() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let mut packages = Vec::new();
    for number in 0..HELD_MANIFESTS as u8 + 2 {
        let manifest = fixture.upload(&tree(&[("file", &[number])]));
        let label = if number % 2 == 0 { "even" } else { "odd" };
        let state = cache.begin(manifest.digest(), label).unwrap();
        let answer = fixture.answer(&state.request(assignment())).await;
        receive(&cache, state, &answer, 1).await.unwrap();
        packages.push(manifest.digest());
    }
    let expected = |order: &[usize]| order.iter().map(|fixture| packages[*fixture]).collect::<Vec<_>>();
    assert_eq!(cache.held("odd").unwrap(), expected(&[9, 7, 5, 3, 1, 8, 6, 4]));
    cache.touch(packages[2]).unwrap();
    assert_eq!(cache.held("even").unwrap(), expected(&[2, 8, 6, 4, 0, 9, 7, 5]));
    drop(cache);
    assert_eq!(fixture.cache("cache").held("even").unwrap(), expected(&[2, 8, 6, 4, 0, 9, 7, 5]));
}

#[tokio::test]
async fn a_package_has_one_pull_at_a_time_and_a_cache_one_process() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    let state = cache.begin(manifest.digest(), "app").unwrap();
    assert!(matches!(cache.begin(manifest.digest(), "app"), Err(CacheError::Busy { .. })));
    drop(state);
    assert!(cache.begin(manifest.digest(), "app").is_ok());
    assert!(matches!(Cache::open(fixture.at("cache")), Err(CacheError::Locked { .. })));
}

#[tokio::test]
async fn two_packages_with_the_same_contents_are_pulled_at_once() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let shared = noise(5, SEGMENT_BYTES + 1);
    let one = fixture.upload(&tree(&[("one", b"1"), ("shared", &shared)]));
    let two = fixture.upload(&tree(&[("shared", &shared), ("two", b"2")]));
    let (first, second) = tokio::join!(fixture.pull(&cache, &one), fixture.pull(&cache, &two));
    first.unwrap();
    second.unwrap();
    check_complete(&cache, &fixture.at("cache"), &one);
    check_complete(&cache, &fixture.at("cache"), &two);
    assert_eq!(names(&fixture.at("cache/blobs")).len(), 3);
}

#[tokio::test]
async fn a_package_of_another_size_than_assigned_is_refused() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&sample());
    let state = cache.begin(manifest.digest(), "app").unwrap();
    let answer = fixture.answer(&state.request(assignment())).await;
    let error = receive(&cache, state, &answer, manifest.size() + 1).await.unwrap_err();
    assert!(matches!(error, PullError::Size { .. }), "{error}");
}
