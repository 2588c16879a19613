//! What every journal does, whatever holds it.

use super::super::{AppendError, Appended, Embedded, GENESIS, Head, InMemory, Journal};
use super::Story;

/// A history of some records, and others that could stand in their place.
fn lines(names: &[&str]) -> Vec<Appended> {
    let mut story = Story::new();
    names.iter().for_each(|name| story.create(name));
    story.pending.clone()
}

fn after(head: Head, lines: &[Appended]) -> Head {
    let number = head.number + lines.len() as u64;
    Head { number, hash: lines.last().map_or(head.hash, |last| last.hash) }
}

fn check(journal: &mut dyn Journal) {
    let start = Head { number: 0, hash: GENESIS };
    let (own, others) = (lines(&["a", "b", "c"]), lines(&["x", "y", "z"]));
    let (first, rest) = own.split_at(1);
    assert!(journal.read(start, 10).unwrap().is_empty());
    journal.append(start, first).unwrap();
    let head = after(start, first);
    journal.append(head, rest).unwrap();
    let end = after(head, rest);
    let texts = |lines: &[Appended]| lines.iter().map(|appended| appended.line.clone()).collect::<Vec<_>>();
    assert_eq!(journal.read(start, 10).unwrap(), texts(&own));
    assert_eq!(journal.read(start, 2).unwrap(), texts(&own[..2]));
    assert_eq!(journal.read(head, 10).unwrap(), texts(rest));
    // Asked for again because the answer was lost, they are there once.
    journal.append(head, rest).unwrap();
    journal.append(start, first).unwrap();
    assert!(matches!(journal.append(start, &others[..1]), Err(AppendError::Overtaken)));
    assert!(matches!(journal.append(head, &[rest, &others[..1]].concat()), Err(AppendError::Overtaken)));
    let beyond = Head { number: end.number + 1, hash: others[0].hash };
    assert!(matches!(journal.append(beyond, &others), Err(AppendError::AnotherHistory { .. })));
    assert_eq!(journal.read(start, 10).unwrap(), texts(&own), "nothing of these is in it");
    journal.append(end, &others[..1]).unwrap();
    assert_eq!(journal.read(end, 10).unwrap(), texts(&others[..1]));
}

#[test]
fn a_journal_takes_lines_at_its_end_and_once() {
    let place = tempfile::tempdir().unwrap();
    check(&mut Embedded::open(place.path()).unwrap());
    check(&mut InMemory::default());
}
