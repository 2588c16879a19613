//! Packages unpacked out of the cache.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use windlass_agent_packages::{Cache, CacheError, Rewrite, Unpack, publish, switch};
use windlass_protocol::Digest;
use windlass_protocol::manifest::Manifest;

use crate::workshop::{CacheFixture, names, noise, tree};

async fn pulled(fixture: &CacheFixture) -> (Cache, Manifest) {
    let cache = fixture.cache("cache");
    let manifest = fixture.upload(&tree(&[
        ("bin/run*", b"#!/bin/sh\n"),
        ("empty/", b""),
        ("lib/deep/er/data", &noise(1, 1_500_000)),
        ("lib/nothing", b""),
        ("lib/one.so", b"->one.so.1"),
        ("lib/one.so.1", b"library"),
        ("current", b"->lib/deep"),
        ("notes.txt", b"library"),
    ]));
    fixture.pull(&cache, &manifest).await.unwrap();
    (cache, manifest)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_release_is_what_its_manifest_says_and_for_its_owner_alone() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let root = fixture.at("release");
    let unpacked = cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap();
    assert_eq!(unpacked.bytes, manifest.size());
    for (path, content, _) in manifest.files() {
        assert_eq!(Digest::of(fs::read(root.join(path.as_str())).unwrap()), content, "{path}");
    }
    assert_eq!(names(&root), ["bin", "current", "empty", "lib", "notes.txt"]);
    assert_eq!(fs::read_link(root.join("current")).unwrap(), Path::new("lib/deep"));
    assert_eq!(fs::read(root.join("lib/one.so")).unwrap(), b"library");
    for (path, expected) in [
        ("", 0o700),
        ("bin", 0o700),
        ("bin/run", 0o700),
        ("empty", 0o700),
        ("lib/deep/er", 0o700),
        ("lib/deep/er/data", 0o600),
        ("lib/nothing", 0o600),
    ] {
        assert_eq!(mode(&root.join(path)), expected, "{path}");
    }
    // Copies of its own: writing to them changes nothing in the cache.
    let note = root.join("notes.txt");
    let blob = fixture.at("cache/blobs").join(Digest::of("library").to_hex());
    assert_ne!(fs::metadata(&note).unwrap().ino(), fs::metadata(&blob).unwrap().ino());
    fs::write(&note, b"changed").unwrap();
    assert_eq!(fs::read(&blob).unwrap(), b"library");
}

#[tokio::test]
async fn a_release_belongs_to_the_account_it_is_for_links_included() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let root = fixture.at("release");
    let own = fs::metadata(fixture.folder.path()).unwrap();
    // Only the superuser may give files away; to oneself everybody may.
    let owner = if own.uid() == 0 { (54_321, 54_322) } else { (own.uid(), own.gid()) };
    let how = Unpack { owner: Some(owner), ..Unpack::default() };
    cache.unpack(manifest.digest(), &root, &how).unwrap();
    for path in ["", "bin", "bin/run", "empty", "lib/deep/er/data", "lib/one.so", "current", "lib"] {
        let metadata = fs::symlink_metadata(root.join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), owner, "{path}");
    }
}

#[tokio::test]
async fn a_damaged_content_is_found_and_not_deployed() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let content = Digest::of("library");
    let blob = fixture.at("cache/blobs").join(content.to_hex());
    fs::write(&blob, b"LIBRARY").unwrap();
    let root = fixture.at("release");
    let error = cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap_err();
    assert!(matches!(error, CacheError::Damaged { digest } if digest == content), "{error}");
    assert!(!root.exists() && !blob.exists());
    let error = cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap_err();
    assert!(matches!(error, CacheError::Incomplete { .. }), "{error}");
    assert_eq!(fixture.pull(&cache, &manifest).await.unwrap().moved, 7);
    cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap();
}

/// A hook is read by itself, without a release around it.
#[tokio::test]
async fn a_content_that_is_read_by_itself_is_what_its_digest_says() {
    let fixture = CacheFixture::new();
    let (cache, _) = pulled(&fixture).await;
    let content = Digest::of("library");
    let blob = fixture.at("cache/blobs").join(content.to_hex());
    for damaged in ["LIBRARY", "librar", "library!", ""] {
        assert_eq!(cache.content(content, 7).unwrap(), b"library");
        fs::write(&blob, damaged).unwrap();
        for _ in 0..2 {
            let error = cache.content(content, 7).unwrap_err();
            assert!(matches!(error, CacheError::Damaged { digest } if digest == content), "{error}");
            assert!(!blob.exists(), "whoever needs it pulls it again");
        }
        fs::write(&blob, "library").unwrap();
    }
}

