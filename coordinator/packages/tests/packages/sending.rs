//! Answers to pulls: complete, continued, withdrawn.

use std::io;

use tokio::io::AsyncReadExt as _;
use windlass_packages::{PackageStore, SendError, StoreError, plan_pull, send};
use windlass_protocol::Digest;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::manifest::Manifest;
use windlass_protocol::message::PullRequest;

use crate::stream::{Parts, parse};
use crate::workshop::{Tree, contents, noise, request, shops, stored, tree, words};

fn sample() -> Tree {
    let long = [noise(1, SEGMENT_BYTES), words(1, 2 * SEGMENT_BYTES), noise(2, 77)].concat();
    tree(&[
        ("a/empty", b""),
        ("a/long", &long),
        ("b/noise", &noise(3, 2 * SEGMENT_BYTES)),
        ("c/small", b"small"),
        ("d/small again", b"small"),
    ])
}

async fn answer(
    store: &PackageStore,
    manifest: &Manifest,
    held: &[Manifest],
    request: &PullRequest,
) -> Parts {
    let held = held.iter().map(|held| contents(store, held));
    let plan = plan_pull(contents(store, manifest), held, request).unwrap();
    let mut bytes = Vec::new();
    let sent = send(store, &plan, &mut bytes, || true).await.unwrap();
    assert_eq!(sent.bytes, bytes.len() as u64);
    parse(&bytes)
}

#[tokio::test]
async fn a_pull_carries_the_manifest_and_each_content_once() {
    for shop in shops() {
        let store = &shop.store;
        let files = sample();
        let manifest = stored(store, &files);
        let parts = answer(store, &manifest, &[], &request(&manifest)).await;
        assert_eq!(parts.text, manifest.to_text());
        assert_eq!(parts.header.files, 4);
        let contents: Vec<_> =
            ["a/empty", "a/long", "b/noise", "c/small"].map(|path| files[path].clone()).into();
        assert_eq!(parts.header.bytes, contents.iter().map(|content| content.len() as u64).sum::<u64>());
        assert_eq!(parts.digests(), contents.iter().map(Digest::of).collect::<Vec<_>>());
        assert!(parts.files.iter().zip(&contents).all(|((_, came), content)| came == content));
        assert_eq!(parts.files.iter().map(|(file, _)| file.segments).collect::<Vec<_>>(), [0, 4, 2, 1]);
    }
}

#[tokio::test]
async fn a_pull_goes_on_where_the_request_says() {
    for shop in shops() {
        let store = &shop.store;
        let files = sample();
        let manifest = stored(store, &files);
        let resumed =
            PullRequest { has_manifest: true, complete_files: 1, complete_segments: 2, ..request(&manifest) };
        let parts = answer(store, &manifest, &[], &resumed).await;
        assert_eq!((parts.text.len(), parts.header.files, parts.files.len()), (0, 4, 3));
        assert_eq!(parts.files[0].0.segments, 2);
        assert_eq!(parts.files[0].1, files["a/long"][2 * SEGMENT_BYTES..]);
        assert_eq!(parts.files[2].1, b"small");
    }
}

#[tokio::test]
async fn a_pull_is_the_difference_to_what_is_held() {
    for shop in shops() {
        let store = &shop.store;
        let old = stored(store, &sample());
        let mut files = sample();
        files.insert("b/new".to_owned(), b"new".to_vec());
        let new = stored(store, &files);
        let parts = answer(store, &new, &[old], &request(&new)).await;
        assert_eq!((parts.header.files, parts.header.bytes), (1, 3));
        assert_eq!(parts.digests(), [Digest::of("new")]);
    }
}

#[tokio::test]
async fn nothing_more_than_a_write_leaves_after_the_right_has_gone() {
    for shop in shops() {
        let store = &shop.store;
        let manifest = stored(store, &sample());
        let plan = plan_pull(contents(store, &manifest), [], &request(&manifest)).unwrap();
        for allowed in [0, 1, 2, 5, 20] {
            let mut bytes = Vec::new();
            let mut asked = 0;
            let check = || {
                asked += 1;
                asked <= allowed
            };
            let error = send(store, &plan, &mut bytes, check).await.unwrap_err();
            assert!(matches!(error, SendError::Withdrawn), "{error}");
            assert_eq!(asked, allowed + 1, "the first no is the last question");
            assert!(bytes.len() <= allowed * (256 << 10), "{} bytes after {allowed} checks", bytes.len());
        }
    }
}

#[tokio::test]
async fn the_check_is_asked_at_least_once_a_segment() {
    for shop in shops() {
        let store = &shop.store;
        let manifest = stored(store, &tree(&[("noise", &noise(9, 6 * SEGMENT_BYTES))]));
        let plan = plan_pull(contents(store, &manifest), [], &request(&manifest)).unwrap();
        let mut asked = 0;
        let check = || {
            asked += 1;
            true
        };
        send(store, &plan, &mut Vec::new(), check).await.unwrap();
        assert!(asked >= 6 * SEGMENT_BYTES / (256 << 10), "{asked}");
    }
}

#[tokio::test]
async fn an_agent_that_goes_away_ends_the_answer() {
    for shop in shops() {
        let store = &shop.store;
        let manifest = stored(store, &sample());
        let plan = plan_pull(contents(store, &manifest), [], &request(&manifest)).unwrap();
        let (mut near, mut far) = tokio::io::duplex(1 << 16);
        let reading = tokio::spawn(async move {
            let mut some = vec![0; 5_000_000];
            far.read_exact(&mut some).await.unwrap();
        });
        let error = send(store, &plan, &mut near, || true).await.unwrap_err();
        drop(near);
        reading.await.unwrap();
        assert!(
            matches!(&error, SendError::Stream(source) if source.kind() == io::ErrorKind::BrokenPipe),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_answer_whose_blob_is_damaged_ends_with_an_error() {
    for shop in shops() {
        let store = &shop.store;
        let files = sample();
        let manifest = stored(store, &files);
        let plan = plan_pull(contents(store, &manifest), [], &request(&manifest)).unwrap();
        let (blob, empty) =
            (Digest::of(&files["b/noise"]), b"wlblob\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
        shop.harm("blobs", blob, Some(empty.to_vec()));
        let error = send(store, &plan, &mut Vec::new(), || true).await.unwrap_err();
        assert!(matches!(error, SendError::Store(StoreError::Damaged { .. })), "{error}");
        shop.harm("blobs", blob, None);
        let error = send(store, &plan, &mut Vec::new(), || true).await.unwrap_err();
        assert!(matches!(error, SendError::Store(StoreError::Missing { .. })), "{error}");
    }
}
