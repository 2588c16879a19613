//! What a file is taken for, and what is particular to each format.

use windlass_archives::{ArchiveError, Format, Limits, Sink, read};
use windlass_protocol::Digest;

use crate::tar_writer::{Tar, gzip, xz, zstd};
use crate::workshop::{listing, manifest_text, read_bytes, refusal};
use crate::zip_writer::{Item, Zip, zip};

fn format_of(bytes: &[u8], name: &str) -> Format {
    read_bytes(bytes, name).0.expect("accepted").format
}

#[test]
fn a_file_is_what_its_content_says() {
    let tar = Tar::new().file("a", "x").end();
    let package = zip([Item::file("web.nuspec", "x"), Item::file("a", "x")]);
    let cases = [
        (zip([Item::file("a", "x")]), Format::Zip),
        (package, Format::Nupkg),
        (tar.clone(), Format::Tar),
        (gzip(&tar), Format::TarGzip),
        (zstd(&tar), Format::TarZstd),
        (xz(&tar), Format::TarXz),
        (b"#!/bin/sh\n".to_vec(), Format::SingleFile),
        (gzip(b"a log"), Format::SingleFile),
        (zstd(b"a log"), Format::SingleFile),
        (xz(b"a log"), Format::SingleFile),
        (Vec::new(), Format::SingleFile),
    ];
    for (bytes, expected) in cases {
        assert_eq!(format_of(&bytes, "a.bin"), expected);
    }
}

#[test]
fn a_single_file_is_stored_as_it_is_under_its_own_name() {
    let packed = gzip(b"a log");
    let (result, sink) = read_bytes(&packed, "C:\\logs\\today.log.gz");
    assert_eq!(
        String::from_utf8(result.expect("accepted").manifest.to_text()).expect("text"),
        format!("f {} {} today.log.gz\n", packed.len(), Digest::of(&packed))
    );
    assert_eq!(sink.stored.into_values().collect::<Vec<_>>(), [packed]);
    assert_eq!(listing(b"x", "uploads/tool"), ["f tool"]);
}

#[test]
fn a_single_file_needs_a_name_that_can_be_in_a_package() {
    for (name, sentence) in [
        ("", "`` cannot be in a package: an entry's name is empty"),
        ("uploads/", "`` cannot be in a package: an entry's name is empty"),
        ("..", "`..` cannot be in a package: the name climbs out of the package with `..`"),
        ("a\nb", "`a\\nb` cannot be in a package: the name contains a control character"),
    ] {
        assert_eq!(refusal(b"x", name, &Limits::default()), (sentence.to_owned(), 0));
    }
}

#[test]
fn a_name_that_promises_an_archive_has_to_be_true() {
    let page = b"<html>502 Bad Gateway</html>";
    for (name, promised) in [
        ("web.1.0.zip", "zip"),
        ("web.1.0.NUPKG", "nupkg"),
        ("web.1.0.tar", "tar"),
        ("web.1.0.tar.gz", "tar.gz"),
        ("web.1.0.tgz", "tar.gz"),
        ("web.1.0.tar.zst", "tar.zst"),
        ("web.1.0.txz", "tar.xz"),
    ] {
        let sentence = format!("`{name}` is named like a {promised} archive, but its content is none");
        assert_eq!(refusal(page, name, &Limits::default()), (sentence.clone(), 0));
        assert_eq!(refusal(&gzip(page), name, &Limits::default()), (sentence, 0));
    }
    assert_eq!(format_of(&Tar::new().file("a", "x").end(), "web.1.0.tar.gz"), Format::Tar);
}

#[test]
fn a_compressed_file_that_breaks_at_once_is_no_single_file() {
    for (bytes, sentence) in [
        (
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03junk".to_vec(),
            "the gzip archive is damaged or cut off: incomplete deflate stream",
        ),
        (b"\x1f\x8b".to_vec(), "the gzip archive is damaged or cut off: unexpected end of file"),
        (b"\x28\xb5\x2f\xfd".to_vec(), "the zstd archive is damaged or cut off: incomplete frame"),
        (b"\xfd7zXZ\0".to_vec(), "the xz archive is damaged or cut off: premature eof"),
    ] {
        assert_eq!(refusal(&bytes, "a.bin", &Limits::default()), (sentence.to_owned(), 0));
    }
}

#[test]
fn all_members_of_a_compressed_archive_are_read() {
    let tar = Tar::new().file("a", "one").file("b", "two").end();
    let (first, second) = tar.split_at(700);
    let expected = manifest_text(&tar, "a.tar");
    for pack in [gzip as fn(&[u8]) -> Vec<u8>, zstd, xz] {
        let members = [pack(first), pack(second)].concat();
        assert_eq!(manifest_text(&members, "a.tar.gz"), expected);
    }
    let skippable = [b"\x50\x2a\x4d\x18\x04\0\0\0four".as_slice(), &zstd(&tar)].concat();
    assert_eq!(manifest_text(&skippable, "a.tar.zst"), expected);
}

