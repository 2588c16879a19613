//! Random histories of one folder beside a model that is a list of lines.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]

use std::fs::{self, OpenOptions};
use std::path::Path;

use proptest::prelude::*;
use windlass_segments::{Options, SegmentError, Writer, read, read_kept};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Sync,
    /// The process ends without a sync and comes back.
    Reopen,
    /// The same, and so many bytes of the last segment's end are lost meanwhile, which somebody has to accept.
    Cut(usize),
    /// The lines before the middle of what is kept are acknowledged.
    Truncate,
}

fn step() -> impl Strategy<Value = Step> {
    let line = prop::collection::vec(
        any::<u8>().prop_map(|byte| if byte == b'\n' || byte == 0 { 1 } else { byte }),
        0..40,
    );
    prop_oneof![
        6 => line.prop_map(Step::Append),
        4 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => (1..60usize).prop_map(Step::Cut),
        1 => Just(Step::Truncate),
    ]
}

/// The lines that must be durable, and those that wait for a sync.
#[derive(Default)]
struct Model {
    durable: Vec<Vec<u8>>,
    waiting: Vec<Vec<u8>>,
}

impl Model {
    fn next(&self) -> u64 {
        (self.durable.len() + self.waiting.len()) as u64 + 1
    }

    /// Checks that everything kept from `first` on, asked for from several places, is what the model has.
    fn check(&self, folder: &Path, first: u64) {
        let numbered = |from: u64| (from..).zip(self.durable.iter().skip(from as usize - 1).cloned());
        let end = self.durable.len() as u64 + 1;
        for from in [first, (first + end) / 2, end] {
            let lines = read(folder, from).unwrap().map(Result::unwrap).collect::<Vec<_>>();
            assert_eq!(lines, numbered(from).collect::<Vec<_>>());
        }
        assert_eq!(read_kept(folder).unwrap().position(), first);
    }
}

/// Cuts `bytes` off the last segment, and returns how many whole lines went and how many bytes of a line are left.
fn cut(folder: &Path, bytes: usize) -> (usize, u64) {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let last = names.filter(|path| path.extension().is_some()).max().unwrap();
    let text = fs::read(&last).unwrap();
    let (kept, lost) = text.split_at(text.len().saturating_sub(bytes));
    OpenOptions::new().write(true).open(&last).unwrap().set_len(kept.len() as u64).unwrap();
    let torn = kept.len() - kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (lost.iter().filter(|byte| **byte == b'\n').count(), torn as u64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn what_was_synced_is_read_back_and_nothing_else_disappears(
        steps in prop::collection::vec(step(), 1..80),
        segment_bytes in 0..200u64,
    ) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lines");
        let options = Options { segment_bytes, line_bytes: 40, name: "model" };
        let mut writer = Writer::open(&folder, options).unwrap().0;
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append(line) => {
                    prop_assert_eq!(writer.append(&line).unwrap(), model.next());
                    model.waiting.push(line);
                }
                Step::Sync => {
                    writer.sync().unwrap();
                    model.durable.append(&mut model.waiting);
                }
                Step::Reopen | Step::Cut(_) => {
                    drop(writer);
                    model.waiting.clear();
                    let (lost, torn) = if let Step::Cut(bytes) = step { cut(&folder, bytes) } else { (0, 0) };
                    let durable = model.durable.len() as u64;
                    model.durable.truncate(model.durable.len() - lost);
                    if lost > 0 {
                        let found = model.durable.len() as u64;
                        let refused = Writer::open(&folder, options).unwrap_err();
                        let said = matches!(refused, SegmentError::Lost { durable: had, found: has, .. }
                            if (had, has) == (durable, found));
                        prop_assert!(said, "{refused}");
                        fs::remove_file(folder.join("durable")).unwrap();
                    }
                    let (opened, recovery) = Writer::open(&folder, options).unwrap();
                    prop_assert_eq!((recovery.next, recovery.cut_bytes), (model.next(), torn));
                    prop_assert_eq!(recovery.first, opened.first());
                    writer = opened;
                }
                Step::Truncate => {
                    let (before, middle) = (writer.first(), (writer.first() + writer.next()) / 2);
                    let removed = writer.truncate_before(middle).unwrap();
                    prop_assert!(writer.first() <= middle.max(before));
                    prop_assert_eq!(removed > 0, writer.first() > before);
                }
            }
            prop_assert_eq!(writer.next(), model.next());
            prop_assert_eq!(writer.durable(), model.durable.len() as u64);
            model.check(&folder, writer.first());
        }
    }
}
