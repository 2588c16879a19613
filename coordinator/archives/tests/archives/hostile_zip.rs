//! Zip archives that nobody means well with: each is refused by its headers, with one sentence.

use crate::workshop::{Case, check_refused, listing};
use crate::zip_writer::{Item, Zip, local, zip};

fn case(items: impl IntoIterator<Item = Item>, sentence: &'static str) -> Case {
    Case { bytes: zip(items), sentence }
}

fn file(name: impl AsRef<[u8]>) -> Item {
    Item::file(name, "x")
}

#[test]
fn names_that_leave_the_package_are_refused() {
    check_refused(
        "a.zip",
        vec![
            case(
                [file("../evil")],
                "`../evil` cannot be in a package: the name climbs out of the package with `..`",
            ),
            case(
                [file("a/../../evil")],
                "`a/../../evil` cannot be in a package: the name climbs out of the package with `..`",
            ),
            case(
                [file("/etc/passwd")],
                "`/etc/passwd` cannot be in a package: the name is absolute; names in a package are relative",
            ),
            case(
                [file("C:/evil")],
                "`C:/evil` cannot be in a package: the name is absolute; names in a package are relative",
            ),
            case(
                [file("..\\evil")],
                "`..\\evil` cannot be in a package: the name contains a backslash; folders are separated by `/`",
            ),
            case([file("a\0b")], "`a\\u{0}b` cannot be in a package: the name contains a control character"),
            case([file(b"\xff\xfe")], "`\u{fffd}\u{fffd}` cannot be in a package: the name is not UTF-8"),
            case([file("a//b")], "`a//b` cannot be in a package: the name has an empty or `.` part"),
            case([file("./a")], "`./a` cannot be in a package: the name has an empty or `.` part"),
            case([file("")], "`` cannot be in a package: an entry's name is empty"),
        ],
    );
}

#[test]
fn links_that_lead_anywhere_but_to_a_file_or_folder_of_the_package_are_refused() {
    check_refused(
        "a.zip",
        vec![
            case([Item::link("a", "../b"), file("b")], "the link `a` points out of the package with `../b`"),
            case(
                [Item::link("a", "/etc/passwd")],
                "the link `a` points out of the package with `/etc/passwd`",
            ),
            case(
                [Item::link("a", "b")],
                "the link `a` points to `b`, which is no file or directory of the package",
            ),
            case(
                [Item::link("a", "b"), file("b/c"), file("a/d")],
                "`a/d` lies below `a`, which is not a directory",
            ),
            case(
                [file("c"), Item::link("b", "c"), Item::link("a", "b")],
                "the link `a` points to `b`, which is no file or directory of the package",
            ),
            case([Item::link("a", "x".repeat(1025))], "the target of the link `a` is longer than 1024 bytes"),
            case(
                [Item::link("a", b"\xff")],
                "the target of the link `a` is not UTF-8 text without control characters",
            ),
            case(
                [Item::link("a", "b\n/../b"), file("b")],
                "the target of the link `a` is not UTF-8 text without control characters",
            ),
            case(
                [Item { size: 3, ..Item::link("a", "b") }, file("b")],
                "`a` has 1 bytes where its header declares 3; the archive may be cut off",
            ),
            case(
                [Item { crc: 7, ..Item::link("a", "b") }, file("b")],
                "`a` cannot be read from the archive: Invalid checksum",
            ),
        ],
    );
}

#[test]
fn names_that_are_one_and_the_same_somewhere_are_refused() {
    check_refused(
        "a.zip",
        vec![
            case([file("a"), file("b"), file("a")], "`a` appears twice in the archive"),
            case([file("a"), Item::file("a/", "")], "`a` appears twice in the archive"),
            case([file("a"), Item::file("a/", ""), file("a/b")], "`a` appears twice in the archive"),
            case([file("a"), file("A")], "`A` and `a` differ in upper and lower case only"),
            case([file("lib/a"), file("Lib/b")], "`Lib/b` and `lib/a` differ in upper and lower case only"),
            case(
                [file("lib/a"), Item::file("LIB/", "")],
                "`LIB` and `lib/a` differ in upper and lower case only",
            ),
            case([file("a"), file("a/b")], "`a/b` lies below `a`, which is not a directory"),
        ],
    );
}

#[test]
fn whatever_is_no_file_folder_or_link_is_refused() {
    let of_mode = |mode| [Item::file("a", "").mode(mode)];
    check_refused(
        "a.zip",
        vec![
            case(
                of_mode(0o020_666),
                "`a` is a character device; a package holds files, folders and symbolic links only",
            ),
            case(
                of_mode(0o060_666),
                "`a` is a block device; a package holds files, folders and symbolic links only",
            ),
            case(
                of_mode(0o010_644),
                "`a` is a named pipe; a package holds files, folders and symbolic links only",
            ),
            case(
                of_mode(0o140_644),
                "`a` is a socket; a package holds files, folders and symbolic links only",
            ),
            case(
                of_mode(0o110_644),
                "`a` is of an unknown type; a package holds files, folders and symbolic links only",
            ),
            case(
                of_mode(0o040_755),
                "`a` is a file by its name and a folder by its mode; \
                 a package holds files, folders and symbolic links only",
            ),
            case(
                [Item::file("a/", "").mode(0o120_777)],
                "`a/` is a folder by its name and something else by its mode; \
                 a package holds files, folders and symbolic links only",
            ),
            case([file("a/")], "the folder `a/` has content of its own; only files have content"),
        ],
    );
}