/// Another package that is well-formed and whole is another package all the same.
#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_nobodys() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let other = fixture.upload(&tree(&[("notes.txt", b"library")]));
    let (place, root) =
        (fixture.at("cache/manifests").join(manifest.digest().to_hex()), fixture.at("release"));
    let swap = || fs::write(&place, other.to_text()).unwrap();
    swap();
    assert!(!cache.contains(manifest.digest()).unwrap() && !place.exists());
    swap();
    let error = cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap_err();
    assert!(matches!(error, CacheError::Incomplete { .. }) && !root.exists(), "{error}");
    fixture.pull(&cache, &manifest).await.unwrap();
    cache.unpack(manifest.digest(), &root, &Unpack::default()).unwrap();
}

#[tokio::test]
async fn nothing_is_unpacked_over_what_is_there_or_without_room() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let unpack = |root: &Path, reserve| {
        cache.unpack(manifest.digest(), root, &Unpack { reserve, ..Unpack::default() }).unwrap_err()
    };
    let there = fixture.at("there");
    fs::create_dir(&there).unwrap();
    assert!(matches!(unpack(&there, 0), CacheError::Io { .. }));
    std::os::unix::fs::symlink("there", fixture.at("link")).unwrap();
    assert!(matches!(unpack(&fixture.at("link"), 0), CacheError::Io { .. }));
    assert!(matches!(unpack(&fixture.at("new"), u64::MAX / 2), CacheError::NoRoom { .. }));
    assert!(!fixture.at("new").exists() && names(&there).is_empty());
    let unknown = cache.unpack(Digest::of("x"), &fixture.at("new"), &Unpack::default()).unwrap_err();
    assert!(matches!(unknown, CacheError::Incomplete { .. }));
}

#[tokio::test]
async fn a_release_becomes_current() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let releases = fixture.at("releases");
    fs::create_dir(&releases).unwrap();
    cache.unpack(manifest.digest(), &releases.join(".new"), &Unpack::default()).unwrap();
    publish(&releases.join(".new"), &releases.join("1.0-1")).unwrap();
    switch(&fixture.at("current"), "releases/1.0-1").unwrap();
    assert_eq!(fs::read(fixture.at("current/notes.txt")).unwrap(), b"library");
}

/// Writes over files below `lib`.
struct Stamp;

impl Rewrite for Stamp {
    fn concerns(&self, path: &str, bytes: u64) -> Result<bool, String> {
        match path.starts_with("lib/") && bytes < 100 {
            true if path.ends_with("unsuited") => Err(format!("{path} cannot be changed")),
            concerns => Ok(concerns),
        }
    }

    fn rewrite(&self, path: &str, content: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok([path.as_bytes(), b": ", &content].concat())
    }
}

#[tokio::test]
async fn what_a_file_is_to_hold_instead_is_written_before_its_owner_has_it() {
    let fixture = CacheFixture::new();
    let (cache, manifest) = pulled(&fixture).await;
    let (root, own) = (fixture.at("release"), fs::metadata(fixture.folder.path()).unwrap());
    let owner = Some(if own.uid() == 0 { (54_321, 54_322) } else { (own.uid(), own.gid()) });
    let how = Unpack { owner, rewrite: Some(&Stamp), ..Unpack::default() };
    cache.unpack(manifest.digest(), &root, &how).unwrap();
    for (path, content) in [
        ("notes.txt", "library"),
        ("bin/run", "#!/bin/sh\n"),
        ("lib/one.so.1", "lib/one.so.1: library"),
        ("lib/nothing", "lib/nothing: "),
    ] {
        assert_eq!(fs::read_to_string(root.join(path)).unwrap(), content, "{path}");
        let found = fs::metadata(root.join(path)).unwrap();
        assert_eq!(Some((found.uid(), found.gid())), owner, "{path}");
    }
    assert_eq!(Digest::of(fs::read(root.join("lib/deep/er/data")).unwrap()), Digest::of(noise(1, 1_500_000)));
    // What is changed was looked at like everything else.
    let blob = fixture.at("cache/blobs").join(Digest::of("library").to_hex());
    fs::write(&blob, b"LIBRARY").unwrap();
    let error = cache.unpack(manifest.digest(), &fixture.at("other"), &how).unwrap_err();
    assert!(matches!(error, CacheError::Damaged { .. }) && !fixture.at("other").exists(), "{error}");

    let manifest = fixture.upload(&tree(&[("lib/unsuited", b"x")]));
    fixture.pull(&cache, &manifest).await.unwrap();
    let error = cache.unpack(manifest.digest(), &fixture.at("other"), &how).unwrap_err();
    assert_eq!(error.to_string(), "lib/unsuited cannot be changed");
    assert!(!fixture.at("other").exists());
}
