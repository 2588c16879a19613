//! Opening a folder that was left in the middle of something, or damaged.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_segments::{LINE_BYTES, Options, Recovery, SegmentError, Writer, read, read_kept};

const SMALL: Options = Options { segment_bytes: 20, line_bytes: 50, name: "test" };

fn segment(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.jsonl"))
}

/// A folder with ten lines of seven bytes, three a segment: 1, 4, 7, 10.
fn ten_lines() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    let (mut writer, _) = Writer::open(&folder, SMALL).unwrap();
    for number in 1..=10 {
        writer.append(format!("line{number:02}").as_bytes()).unwrap();
        writer.sync().unwrap();
    }
    (place, folder)
}

fn texts(folder: &Path, from: u64) -> Result<Vec<(u64, String)>, SegmentError> {
    read(folder, from)?
        .map(|line| line.map(|(number, line)| (number, String::from_utf8(line).unwrap())))
        .collect()
}

fn expected(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    numbers.into_iter().map(|number| (number, format!("line{number:02}"))).collect()
}

#[test]
fn segments_are_named_after_their_first_line_and_belong_to_their_owner_alone() {
    let (_place, folder) = ten_lines();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut all: Vec<_> = [1, 4, 7, 10].map(|first: u64| format!("{first:020}.jsonl")).into();
    all.extend(["durable", "lock"].map(str::to_owned));
    assert_eq!(names, all);
    assert_eq!(fs::read_to_string(segment(&folder, 7)).unwrap(), "line07\nline08\nline09\n");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for name in names {
        assert_eq!(fs::metadata(folder.join(&name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_tail_cut_at_any_byte_loses_only_the_line_that_it_cuts() {
    let text = b"one\n\ntwo\nthree\n";
    for kept in 0..=text.len() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lines");
        fs::create_dir(&folder).unwrap();
        fs::write(segment(&folder, 1), &text[..kept]).unwrap();
        let whole = text[..kept].iter().filter(|byte| **byte == b'\n').count();
        let end = text[..kept].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let seen_before = read(&folder, 1).unwrap().map(Result::unwrap).collect::<Vec<_>>();

        let (mut writer, recovery) = Writer::open(&folder, SMALL).unwrap();
        let next = whole as u64 + 1;
        assert_eq!(recovery, Recovery { first: 1, next, cut_bytes: (kept - end) as u64 }, "{kept}");
        assert_eq!(fs::read(segment(&folder, 1)).unwrap(), &text[..end], "{kept}");
        writer.append(b"after").unwrap();
        writer.sync().unwrap();
        let mut lines = read(&folder, 1).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(lines.pop(), Some((next, b"after".to_vec())), "{kept}");
        assert_eq!(lines, seen_before, "{kept}: a reader never saw the incomplete line");
    }
}

#[test]
fn a_crash_between_creating_and_filling_a_segment_is_harmless() {
    let (_place, folder) = ten_lines();
    fs::write(segment(&folder, 11), b"").unwrap();
    let (mut writer, recovery) = Writer::open(&folder, SMALL).unwrap();
    assert_eq!(recovery, Recovery { first: 1, next: 11, cut_bytes: 0 });
    writer.append(b"line11").unwrap();
    writer.sync().unwrap();
    assert_eq!(texts(&folder, 3).unwrap(), expected(3..=11));
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("lock"), b"").unwrap();
    let mut lines = read(empty.path(), 1).unwrap();
    assert!(lines.next().is_none());
    let (mut writer, recovery) = Writer::open(empty.path(), SMALL).unwrap();
    assert_eq!((recovery.next, writer.durable()), (1, 0));
    writer.append(b"first").unwrap();
    assert!(lines.next().is_none(), "not written yet");
    writer.sync().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), (1, b"first".to_vec()));
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let (_place, folder) = ten_lines();
    let (writer, _) = Writer::open(&folder, SMALL).unwrap();
    let error = Writer::open(&folder, SMALL).unwrap_err();
    assert!(matches!(&error, SegmentError::Locked { folder: named } if *named == folder), "{error:?}");
    assert_eq!(error.to_string(), format!("{} is already open for writing", folder.display()));
    drop(writer);
    Writer::open(&folder, SMALL).unwrap();
}

#[test]
fn damage_that_no_crash_leaves_is_refused_by_name() {
    /// What to damage, and what the writer and a reader say of it; `None` if the writer cannot know.
    type Case = (fn(&Path), Option<&'static str>, &'static str);
    let cases: [Case; 6] = [
        (
            |folder| fs::write(folder.join("notes.txt"), "").unwrap(),
            Some("F/notes.txt does not belong in a folder of segments"),
            "F/notes.txt does not belong in a folder of segments",
        ),
        (
            |folder| fs::write(segment(folder, 4), "line04\nline05\nlin").unwrap(),
            Some("F/00000000000000000004.jsonl ends inside a line, at byte 17, but is not the last segment"),
            "F/00000000000000000004.jsonl ends inside a line, at byte 14, but is not the last segment",
        ),
        (
            |folder| fs::write(segment(folder, 4), "").unwrap(),
            Some("F/00000000000000000007.jsonl begins with line 7, but the lines before it end at 3"),
            "F/00000000000000000007.jsonl begins with line 7, but the lines before it end at 3",
        ),
        (
            |folder| fs::remove_file(segment(folder, 4)).unwrap(),
            None,
            "F/00000000000000000007.jsonl begins with line 7, but the lines before it end at 3",
        ),
        (
            |folder| fs::rename(segment(folder, 10), segment(folder, 40)).unwrap(),
            Some("F/00000000000000000040.jsonl begins with line 40, but the lines before it end at 27"),
            "F/00000000000000000040.jsonl begins with line 40, but the lines before it end at 9",
        ),
        (
            |folder| fs::write(segment(folder, 7), "line07\nline08\nline09\nline09\n").unwrap(),
            None,
            "F/00000000000000000010.jsonl begins with line 10, but the lines before it end at 10",
        ),
    ];
    for (damage, writer, reader) in cases {
        let (_place, folder) = ten_lines();
        damage(&folder);
        let plain = |error: SegmentError| error.to_string().replace(folder.to_str().unwrap(), "F");
        assert_eq!(texts(&folder, 1).map_err(plain), Err(reader.to_owned()));
        let opened = Writer::open(&folder, SMALL).map(|_| ()).map_err(plain);
        assert_eq!(opened.err().as_deref(), writer, "{reader}");
    }
}

#[test]
fn a_line_that_no_writer_wrote_is_refused_before_it_fills_the_memory() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("lines");
    fs::create_dir(&folder).unwrap();
    let longest = vec![b'x'; LINE_BYTES];
    let text = [b"one\n", longest.as_slice(), b"\ntwo\n"].concat();
    fs::write(segment(&folder, 1), &text).unwrap();
    assert_eq!(
        read(&folder, 1).unwrap().map(|line| line.unwrap().1.len()).collect::<Vec<_>>(),
        [3, LINE_BYTES, 3]
    );
    for text in
        [[b"one\nx", longest.as_slice(), b"\ntwo\n"].concat(), [b"one\nx", longest.as_slice()].concat()]
    {
        fs::write(segment(&folder, 1), text).unwrap();
        let error = read(&folder, 1).unwrap().nth(1).unwrap().unwrap_err();
        assert!(matches!(error, SegmentError::Overlong { offset: 4, .. }), "{error:?}");
        let error = Writer::open(&folder, SMALL).unwrap_err();
        assert!(matches!(error, SegmentError::Overlong { offset: 4, .. }), "{error:?}");
    }
}