#[test]
fn content_that_cannot_be_read_is_refused() {
    check_refused(
        "a.zip",
        vec![
            case([Item { flags: 1, ..file("a") }], "`a` is encrypted; upload the package unencrypted"),
            case([Item { flags: 0x2000, ..file("a") }], "`a` is encrypted; upload the package unencrypted"),
            case(
                [Item { method: 9, ..file("a") }],
                "`a` is compressed with Deflate64; store, deflate, bzip2 and zstd can be read in a zip archive",
            ),
            case(
                [Item { method: 99, ..file("a") }],
                "`a` is compressed with Aes; store, deflate, bzip2 and zstd can be read in a zip archive",
            ),
        ],
    );
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    check_refused(
        "a.zip",
        vec![
            case(
                [Item { local_name: Some(b"b".to_vec()), ..file("a") }],
                "`a` cannot be read from the archive: invalid Zip archive: header inconsistency detected: \
                 Local file header filename mismatch (does not match central directory)",
            ),
            case(
                [Item { local_size: Some(2), ..file("a") }],
                "`a` cannot be read from the archive: invalid Zip archive: header inconsistency detected: \
                 uncompressed size mismatch (does not match central directory)",
            ),
            case(
                [file("a"), Item { inside: Some((0, 0)), ..file("b") }],
                "`b` cannot be read from the archive: invalid Zip archive: header inconsistency detected: \
                 Local file header filename mismatch (does not match central directory)",
            ),
        ],
    );
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let kernel = Item::file("b", "x".repeat(1000)).deflated();
    let mut quoted = Vec::new();
    local(&mut quoted, &kernel);
    let quoting = Item::file("a", quoted);
    let inside = Item { inside: Some((0, 30 + 1)), ..kernel };
    check_refused(
        "a.zip",
        vec![
            case(
                [quoting, inside],
                "`a` and `b` share bytes of the zip archive; each entry must have its own",
            ),
            case(
                [Item { listed: false, ..file("hidden") }, file("a")],
                "the zip archive has data before its first entry; upload the archive alone",
            ),
        ],
    );
}

#[test]
fn a_directory_that_can_be_read_in_two_ways_is_refused() {
    let plain = || Zip { items: vec![file("a"), file("b")], ..Zip::default() };
    let broken = |zip: Zip, sentence| Case { bytes: zip.write(), sentence };
    let prepended = [&zip([file("first")])[..50], &plain().write()].concat();
    let trailing = [&plain().write()[..], b"more"].concat();
    let two = [zip([file("a")]), zip([file("b")])].concat();
    let mut part = plain().write();
    let end = part.len() - 22;
    part[end + 4] = 1;
    check_refused(
        "a.zip",
        vec![
            Case {
                bytes: prepended,
                sentence: "the zip archive is damaged or cut off: \
                           its directory does not end where its end record begins",
            },
            Case {
                bytes: trailing,
                sentence: "the zip archive has data after its end; upload the archive alone",
            },
            Case {
                bytes: two,
                sentence: "the zip archive is damaged or cut off: \
                           its directory does not end where its end record begins",
            },
            Case {
                bytes: part,
                sentence: "the zip archive is damaged or cut off: \
                           it is one part of several; join the parts first",
            },
            broken(
                Zip { comment: zip([file("c")]), ..plain() },
                "the zip archive is damaged or cut off: its directory does not end where its end record begins",
            ),
            broken(
                Zip { count_error: 1, ..plain() },
                "the zip archive is damaged or cut off: \
                 its directory has fewer entries than its end record states",
            ),
            broken(
                Zip { count_error: -1, ..plain() },
                "the zip archive is damaged or cut off: \
                 its directory has more entries than its end record states",
            ),
            broken(
                Zip { after_directory: b"PK\x05\x05".to_vec(), ..plain() },
                "the zip archive is damaged or cut off: its directory does not end where its end record begins",
            ),
            Case { bytes: zip([]), sentence: "the package has no entries" },
        ],
    );
}

#[test]
fn extra_fields_without_end_are_not_read() {
    let fields = |count: usize| [0xfe, 0xca, 0, 0].repeat(count);
    let everywhere = Item { extra: fields(2049), ..file("a") };
    let local = Item { local_extra: Some(fields(5200)), ..file("a") };
    check_refused(
        "a.zip",
        vec![
            case([everywhere], "`a` cannot be read from the archive: it has more than 8 KiB of extra fields"),
            case([local], "`a` cannot be read from the archive: its local header is longer than 20 KiB"),
        ],
    );
    let padded = Item { local_extra: Some(fields(4000)), ..file("a") };
    assert_eq!(listing(&zip([padded]), "a.zip"), ["f a"]);
}

#[test]
fn a_unicode_name_replaces_the_other_and_is_held_to_the_same_rules() {
    let named = |unicode: &str| {
        let mut crc = flate2::Crc::new();
        crc.update(b"\x81bung.txt");
        let mut extra = vec![0x75, 0x70, u8::try_from(unicode.len() + 5).expect("short"), 0, 1];
        extra.extend(crc.sum().to_le_bytes());
        extra.extend(unicode.as_bytes());
        Item { extra, ..file(b"\x81bung.txt") }
    };
    assert_eq!(listing(&zip([named("übung.txt")]), "a.zip"), ["f übung.txt"]);
    let (sentence, calls) =
        crate::workshop::refusal(&zip([named("../ung.txt")]), "a.zip", &windlass_archives::Limits::default());
    assert!(sentence.starts_with("`../ung.txt` "), "{sentence}");
    assert_eq!(calls, 0);
}
