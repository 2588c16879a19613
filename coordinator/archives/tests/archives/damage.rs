//! Archives that were cut off or altered on their way: an error, never a panic, never a single file.

use proptest::prelude::*;
use windlass_archives::{ArchiveError, Format, Limits};

use crate::tar_writer::{Tar, gzip, xz, zstd};
use crate::workshop::{read_bytes, read_under};
use crate::zip_writer::{Item, Zip};

/// One archive in each format, with content that compresses and content that does not.
fn archives() -> Vec<(Vec<u8>, &'static str)> {
    let noise: Vec<u8> =
        (0..3000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let text = "all work and no play ".repeat(200);
    let zip = Zip {
        items: vec![
            Item::file("bin/run", &noise).mode(0o100_755),
            Item::file("notes.txt", &text).deflated(),
            Item::file("empty/", ""),
            Item::link("current", "bin"),
        ],
        comment: b"a comment".to_vec(),
        ..Zip::default()
    };
    let tar = Tar::new()
        .folder("./")
        .file("./bin/run", &noise)
        .pax(b'x', &[("path", "notes.txt"), ("size", "4200")])
        .file("notes", &text)
        .header(b'1', b"again", b"notes.txt", 0, 0o644)
        .link("current", "bin")
        .end();
    let wide = Zip { wide: true, ..Zip { items: zip.items.clone(), ..Zip::default() } };
    vec![
        (zip.write(), "a.zip"),
        (wide.write(), "a.zip"),
        (gzip(&tar), "a.tar.gz"),
        (zstd(&tar), "a.tar.zst"),
        (xz(&tar), "a.tar.xz"),
        (tar, "a.tar"),
    ]
}

#[test]
fn whole_archives_are_accepted() {
    for (bytes, name) in archives() {
        assert!(read_bytes(&bytes, name).0.is_ok(), "{name}");
    }
}

#[test]
fn an_archive_that_was_cut_off_anywhere_is_refused() {
    for (bytes, name) in archives() {
        let eighths = (0..8).map(|eighth| bytes.len() * eighth / 8);
        for length in eighths.chain(bytes.len() - 64..bytes.len()) {
            match read_bytes(&bytes[..length], name).0 {
                Err(ArchiveError::Package(_)) => {}
                other => panic!("{name} cut to {length} of {} bytes: {other:?}", bytes.len()),
            }
        }
    }
}

#[test]
fn a_tar_that_was_cut_off_between_two_entries_is_refused() {
    let (bytes, name) = archives().pop().expect("the plain tar is the last");
    for length in (512..bytes.len() - 1024).step_by(512) {
        assert!(read_bytes(&bytes[..length], name).0.is_err(), "cut to {length} bytes");
    }
}

#[test]
fn an_archive_that_was_cut_off_is_no_single_file_under_any_name() {
    for (bytes, name) in archives() {
        for length in [300, bytes.len() / 2, bytes.len() - 1] {
            assert!(read_bytes(&bytes[..length], "upload").0.is_err(), "{name} cut to {length} bytes");
        }
    }
}

/// Small limits, so that an altered size cannot make the test slow.
fn tight() -> Limits {
    Limits { unpacked_bytes: 1 << 20, entries: 100, ..Limits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn altered_archives_do_no_harm(
        choice in 0..6usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (mut bytes, name) = archives().swap_remove(choice);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(contents) = read_under(&bytes, name, &tight()).0 {
            // Whatever is still accepted is a manifest that agents accept too.
            let text = contents.manifest.to_text();
            prop_assert_eq!(windlass_protocol::manifest::Manifest::from_text(&text), Ok(contents.manifest));
            prop_assert!(contents.format != Format::SingleFile);
        }
    }

    #[test]
    fn noise_that_begins_like_an_archive_does_no_harm(
        magic in prop::sample::select(vec![
            b"PK\x03\x04".as_slice(), b"PK\x05\x06", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let bytes = [magic, &noise].concat();
        let (result, _) = read_under(&bytes, "upload", &tight());
        let is_single = |contents: &windlass_archives::Contents| contents.format == Format::SingleFile;
        prop_assert!(result.is_err() || result.as_ref().is_ok_and(is_single), "{:?}", result);
    }
}
