//! What an upload leaves in the store, and what it does not.

use std::fs;
use std::io::Seek as _;

use windlass_packages::{Format, LeftOut, Limits, PackageStore, StoreError, UploadError};
use windlass_protocol::Digest;
use windlass_protocol::limits::SEGMENT_BYTES;

use crate::workshop::{names, noise, shops, stored, tar, tree, upload, words};

#[test]
fn an_upload_is_known_by_its_manifest_and_its_file_name() {
    for shop in shops() {
        let store = &shop.store;
        let files = tree(&[("bin/run", b"#!/bin/sh\n"), ("notes.txt", b"hello"), ("copy.txt", b"hello")]);
        let mut archive = tar(&files);
        let mut bytes = Vec::new();
        std::io::copy(&mut archive, &mut bytes).unwrap();
        archive.rewind().unwrap();

        let uploaded = store.store_upload(archive, "synergy-web.1.4.0.tar", &Limits::default()).unwrap();
        assert_eq!(uploaded.original, Digest::of(&bytes));
        assert_eq!(uploaded.format, Format::Tar);
        assert_eq!((uploaded.size, uploaded.files, uploaded.new_contents), (20, 3, 2));
        assert_eq!(uploaded.identified, Some(("synergy-web".to_owned(), "1.4.0".to_owned())));
        let manifest = store.manifest(uploaded.manifest).unwrap().unwrap();
        assert_eq!(manifest.digest(), uploaded.manifest);
        assert_eq!(manifest.files().count(), 3);
        assert_eq!(store.manifest(Digest::of("another")).unwrap(), None);
    }
}

#[test]
fn a_content_is_stored_once_however_often_it_comes() {
    for shop in shops() {
        let store = &shop.store;
        let large = noise(1, SEGMENT_BYTES + 9);
        let files = tree(&[("a", b"same"), ("b", b"same"), ("c", b""), ("d", &large), ("e", &large)]);
        assert_eq!(upload(store, &files).unwrap().new_contents, 3);
        let blobs = shop.names("blobs");
        assert_eq!(blobs.len(), 3);
        let mut next = files.clone();
        next.insert("f".to_owned(), b"new".to_vec());
        assert_eq!(upload(store, &next).unwrap().new_contents, 1);
        assert_eq!(upload(store, &next).unwrap().new_contents, 0);
        assert_eq!(shop.names("blobs").len(), 4);
        assert_eq!(shop.names("manifests").len(), 2);
    }
}

#[test]
fn compression_is_used_where_the_whole_content_gains_from_it() {
    for shop in shops() {
        let store = &shop.store;
        // The first segment speaks for plain, the rest for zstd, and the reverse; encoding byte of each blob.
        let then_words = [noise(2, SEGMENT_BYTES), words(1, SEGMENT_BYTES)].concat();
        let some = SEGMENT_BYTES / 20;
        let then_noise = [words(1, some), noise(3, 2 * SEGMENT_BYTES - some)].concat();
        let cases: [(&[u8], u8); 6] = [
            (b"", 0),
            (&noise(4, 100_000), 0),
            (&words(1, 100_000), 1),
            (&noise(5, 2 * SEGMENT_BYTES), 0),
            (&then_words, 1),
            (&then_noise, 0),
        ];
        for (content, encoding) in cases {
            upload(store, &tree(&[("file", content)])).unwrap();
            let blob = shop.object("blobs", Digest::of(content));
            assert_eq!(blob[blob.len() - 9], encoding, "{} bytes", content.len());
            assert!(blob.len() <= content.len() + 300, "{} bytes take {}", content.len(), blob.len());
        }
    }
}

#[test]
fn a_refused_upload_leaves_nothing() {
    for shop in shops() {
        let store = &shop.store;
        let archive = tar(&tree(&[("a", b"first"), ("b", &noise(6, 3 * SEGMENT_BYTES))]));
        // Cut off inside the second file: the first has been taken by then.
        archive.set_len(2 * SEGMENT_BYTES as u64).unwrap();
        let error = store.store_upload(archive, "app.tar", &Limits::default()).unwrap_err();
        assert!(matches!(error, UploadError::Package(_)), "{error}");
        for folder in ["blobs", "manifests", "staging"] {
            assert_eq!(shop.names(folder), [""; 0], "{folder}");
        }
    }
}

#[test]
fn opening_removes_what_an_interrupted_upload_left() {
    let place = tempfile::tempdir().unwrap();
    drop(PackageStore::open(place.path()).unwrap());
    let left = place.path().join("staging/0");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("0"), b"half a blob").unwrap();
    let store = PackageStore::open(place.path()).unwrap();
    assert_eq!(names(&place.path().join("staging")), [""; 0]);
    assert!(upload(&store, &tree(&[("a", b"works")])).is_ok());
}