#[test]
fn reading_begins_at_any_line_that_is_kept_and_at_no_other() {
    let (_place, folder) = ten_lines();
    for from in 1..=11 {
        assert_eq!(texts(&folder, from).unwrap(), expected(from..=10), "{from}");
    }
    assert_eq!(texts(&folder, 0).unwrap(), expected(1..=10));
    let error = texts(&folder, 12).unwrap_err();
    assert!(matches!(error, SegmentError::Beyond { asked: 12, next: 11, .. }), "{error:?}");

    let (mut writer, _) = Writer::open(&folder, SMALL).unwrap();
    let mut behind = read(&folder, 3).unwrap();
    for (before, removed, first) in [(3, 0, 1), (6, 1, 4), (6, 0, 4), (10, 2, 10), (1000, 0, 10)] {
        assert_eq!(writer.truncate_before(before).unwrap(), removed, "{before}");
        assert_eq!(writer.first(), first);
        assert_eq!(read_kept(&folder).unwrap().position(), first);
    }
    assert_eq!(behind.next().unwrap().unwrap().0, 3, "an open segment stays readable");
    for result in [behind.next().unwrap().map(|_| ()), read(&folder, 4).map(|_| ())] {
        let error = result.unwrap_err();
        assert!(matches!(error, SegmentError::Removed { asked: 4, first: 10, .. }), "{error:?}");
    }
    drop(writer);
    let (writer, recovery) = Writer::open(&folder, SMALL).unwrap();
    assert_eq!((recovery.first, writer.first(), writer.durable()), (10, 10, 10));
}

#[test]
fn a_line_that_is_refused_changes_nothing() {
    let (_place, folder) = ten_lines();
    let (mut writer, _) = Writer::open(&folder, SMALL).unwrap();
    for line in [b"two\nlines".as_slice(), b"a zero\0"] {
        assert!(matches!(writer.append(line), Err(SegmentError::Unfit)));
    }
    let long = [b'x'; 51];
    assert!(matches!(writer.append(&long), Err(SegmentError::LineTooLong { bytes: 51, limit: 50 })));
    assert_eq!(writer.append(b"line11").unwrap(), 11);
    assert!(writer.append(b"not\nfine").is_err());
    assert_eq!((writer.next(), writer.buffered_bytes()), (12, 7));
    assert_eq!(writer.append(b"line12").unwrap(), 12);
    assert_eq!(writer.append(b"line13").unwrap(), 13);
    assert_eq!(writer.durable(), 10);
    writer.sync().unwrap();
    assert_eq!((writer.durable(), writer.buffered_bytes()), (13, 0));
    assert_eq!(texts(&folder, 10).unwrap(), expected(10..=13));
}
