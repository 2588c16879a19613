//! `windlass-coordinator verify` on the journal of a real installation: whole as it is, and every way to change it is
//! found and located.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use windlass_tests::installation::Installation;
use windlass_tests::journal::segments;

const DOCUMENTS: &str = "
kind: environment
name: Production
---
kind: project
name: Website
tenancy: tenanted-or-untenanted
steps: [{name: Say, roles: [web], script: {body: 'echo hello'}}]
---
kind: tenant
name: Alpha
projects: {Website: [Production]}
";

/// A copy of the installation's data, whose journal can be changed.
struct Copy {
    _folder: tempfile::TempDir,
    data: PathBuf,
    segment: PathBuf,
}

impl Copy {
    fn of(data: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("data");
        fs::create_dir_all(copy.join("journal")).expect("a folder");
        let [segment] = segments(data).try_into().expect("a short journal is one segment");
        let copied = copy.join("journal").join(segment.file_name().expect("a file"));
        fs::copy(&segment, &copied).expect("a copy");
        Self { _folder: folder, data: copy, segment: copied }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(&self.segment).expect("a segment");
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn write(&self, lines: &[Vec<u8>]) {
        fs::write(&self.segment, lines.concat()).expect("a file");
    }

    /// The exit code, and what `verify` says: of the file only its name.
    fn verify(&self, witness: Option<&str>) -> (i32, String) {
        let program = windlass_tests::programs().expect("the programs build").join("windlass-coordinator");
        let mut command = Command::new(program);
        command.arg("verify").arg("--data").arg(&self.data);
        if let Some(witness) = witness {
            command.args(["--witness", witness]);
        }
        let output = command.output().expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        let journal = format!("{}/", self.data.join("journal").display());
        let said = String::from_utf8(said).expect("text").replace(&journal, "");
        (output.status.code().expect("an exit code"), said)
    }
}

fn installation() -> (tempfile::TempDir, Installation) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut installation = Installation::start(folder.path()).expect("a coordinator");
    installation.apply(DOCUMENTS);
    installation.windlass(&["release", "create", "--project", "Website", "--version", "1.0.0"]);
    for name in ["one", "two", "three"] {
        let arguments =
            ["enrolment", "create", "--environment", "Production", "--role", "web", "--name", name];
        installation.windlass(&arguments);
    }
    installation.kill();
    (folder, installation)
}

/// The number of a record and its hash, as a witness keeps them.
fn witness(lines: &[Vec<u8>], record: usize) -> String {
    let line: serde_json::Value = serde_json::from_slice(&lines[record - 1]).expect("JSON");
    format!("{record}:{}", line["hash"].as_str().expect("a hash"))
}

const SEGMENT: &str = "00000000000000000001.jsonl";

#[test]
fn an_untouched_journal_is_whole_also_in_the_eyes_of_its_witnesses() {
    let (_folder, installation) = installation();
    let copy = Copy::of(&installation.data());
    let lines = copy.lines();
    assert!(lines.len() >= 5, "{} records", lines.len());
    for witness in [None, Some(witness(&lines, 2)), Some(witness(&lines, lines.len()))] {
        let (code, said) = copy.verify(witness.as_deref());
        assert_eq!(code, 0, "{said}");
        assert!(said.starts_with(&format!("the journal is whole: {} records, head ", lines.len())), "{said}");
    }
}