#[test]
fn one_process_at_a_time_has_the_store() {
    let place = tempfile::tempdir().unwrap();
    let store = PackageStore::open(place.path()).unwrap();
    assert!(matches!(PackageStore::open(place.path()), Err(StoreError::Locked { .. })));
    let clone = store.clone();
    drop(store);
    assert!(matches!(PackageStore::open(place.path()), Err(StoreError::Locked { .. })));
    drop(clone);
    assert!(PackageStore::open(place.path()).is_ok());
}

#[test]
fn uploads_at_the_same_time_do_not_disturb_each_other() {
    for shop in shops() {
        let shared = noise(8, SEGMENT_BYTES + 1);
        std::thread::scope(|scope| {
            for number in 0..6u64 {
                let (store, shared) = (shop.store.clone(), &shared);
                scope.spawn(move || {
                    let own = noise(100 + number, 50_000);
                    let manifest = stored(&store, &tree(&[("own", &own), ("shared", shared)]));
                    assert_eq!(manifest.files().count(), 2);
                });
            }
        });
        assert_eq!(shop.names("blobs").len(), 7);
        assert_eq!(shop.names("staging"), [""; 0]);
    }
}

#[test]
fn texts_are_read_as_far_as_they_are_texts_and_fit() {
    for shop in shops() {
        let store = &shop.store;
        let long = words(1, 5 * SEGMENT_BYTES);
        let manifest = stored(
            store,
            &tree(&[
                ("Deploy.sh", b"echo #{Name}"),
                ("a.json", b"{}"),
                ("binary", b"\xff\xfe"),
                ("long", &long),
                ("other", b"not asked for"),
            ]),
        );
        let read = |most| store.read_texts(&manifest, |path| path.as_str() != "other", most).unwrap();
        let texts = read(100);
        let found: Vec<_> = texts.read.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(found, [("Deploy.sh", "echo #{Name}"), ("a.json", "{}")]);
        let left_out: Vec<_> = texts.left_out.iter().map(|(path, why)| (path.as_str(), *why)).collect();
        assert_eq!(left_out, [("binary", LeftOut::NotText), ("long", LeftOut::TooLarge)]);
        // All of it, to the byte: 12 + 2 + the long one.
        let texts = read(14 + long.len() as u64);
        assert_eq!(texts.read.last().map(|(_, text)| text.as_bytes()), Some(long.as_slice()));
        assert_eq!(read(13).left_out.first().map(|(path, _)| path.as_str()), Some("a.json"));
    }
}

#[test]
fn damage_is_named_and_not_handed_out() {
    for shop in shops() {
        let store = &shop.store;
        let manifest = stored(store, &tree(&[("a", b"content")]));
        let digest = Digest::of("content");
        let fault = || match store.read_texts(&manifest, |_| true, 100) {
            Err(StoreError::Damaged { fault, .. }) => fault.to_owned(),
            Err(StoreError::Missing { digest: missing, .. }) if missing == digest => "missing".to_owned(),
            other => panic!("{other:?}"),
        };
        let mut bytes = shop.object("blobs", digest);
        bytes[0] ^= 1;
        shop.harm("blobs", digest, Some(bytes.clone()));
        assert_eq!(fault(), "its content has another digest");
        shop.harm("blobs", digest, Some(bytes[..bytes.len() - 3].to_vec()));
        assert_eq!(fault(), "it does not end as a blob does");
        shop.harm("blobs", digest, None);
        assert_eq!(fault(), "missing");

        let text = [shop.object("manifests", manifest.digest()), b"d more\n".to_vec()].concat();
        shop.harm("manifests", manifest.digest(), Some(text));
        let error = store.manifest(manifest.digest()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the stored manifest {} is damaged: its text has another digest", manifest.digest())
        );
    }
}

#[test]
fn a_content_that_is_damaged_is_stored_anew_when_it_comes_again() {
    for shop in shops() {
        let large = noise(4, SEGMENT_BYTES + 9);
        let files = tree(&[("small", b"content"), ("large", &large)]);
        stored(&shop.store, &files);
        for digest in [Digest::of("content"), Digest::of(&large)] {
            let right = shop.object("blobs", digest);
            let turned = [&[right[0] ^ 1], &right[1..]].concat();
            let harms = [Some(turned), Some(right[..right.len() - 3].to_vec()), Some(Vec::new()), None];
            for (number, harm) in harms.into_iter().enumerate() {
                shop.harm("blobs", digest, harm);
                assert_eq!(upload(&shop.store, &files).unwrap().new_contents, 1, "{number}");
                assert!(shop.object("blobs", digest) == right, "{number}: it is what it was");
            }
        }
    }
}
