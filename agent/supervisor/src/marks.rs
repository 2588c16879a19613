//! The two durable marks of a step: `started`, before anything of it runs, and `ended`, once it can run no more.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_segments::{Options, Writer};

use crate::error::StepError;
use crate::layout;
use crate::limits;

/// The step may have run from here on. Names its main process so that no other is ever taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The main process.
    pub pid: i32,
    /// Its process group, which is also its session.
    pub pgid: i32,
    /// When it was made, in clock ticks after the machine's start: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`: which run of the machine it belongs to.
    pub boot_id: String,
    /// Milliseconds since 1970.
    pub time: u64,
}

/// The step has ended for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// Whether it was ended because somebody asked for it.
    pub stopped: bool,
    /// Bytes of its output that were not kept.
    pub dropped_bytes: u64,
    /// Milliseconds since 1970.
    pub time: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The main process returned.
    Exited {
        /// Its exit code: 0 is success.
        code: i32,
    },
    /// The main process was ended by a signal.
    Killed { signal: i32 },
    /// Nothing of the step ever ran.
    NotStarted {
        /// Why, in one sentence.
        reason: String,
    },
    /// Nothing of the step ever ran or will from this folder, and the step itself is not why: it was buried before a
    /// supervisor had started it, or its job broke off.
    Void,
    /// The supervisor was lost. The step may have done nothing, a part or all of its work.
    Unknown,
    /// The main process returned well, but the disk did not take what it set for later steps: they would miss it.
    Unkept {
        /// Why, in one sentence.
        reason: String,
    },
}

impl Ended {
    /// The same end of a step whose output variables cannot be kept. One that did not go well needs no other reason.
    pub(crate) fn without_variables(&self, reason: String) -> Self {
        let outcome = match &self.outcome {
            Outcome::Exited { code: 0 } => Outcome::Unkept { reason },
            outcome => outcome.clone(),
        };
        Self { outcome, ..self.clone() }
    }
}

/// What a step's folder says about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub started: Option<Started>,
    pub ended: Option<Ended>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "kebab-case")]
enum Mark {
    Started(Started),
    Ended(Ended),
}

/// Reads the marks of a step's folder. Neither is there before a supervisor was started.
pub(crate) fn read(folder: &Path) -> Result<Marks, StepError> {
    let folder = layout::marks(folder);
    let mut marks = Marks::default();
    if !folder.try_exists().map_err(StepError::io("look at", &folder))? {
        return Ok(marks);
    }
    for line in windlass_segments::read(&folder, 1)? {
        let (number, line) = line?;
        match serde_json::from_slice(&line) {
            Ok(Mark::Started(started)) => marks.started = Some(started),
            // A mark that was tried again after a failure may be there twice; the first is what readers saw.
            Ok(Mark::Ended(ended)) => marks.ended = marks.ended.or(Some(ended)),
            Err(error) => {
                let reason = error.to_string();
                return Err(StepError::Damaged { folder, line: number, reason });
            }
        }
    }
    Ok(marks)
}

/// Writes marks. Only who holds the step's lock may have one.
pub(crate) struct Recorder {
    folder: PathBuf,
    /// None after a failure, until the next try opens it anew.
    writer: Option<Writer>,
}

impl Recorder {
    /// Opens the marks of a step's folder, makes their place, and sets room for them aside: a step that fills the disk
    /// has ended all the same.
    pub(crate) fn open(folder: &Path) -> Result<Self, StepError> {
        let mut recorder = Self { folder: layout::marks(folder), writer: None };
        recorder.writer()?.reserve(limits::MARKS_BYTES)?;
        Ok(recorder)
    }

    /// Writes `started`; it is durable on return.
    pub(crate) fn started(&mut self, started: &Started) -> Result<(), StepError> {
        self.record(&Mark::Started(started.clone()))
    }

    /// Writes `ended`; it is durable on return. May be tried again after an error.
    pub(crate) fn ended(&mut self, ended: &Ended) -> Result<(), StepError> {
        self.record(&Mark::Ended(ended.clone()))
    }

    fn record(&mut self, mark: &Mark) -> Result<(), StepError> {
        let line = serde_json::to_vec(mark).expect("a mark has only text keys");
        let writer = self.writer()?;
        let result = writer.append(&line).and_then(|_| writer.sync());
        if result.is_err() {
            self.writer = None;
        }
        Ok(result?)
    }

