//! Uploads that are small and unpack to more than anyone wants, by size, ratio, count or names.

use windlass_archives::{ArchiveError, Limits};

use crate::tar_writer::{Tar, gzip, xz, zstd};
use crate::workshop::{read_under, refusal};
use crate::zip_writer::{Item, zip};

fn limits() -> Limits {
    Limits {
        archive_bytes: 1 << 20,
        unpacked_bytes: 8 << 20,
        entries: 20,
        manifest_bytes: 4000,
        expansion_ratio: 100,
        expansion_free_bytes: 64 << 10,
    }
}

const RATIO: &str =
    "the package unpacks to more than 100 times the size of its archive, which only a bomb does";
const SIZE: &str = "the package unpacks to more than 8388608 bytes";
const COUNT: &str = "the package has more than 20 files and folders";
const NAMES: &str =
    "the names in the package are too long together: its manifest would have more than 4000 bytes";

fn compressed(tar: &[u8]) -> [(Vec<u8>, &'static str); 3] {
    [(gzip(tar), "a.tar.gz"), (zstd(tar), "a.tar.zst"), (xz(tar), "a.tar.xz")]
}

fn check(bytes: &[u8], name: &str, limits: &Limits, sentence: &str) {
    assert_eq!(refusal(bytes, name, limits), (sentence.to_owned(), 0), "{name}");
}

#[test]
fn a_bomb_is_found_by_its_ratio_before_anything_is_stored() {
    let zeros = vec![0; 1 << 20];
    check(&zip([Item::file("a", &zeros).deflated()]), "a.zip", &limits(), RATIO);
    for (bytes, name) in compressed(&Tar::new().file("a", &zeros).end()) {
        check(&bytes, name, &limits(), RATIO);
    }
}

#[test]
fn zeros_after_the_end_of_a_tar_count_like_content() {
    let mut tar = Tar::new().file("a", "x").end();
    tar.resize(1 << 20, 0);
    for (bytes, name) in compressed(&tar) {
        check(&bytes, name, &limits(), RATIO);
    }
}

#[test]
fn a_few_zeros_may_compress_as_well_as_they_like() {
    let zeros = vec![0; 60 << 10];
    for (bytes, name) in compressed(&Tar::new().file("a", &zeros).end()) {
        assert!(read_under(&bytes, name, &limits()).0.is_ok(), "{name}");
    }
}

#[test]
fn a_package_is_held_to_its_size_whatever_its_ratio() {
    let patient = Limits { expansion_ratio: u64::MAX, ..limits() };
    let half = vec![0; 5 << 20];
    let zip = zip([Item::file("a", &half).deflated(), Item::file("b", &half).deflated()]);
    check(&zip, "a.zip", &patient, SIZE);
    for (bytes, name) in compressed(&Tar::new().file("a", &half).file("b", &half).end()) {
        check(&bytes, name, &patient, SIZE);
    }
    let copies = Tar::new().file("a", &half).header(b'1', b"b", b"a", 0, 0o644).end();
    check(&gzip(&copies), "a.tar.gz", &patient, SIZE);
    let claimed = Tar::new().header(b'0', b"a", b"", 9 << 20, 0o644).end();
    check(&claimed, "a.tar", &limits(), SIZE);
}

#[test]
fn an_upload_is_held_to_its_own_size() {
    let sentence = "the uploaded file is larger than the 1048576 bytes that are allowed";
    check(&vec![1; (1 << 20) + 1], "a.bin", &limits(), sentence);
    assert!(read_under(&vec![1; 1 << 20], "a.bin", &limits()).0.is_ok());
}

#[test]
fn entries_are_counted_and_so_are_the_folders_that_they_imply() {
    let names: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    let deep: Vec<String> = (0..7).map(|number| format!("{number}/b/a")).collect();
    let wide: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for (names, fits) in [(names, false), (deep, false), (wide, true)] {
        let archive = zip(names.iter().map(|name| Item::file(name, "x")));
        let tar = names.iter().fold(Tar::new(), |tar, name| tar.file(name, "x")).end();
        for (bytes, name) in [(archive, "a.zip"), (tar, "a.tar")] {
            if fits {
                assert!(read_under(&bytes, name, &limits()).0.is_ok(), "{name}");
            } else {
                check(&bytes, name, &limits(), COUNT);
            }
        }
    }
}

#[test]
fn names_are_held_to_the_size_of_a_manifest() {
    let names: Vec<String> = (0..18).map(|number| format!("{number:0>255}")).collect();
    let archive = zip(names.iter().map(|name| Item::file(name, "x")));
    check(&archive, "a.zip", &limits(), NAMES);
    let tar = names.iter().fold(Tar::new(), |tar, name| tar.pax(b'x', &[("path", name)]).file("a", "x"));
    check(&tar.end(), "a.tar", &limits(), NAMES);
    // Short enough by themselves, too long with sizes and digests.
    let names: Vec<String> = (0..18).map(|number| format!("{number:0>180}")).collect();
    check(&zip(names.iter().map(|name| Item::file(name, "x"))), "a.zip", &limits(), NAMES);
}

#[test]
fn a_header_that_lies_about_its_size_is_caught_when_the_bytes_are_counted() {
    let honest = Item::file("a", vec![b'a'; 100_000]).deflated();
    let cases = [
        (10, "`a` cannot be read from the archive: File is larger than its declared uncompressed size"),
        (0, "`a` cannot be read from the archive: File is larger than its declared uncompressed size"),
        (100_001, "`a` has 100000 bytes where its header declares 100001; the archive may be cut off"),
    ];
    for (size, sentence) in cases {
        let (result, sink) = read_under(&zip([Item { size, ..honest.clone() }]), "a.zip", &Limits::default());
        match result {
            Err(ArchiveError::Package(bad)) => assert_eq!(bad.to_string(), sentence),
            other => panic!("{other:?}"),
        }
        assert!(sink.stored.is_empty(), "nothing false was kept as if it were whole");
    }
}
