//! Tar archives that nobody means well with: each is refused by its headers, with one sentence.

use windlass_archives::Limits;

use crate::tar_writer::{Tar, gzip, xz, zstd};
use crate::workshop::{Case, check_refused, listing, refusal};

fn case(tar: Tar, sentence: &'static str) -> Case {
    Case { bytes: tar.end(), sentence }
}

fn file(name: impl AsRef<[u8]>) -> Tar {
    Tar::new().file(name, "x")
}

#[test]
fn names_that_leave_the_package_are_refused_in_every_compression() {
    let cases: &[(&[u8], &str)] = &[
        (b"../evil", "`../evil` cannot be in a package: the name climbs out of the package with `..`"),
        (b"./../evil", "`../evil` cannot be in a package: the name climbs out of the package with `..`"),
        (
            b"/etc/passwd",
            "`/etc/passwd` cannot be in a package: the name is absolute; names in a package are relative",
        ),
        (
            b".//etc/passwd",
            "`/etc/passwd` cannot be in a package: the name is absolute; names in a package are relative",
        ),
        (
            b"C:/evil",
            "`C:/evil` cannot be in a package: the name is absolute; names in a package are relative",
        ),
        (
            b"..\\evil",
            "`..\\evil` cannot be in a package: the name contains a backslash; folders are separated by `/`",
        ),
        (b"\xff\xfe", "`\u{fffd}\u{fffd}` cannot be in a package: the name is not UTF-8"),
        (b"a/", "`a/` cannot be in a package: the name has an empty or `.` part"),
        (b"././a", "`./a` cannot be in a package: the name has an empty or `.` part"),
        (b"./", "`` cannot be in a package: an entry's name is empty"),
    ];
    for (name, sentence) in cases {
        let tar = file(name).end();
        let uploads = [
            (tar.clone(), "a.tar"),
            (gzip(&tar), "a.tar.gz"),
            (zstd(&tar), "a.tar.zst"),
            (xz(&tar), "a.tar.xz"),
        ];
        for (bytes, upload) in uploads {
            let found = refusal(&bytes, upload, &Limits::default());
            assert_eq!(found, ((*sentence).to_owned(), 0), "{upload}");
        }
    }
}

#[test]
fn long_names_are_held_to_the_same_rules() {
    check_refused(
        "a.tar",
        vec![
            case(
                Tar::new().entry(b'L', "././@LongLink", "../evil\0").file("harmless", "x"),
                "`../evil` cannot be in a package: the name climbs out of the package with `..`",
            ),
            case(
                Tar::new().entry(b'L', "././@LongLink", "a\0b\0").file("harmless", "x"),
                "`a\\u{0}b` cannot be in a package: the name contains a control character",
            ),
            case(
                Tar::new().pax(b'x', &[("path", "/etc/passwd")]).file("harmless", "x"),
                "`/etc/passwd` cannot be in a package: the name is absolute; names in a package are relative",
            ),
            case(
                Tar::new().pax(b'x', &[("linkpath", "../b")]).link("a", "b").file("b", "x"),
                "the link `a` points out of the package with `../b`",
            ),
            case(
                Tar::new().entry(b'K', "././@LongLink", "/b\0").link("a", "b").file("b", "x"),
                "the link `a` points out of the package with `/b`",
            ),
        ],
    );
}

#[test]
fn links_that_lead_anywhere_but_to_a_file_or_folder_of_the_package_are_refused() {
    let hard = |target: &str| Tar::new().header(b'1', b"a", target.as_bytes(), 0, 0o644);
    check_refused(
        "a.tar",
        vec![
            case(file("b").link("a", "../b"), "the link `a` points out of the package with `../b`"),
            case(
                Tar::new().link("a", "b"),
                "the link `a` points to `b`, which is no file or directory of the package",
            ),
            case(
                Tar::new().link("a", "b").file("b/c", "x").file("a/d", "x"),
                "`a/d` lies below `a`, which is not a directory",
            ),
            case(
                file("b").link("a", b"\xff"),
                "the target of the link `a` is not UTF-8 text without control characters",
            ),
            case(
                file("b").pax(b'x', &[("linkpath", &"x".repeat(1025))]).link("a", "b"),
                "the target of the link `a` is longer than 1024 bytes",
            ),
            case(
                file("b").header(b'2', b"a", b"b", 1, 0o777).block(b"x"),
                "the link `a` has content of its own; a tar archive keeps its target in the header",
            ),
            case(hard("b"), "`a` is a hard link to `b`, which is no file earlier in the archive"),
            case(
                hard("b").file("b", "x"),
                "`a` is a hard link to `b`, which is no file earlier in the archive",
            ),
            case(hard("a"), "`a` is a hard link to `a`, which is no file earlier in the archive"),
            case(
                hard("/etc/shadow"),
                "`/etc/shadow` cannot be in a package: the name is absolute; names in a package are relative",
            ),
        ],
    );
}

#[test]
fn names_that_are_one_and_the_same_somewhere_are_refused() {
    check_refused(
        "a.tar",
        vec![
            case(file("a").file("a", "y"), "`a` appears twice in the archive"),
            case(file("a").file("./a", "y"), "`a` appears twice in the archive"),
            case(file("a/b").folder("a/").folder("a/"), "`a` appears twice in the archive"),
            case(file("a").folder("a/"), "`a` appears twice in the archive"),
            case(file("a").file("A", "y"), "`A` and `a` differ in upper and lower case only"),
            case(file("lib/a").folder("LIB/"), "`LIB` and `lib/a` differ in upper and lower case only"),
        ],
    );
}