#[test]
fn nuget_packages_lose_their_packaging_and_their_escapes() {
    let package = zip([
        Item::file("Acme.Web.nuspec", "x"),
        Item::file("[Content_Types].xml", "x"),
        Item::file("_rels/.rels", "x"),
        Item::file("package/services/metadata/core-properties/1.psmdcp", "x"),
        Item::file(".signature.p7s", "x"),
        Item::file("content/hello%20world%2B.txt", "x"),
        Item::file("content/_rels/kept", "x"),
    ]);
    assert_eq!(
        listing(&package, "a.nupkg"),
        ["f Acme.Web.nuspec", "f content/_rels/kept", "f content/hello world+.txt"]
    );
    let hostile = zip([Item::file("a.nuspec", "x"), Item::file("%2e%2e/evil", "x")]);
    let sentence = "`../evil` cannot be in a package: the name climbs out of the package with `..`";
    assert_eq!(refusal(&hostile, "a.nupkg", &Limits::default()), (sentence.to_owned(), 0));
}

#[test]
fn a_plain_zip_keeps_what_a_nuget_package_would_lose() {
    let plain = zip([Item::file("_rels/.rels", "x"), Item::file("a%20b", "x")]);
    assert_eq!(listing(&plain, "a.zip"), ["f _rels/.rels", "f a%20b"]);
}

#[test]
fn modes_and_folders_of_a_zip_become_what_a_manifest_knows() {
    let archive = zip([
        Item::file("full/", "").mode(0o040_755),
        Item::file("full/run", "x").mode(0o104_711),
        Item::file("full/read", "y").mode(0),
        Item::file("empty/", "").mode(0o100_644),
        Item::link("current", "full").deflated(),
    ]);
    assert_eq!(listing(&archive, "a.zip"), ["l current -> full", "d empty", "f full/read", "x full/run"]);
}

#[test]
fn descriptors_gaps_comments_and_64_bit_records_are_no_reason_to_refuse() {
    let streamed = Item { flags: 8, local_size: Some(0), gap: vec![0; 16], ..Item::file("a", "x") };
    let archive = Zip {
        items: vec![streamed, Item::file("b", "y")],
        comment: b"made by a tool".to_vec(),
        wide: true,
        ..Zip::default()
    };
    assert_eq!(listing(&archive.write(), "a.zip"), ["f a", "f b"]);
}

struct FullDisk;

impl Sink for FullDisk {
    fn store(&mut self, _: &mut dyn std::io::Read) -> std::io::Result<(Digest, u64)> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

/// A file on a disk that fails after some bytes.
struct BadDisk(std::io::Cursor<Vec<u8>>, u64);

impl std::io::Read for BadDisk {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.position() >= self.1 {
            return Err(std::io::Error::other("the medium is worn out"));
        }
        let most = buffer.len().min(usize::try_from(self.1 - self.0.position()).expect("small"));
        std::io::Read::read(&mut self.0, &mut buffer[..most])
    }
}

impl std::io::Seek for BadDisk {
    fn seek(&mut self, position: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(position)
    }
}

#[test]
fn a_failing_store_and_a_failing_disk_are_not_the_packages_fault() {
    let tar = Tar::new().file("a", vec![7; 5000]).end();
    let uploads = [
        (zip([Item::file("a", vec![7; 5000])]), "a.zip"),
        (tar.clone(), "a.tar"),
        (gzip(&tar), "a.tar.gz"),
        (zstd(&tar), "a.tar.zst"),
        (xz(&tar), "a.tar.xz"),
        (vec![7; 5000], "a.bin"),
    ];
    for (bytes, name) in uploads {
        let full = read(&mut std::io::Cursor::new(&bytes), name, &Limits::default(), &mut FullDisk);
        match full {
            Err(ArchiveError::Sink(error)) => assert_eq!(error.kind(), std::io::ErrorKind::StorageFull),
            other => panic!("{name}: {other:?}"),
        }
        for good in [0, 10, bytes.len() as u64 - 30] {
            let mut disk = BadDisk(std::io::Cursor::new(bytes.clone()), good);
            let mut sink = crate::workshop::Memory::default();
            match read(&mut disk, name, &Limits::default(), &mut sink) {
                Err(ArchiveError::Read(error)) => assert_eq!(error.to_string(), "the medium is worn out"),
                other => panic!("{name} with {good} good bytes: {other:?}"),
            }
        }
    }
}
