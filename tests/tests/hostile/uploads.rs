//! Archives as no honest tool writes them, uploaded with the real program.

use std::fs;

use windlass_tests::archives::{Tar, Zip, gzip};
use windlass_tests::installation::Installation;

use super::below;

/// What is wrong, the file's name, and its bytes.
type Case = (&'static str, &'static str, Vec<u8>);

fn names_and_kinds() -> Vec<Case> {
    let zip = |name: &[u8]| Zip::default().file("good", "good").file(name, "evil").end();
    let tar = |name: &[u8]| Tar::default().file("good", "good").file(name, "evil").end();
    let mut cases = Vec::new();
    for (what, name) in [
        ("traversal", &b"../evil"[..]),
        ("traversal in the middle", b"a/../../evil"),
        ("absolute", b"/etc/evil"),
        ("with a drive", b"C:/evil"),
        ("with a backslash", b"..\\evil"),
        ("not UTF-8", b"evil\xff"),
        ("with a control character", b"evil\x1b[2J"),
        ("with an empty part", b"a//evil"),
        ("the same name twice", b"good"),
        ("a name that differs in case", b"GOOD"),
        ("below a file", b"good/evil"),
    ] {
        cases.push((what, "zip", zip(name)));
        cases.push((what, "tar", tar(name)));
    }
    cases.push(("with a NUL byte", "zip", zip(b"evil\0.txt")));
    for (what, target) in [
        ("a link out", "../../etc/passwd"),
        ("an absolute link", "/etc/passwd"),
        ("a link to nothing", "nothing"),
        ("a link to itself", "link"),
    ] {
        cases.push((what, "zip", Zip::default().file("good", "good").link("link", target).end()));
        cases.push((what, "tar", Tar::default().file("good", "good").link("link", target).end()));
    }
    for (what, target) in [("a file through a link", "folder"), ("a file through a link out", "/tmp")] {
        let zip = Zip::default().file("folder/good", "good").link("link", target).file("link/evil", "evil");
        let tar = Tar::default().file("folder/good", "good").link("link", target).file("link/evil", "evil");
        cases.push((what, "zip", zip.end()));
        cases.push((what, "tar", tar.end()));
    }
    let special = |mode| Zip::default().file("good", "good").special("evil", mode).end();
    let entry = |kind, target| Tar::default().file("good", "good").entry(kind, "evil", target).end();
    cases.push(("a device", "zip", special(0o020_666)));
    cases.push(("a device", "tar", entry(b'3', "")));
    cases.push(("a pipe", "zip", special(0o010_666)));
    cases.push(("a pipe", "tar", entry(b'6', "")));
    cases.push(("a hard link out", "tar", entry(b'1', "../../etc/passwd")));
    cases
}

fn bombs_and_cuts() -> Vec<Case> {
    let zeros = vec![0; 40 << 20];
    let many = (0..200_001).fold(Tar::default(), |tar, number| tar.file(number.to_string(), ""));
    let honest_tar = Tar::default().file("good", [b'g'; 5000]).end();
    let honest_zip = Zip::default().file("good", [b'g'; 5000]).end();
    let packed = gzip(&honest_tar, 6);
    vec![
        ("a bomb by ratio", "zip", Zip::default().deflated("evil", &zeros).end()),
        ("a bomb by ratio", "tar.gz", gzip(&Tar::default().file("evil", &zeros).end(), 9)),
        ("a bomb by size", "tar", Tar::default().claiming("evil", 65 << 30).end()),
        ("a bomb by count", "tar.gz", gzip(&many.end(), 1)),
        ("a size that is a lie", "zip", Zip::default().lying("evil", &[b'e'; 5000], 10).end()),
        ("cut off", "tar", honest_tar[..3000].to_vec()),
        ("cut off", "tar.gz", packed[..packed.len() / 2].to_vec()),
        ("cut off", "zip", honest_zip[..honest_zip.len() / 2].to_vec()),
        ("no archive at all", "zip", b"this is no archive".to_vec()),
    ]
}

#[test]
fn a_hostile_upload_is_refused_with_one_sentence_and_stores_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let good = folder.path().join("good.1.0.0.tar");
    fs::write(&good, Tar::default().file("good", "good").end()).expect("a file");
    installation.windlass(&["package", "upload", &good.to_string_lossy()]);
    let stored =
        || (below(&installation.data().join("packages")), below(&installation.data().join("uploads")));
    let packages = || installation.json(&["package", "list"]);
    let before = (stored(), packages());
    let mut said = String::new();
    for (what, ending, bytes) in names_and_kinds().into_iter().chain(bombs_and_cuts()) {
        let path = folder.path().join(format!("evil.1.0.0.{ending}"));
        fs::write(&path, bytes).expect("a file");
        let output = installation.try_windlass(&["package", "upload", &path.to_string_lossy()]);
        let sentence = String::from_utf8(output.stderr).expect("text");
        let code = output.status.code().expect("an exit code");
        assert_eq!(sentence.lines().count(), 1, "{what}, {ending}: {sentence}");
        assert!(output.stdout.is_empty(), "{what}, {ending}");
        said += &format!("{what}, {ending}: {code} {sentence}");
        assert_eq!((stored(), packages()), before, "{what}, {ending}: nothing of it is stored");
    }
    let expected = include_str!("uploads.txt");
    assert!(said == expected, "what is said has changed; it is now:\n{said}");
}