    fn writer(&mut self) -> Result<&mut Writer, StepError> {
        let opened = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::open(&self.folder, Options { name: "supervisor-marks", ..Options::default() })?.0,
        };
        Ok(self.writer.insert(opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_as_written_and_the_first_end_counts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(read(folder.path()).expect("nothing yet"), Marks::default());
        let started = Started { pid: 7, pgid: 7, start_time: 9, boot_id: "b".into(), time: 1 };
        let ended = |outcome| Ended { outcome, timed_out: false, stopped: true, dropped_bytes: 3, time: 2 };
        let mut recorder = Recorder::open(folder.path()).expect("a new folder");
        recorder.started(&started).expect("written");
        recorder.ended(&ended(Outcome::Exited { code: 3 })).expect("written");
        recorder.ended(&ended(Outcome::Unknown)).expect("written");
        let expected = Marks { started: Some(started), ended: Some(ended(Outcome::Exited { code: 3 })) };
        assert_eq!(read(folder.path()).expect("two marks"), expected);
    }

    #[test]
    fn the_written_form_stays_what_it_is() {
        let ended = |outcome| Ended { outcome, timed_out: false, stopped: false, dropped_bytes: 0, time: 5 };
        let rest = r#""timed_out":false,"stopped":false,"dropped_bytes":0,"time":5}"#;
        for (outcome, written) in [
            (Outcome::Exited { code: 1 }, r#""exited","code":1"#),
            (Outcome::Killed { signal: 9 }, r#""killed","signal":9"#),
            (Outcome::NotStarted { reason: "no".into() }, r#""not-started","reason":"no""#),
            (Outcome::Void, r#""void""#),
            (Outcome::Unknown, r#""unknown""#),
            (Outcome::Unkept { reason: "full".into() }, r#""unkept","reason":"full""#),
        ] {
            let line = serde_json::to_string(&Mark::Ended(ended(outcome))).expect("written");
            assert_eq!(line, format!(r#"{{"mark":"ended","outcome":{written},{rest}"#));
        }
    }

    #[test]
    fn a_line_that_is_no_mark_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let marks = layout::marks(folder.path());
        let (mut writer, _) = Writer::open(&marks, Options::default()).expect("a new folder");
        writer.append(b"{\"mark\":\"paused\"}").expect("a line");
        writer.sync().expect("written");
        let error = read(folder.path()).expect_err("nobody writes this");
        assert!(error.to_string().starts_with(&format!("line 1 of {} is not understood: ", marks.display())));
    }

    /// Also where a mark is longer than what a disk writes at once.
    #[cfg(feature = "fail-points")]
    #[test]
    fn marks_that_were_made_survive_a_loss_of_power_and_others_do_not_stop_anybody() {
        use windlass_segments::power::Recording;

        let started = Started { pid: 7, pgid: 7, start_time: 9, boot_id: "b".repeat(700), time: 1 };
        let reason = "r".repeat(1500);
        let outcome = Outcome::NotStarted { reason };
        let ended = Ended { outcome, timed_out: false, stopped: true, dropped_bytes: 3, time: 2 };
        let place = tempfile::tempdir().expect("a temporary folder");
        let recording = Recording::start(place.path());
        let mut recorder = Recorder::open(place.path()).expect("a new folder");
        recorder.started(&started).expect("written");
        recording.acknowledge(1);
        recorder.ended(&ended).expect("written");
        recording.acknowledge(2);
        recording.finish().cut(|loss| {
            let known = |found: &Marks| {
                assert!(found.started.as_ref().is_none_or(|found| *found == started), "{}", loss.name);
                assert!(found.ended.as_ref().is_none_or(|found| *found == ended), "{}", loss.name);
                assert!(found.started.is_some() || loss.acknowledged < 1, "{}", loss.name);
                assert!(found.ended.is_some() || loss.acknowledged < 2, "{}", loss.name);
            };
            let seen = read(loss.folder).unwrap_or_else(|why| panic!("{}: {why}", loss.name));
            known(&seen);
            // What was seen stays, and the step can be ended.
            let mut recorder = Recorder::open(loss.folder).expect("opened");
            recorder.ended(&ended).expect("written");
            let marks = read(loss.folder).expect("read");
            known(&marks);
            assert_eq!((marks.started, marks.ended), (seen.started, Some(ended.clone())), "{}", loss.name);
        });
    }
}