#[test]
fn any_changed_byte_is_found_in_its_line() {
    let (_folder, installation) = installation();
    let original = Copy::of(&installation.data()).lines();
    let changed = "the record or one before it was changed: its hash does not match";
    for record in [1, original.len() / 2, original.len()] {
        let line = &original[record - 1];
        let salt = line.windows(8).position(|part| part == b"\"salt\":\"").expect("a salt") + 8;
        let time = line.windows(7).position(|part| part == b"\"time\":").expect("a time") + 7;
        // A digit stays one, so that the line stays well-formed JSON: only the chain can tell.
        let cases = [("hash", 9), ("salt", salt), ("time", time)];
        for (what, at) in cases {
            let copy = Copy::of(&installation.data());
            let mut lines = original.clone();
            let byte = &mut lines[record - 1][at];
            *byte = if *byte == b'1' { b'2' } else { b'1' };
            copy.write(&lines);
            let (code, said) = copy.verify(None);
            assert_eq!(code, 1, "{what} of record {record}: {said}");
            assert_eq!(said, format!("error: {SEGMENT}:{record}: record {record}: {changed}\n"), "{what}");
        }
    }
    // Every byte of one record, with any change: found there, whatever it breaks.
    let record = original.len() / 2;
    let line = &original[record - 1];
    for at in (0..line.len()).step_by(line.len().div_ceil(40)).chain([line.len() - 1]) {
        let copy = Copy::of(&installation.data());
        let mut lines = original.clone();
        lines[record - 1][at] ^= 1;
        copy.write(&lines);
        let (code, said) = copy.verify(None);
        assert_eq!(code, 1, "byte {at}: {said}");
        assert!(
            said.starts_with(&format!("error: {SEGMENT}:{record}: record {record}: ")),
            "byte {at}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn records_taken_out_put_in_moved_or_written_anew_are_found() {
    let (_folder, installation) = installation();
    let original = Copy::of(&installation.data()).lines();
    let last = original.len();
    let head = witness(&original, last);
    let changed = |record: usize| {
        format!(
            "error: {SEGMENT}:{record}: record {record}: the record or one before it was changed: its hash does not match\n"
        )
    };
    type Change = fn(&mut Vec<Vec<u8>>);
    let cases: [(&str, Change, String); 6] = [
        ("a record in the middle taken out", |lines| drop(lines.remove(2)), changed(3)),
        ("the first record taken out", |lines| drop(lines.remove(0)), changed(1)),
        ("two records changed places", |lines| lines.swap(1, 2), changed(2)),
        ("a record twice", |lines| lines.insert(3, lines[2].clone()), changed(4)),
        (
            "the tail cut off",
            |lines| drop(lines.pop()),
            format!(
                "error: the journal ends at record {}, but the witness has seen record {last}: its tail is missing\n",
                last - 1
            ),
        ),
        (
            "the tail cut inside its last record",
            |lines| lines.last_mut().expect("a record").truncate(100),
            format!(
                "error: the journal ends at record {}, but the witness has seen record {last}: its tail is missing\n",
                last - 1
            ),
        ),
    ];
    for (what, change, expected) in cases {
        let copy = Copy::of(&installation.data());
        let mut lines = original.clone();
        change(&mut lines);
        copy.write(&lines);
        assert_eq!(copy.verify(Some(&head)), (1, expected), "{what}");
    }
}

#[test]
fn another_history_that_is_whole_in_itself_is_found_by_a_witness() {
    let (folder, mut installation) = installation();
    let original = Copy::of(&installation.data()).lines();
    // The fork: the data as it was, and another command instead of the last one.
    let segment = segments(&installation.data()).remove(0);
    fs::write(&segment, original[..original.len() - 1].concat()).expect("a file");
    let _ = fs::remove_dir_all(installation.data().join("snapshots"));
    // Who can do that can also forget how long it was.
    fs::remove_file(installation.data().join("journal/durable")).expect("a mark");
    installation.serve().expect("a shorter journal is a journal");
    installation.windlass(&["tenant", "disable", "Alpha"]);
    installation.kill();
    let copy = Copy::of(&installation.data());
    assert_eq!(copy.verify(None).0, 0, "by itself it is whole");
    let last = original.len();
    let (code, said) = copy.verify(Some(&witness(&original, last)));
    assert_eq!(code, 1, "{said}");
    let beginning = format!("error: {SEGMENT}:{last}: record {last} has the hash ");
    assert!(said.starts_with(&beginning) && said.ends_with(": this is another history\n"), "{said}");
    drop(folder);
}