#[test]
fn whatever_is_no_file_folder_or_link_is_refused() {
    let of_kind = |kind| Tar::new().entry(kind, "a", "");
    let sparse = |key| Tar::new().pax(b'x', &[(key, "1")]).file("a", "x");
    check_refused(
        "a.tar",
        vec![
            case(
                of_kind(b'3'),
                "`a` is a character device; a package holds files, folders and symbolic links only",
            ),
            case(
                of_kind(b'4'),
                "`a` is a block device; a package holds files, folders and symbolic links only",
            ),
            case(
                of_kind(b'6'),
                "`a` is a named pipe; a package holds files, folders and symbolic links only",
            ),
            case(
                of_kind(b'7'),
                "`a` is of a type that tar programs disagree on; \
                 a package holds files, folders and symbolic links only",
            ),
            case(
                of_kind(b'V'),
                "`a` is of a type that tar programs disagree on; \
                 a package holds files, folders and symbolic links only",
            ),
            case(
                sparse("GNU.sparse.major"),
                "`a` is a sparse file; a package holds files, folders and symbolic links only",
            ),
            case(
                Tar::new().header(b'5', b"a/", b"", 1, 0o755).block(b"x"),
                "the folder `a/` has content of its own; only files have content",
            ),
        ],
    );
}

#[test]
fn extended_headers_that_tar_programs_read_differently_are_refused() {
    let with = |records: &[(&str, &str)]| Tar::new().pax(b'x', records).file("a", "x");
    check_refused(
        "a.tar",
        vec![
            case(
                with(&[("path", "b"), ("path", "c")]),
                "`b` has an extended header that says the same thing twice",
            ),
            case(
                with(&[("size", "1"), ("size", "0")]),
                "`a` has an extended header that says the same thing twice",
            ),
            case(
                with(&[("size", "one")]),
                "`a` has an extended header that contradicts another header of it",
            ),
            case(
                with(&[("SCHILY.xattr.user.note", "two\nlines")]),
                "`a` has an extended header that cannot be read; pack the files without extended attributes",
            ),
            case(
                Tar::new().pax(b'x', &[("path", "b")]).entry(b'L', "././@LongLink", "c\0").file("a", "x"),
                "`c` has an extended header that contradicts another header of it",
            ),
            case(
                Tar::new().pax(b'g', &[("path", "b")]).file("a", "x"),
                "`PaxHeaders` has an extended header that gives one name or size to all entries",
            ),
            case(
                Tar::new().pax(b'g', &[("size", "0")]).file("a", "x"),
                "`PaxHeaders` has an extended header that gives one name or size to all entries",
            ),
            case(
                Tar::new().pax(b'x', &[("path", "b")]).pax(b'g', &[("comment", "c")]).file("a", "x"),
                "the tar archive is damaged or cut off: \
                 a global header stands between an extended header and its entry",
            ),
            case(
                Tar::new().pax(b'x', &[("path", "b")]),
                "the tar archive is damaged or cut off: \
                 members found describing a future member but no future member found",
            ),
        ],
    );
}

#[test]
fn headers_without_end_are_not_read_into_memory() {
    let endless = |kind| Tar::new().entry(kind, "h", vec![b'a'; 2 << 20]).file("a", "x");
    let sentence = "the tar archive is damaged or cut off: an entry has more than 1 MiB of headers";
    check_refused("a.tar", [b'L', b'K', b'x', b'g'].map(|kind| case(endless(kind), sentence)).into());
}

#[test]
fn an_archive_has_to_end_as_archives_do() {
    let whole = file("a").end();
    let foreign = {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[0] = b'b';
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        file("a").block(header.as_bytes())
    };
    check_refused(
        "a.tar",
        vec![
            Case {
                bytes: file("a").cut(),
                sentence: "the tar archive is damaged or cut off: it has no end marker",
            },
            Case {
                bytes: whole[..whole.len() - 500].to_vec(),
                sentence: "the tar archive is damaged or cut off: its end marker is incomplete",
            },
            Case {
                bytes: [whole.clone(), file("b").end()].concat(),
                sentence: "the tar archive has data after its end; upload the archive alone",
            },
            case(foreign, "`b` cannot be read from the archive: its header is not in the ustar format"),
            case(
                file("a").header(b'0', b"b", b"", 2000, 0o644),
                "`b` has 1024 bytes where its header declares 2000; the archive may be cut off",
            ),
        ],
    );
}

#[test]
fn what_tar_programs_write_beside_files_is_understood() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let tar = Tar::new()
        .pax(b'g', &[("comment", "0123456789abcdef")])
        .folder("./")
        .folder("./empty/")
        .folder("./full/")
        .header(b'0', b"./full/run", b"", 1, 0o4755)
        .block(b"x")
        .header(b'1', b"./full/again", b"./full/run", 0, 0o644)
        .link("./current", "full")
        .entry(b'L', "././@LongLink", format!("./{long}\0"))
        .file("cut", "x")
        .pax(b'x', &[("path", "übung"), ("mtime", "1.5")])
        .file("bung", "x");
    let expected = [
        "l current -> full".to_owned(),
        format!("f {long}"),
        "d empty".to_owned(),
        "x full/again".to_owned(),
        "x full/run".to_owned(),
        "f übung".to_owned(),
    ];
    assert_eq!(listing(&tar.end(), "a.tar"), expected);
}
