//! What agents report: admitted or refused, started, ended, and the output in between.

use serde::{Deserialize, Serialize};

use super::bounds;
use crate::ids::AssignmentId;
use crate::limits;
use crate::time::Timestamp;

/// One thing that happened to one assignment. Reports are kept on the agent's disk until they are acknowledged, and
/// reporting the same again changes nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub assignment: AssignmentId,
    pub kind: ReportKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportKind {
    /// The agent will not do it.
    Refused(Refusal),
    /// Every package is there and verified.
    Fetched {
        /// Bytes that travelled.
        moved: u64,
        /// Bytes that did not have to.
        saved: u64,
    },
    /// Packages could not be fetched; a sentence for people.
    FetchFailed(String),
    /// The step's process was started.
    Started,
    /// The step ended.
    Ended {
        outcome: Outcome,
        /// What the step set for later steps.
        variables: Vec<OutputVariable>,
        /// The number of the last line of its output; 0 where it has none.
        lines: u64,
    },
}

/// Why an agent refuses an assignment by itself (ARCHITECTURE, "The agent's conversation", 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It names another target.
    NotForThisTarget,
    /// Its signature is not the coordinator's.
    BadSignature,
    /// It is older than what the agent has acted upon: a replay.
    OldGeneration,
    /// The same assignment came before with another content.
    ChangedContent,
    Expired,
    /// The machine's own configuration does not admit it.
    OutsideConfiguration,
    /// This agent serves one tenant, and this is another's.
    OtherTenant,
    /// The agent knows no such work.
    Unsupported,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Outcome {
    Succeeded,
    /// With an exit code other than 0, or before the process began.
    Failed {
        /// A sentence for people.
        reason: String,
    },
    TimedOut,
    /// It was stopped: cancelled, or the target no longer qualifies.
    Stopped,
    /// Nobody can know: the supervisor was gone.
    Unknown,
}

/// A variable that a step set for later steps of its deployment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputVariable {
    pub name: String,
    pub value: OutputVariableValue,
}

/// The value of an output variable.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputVariableValue {
    /// Not sensitive.
    Plain(String),
    /// Sealed on the target to the coordinator's key.
    Sealed(Vec<u8>),
}

/// A line of a step's output, masked before it was first written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When it was printed, by the machine's clock.
    pub time: Timestamp,
    pub stream: OutputStream,
    /// The text, without the line's end.
    pub text: String,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The agent itself.
    Note,
}

/// Why a report cannot be taken, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It would take more room in the journal than one may.
    #[error(
        "the step set output variables of {bytes} bytes together, as they are recorded, and they may have {most}; put \
         what is large in files"
    )]
    TooLarge {
        /// Bytes as it is recorded.
        bytes: usize,
        /// Bytes that it may have.
        most: usize,
    },
    /// There are too many output variables.
    #[error("the step set {count} output variables, and it may set {most}", most = limits::OUTPUT_VARIABLES)]
    TooMany { count: usize },
    /// The name or the value of an output variable, or a reason, is too long.
    #[error("{0} is longer than it may be")]
    TooLong(&'static str),
    /// No step prints so many lines.
    #[error("the step is said to have printed {0} lines, and no step prints so many")]
    Lines(u64),
}

impl Report {
    /// Whether it can be taken: an agent keeps no other to be sent, and a coordinator records no other. A message is
    /// bounded on its way, where a control character is one byte; in the journal it is six. What this admits is one
    /// small record (THREATS G5), and fits a message on its own.
    pub fn check(&self) -> Result<(), NotTaken> {
        match &self.kind {
            ReportKind::FetchFailed(reason) => reason_of(reason),
            ReportKind::Ended { outcome, variables, lines } => {
                if let Outcome::Failed { reason } = outcome {
                    reason_of(reason)?;
                }
                if *lines > limits::STEP_LINES {
                    return Err(NotTaken::Lines(*lines));
                }
                if variables.len() > limits::OUTPUT_VARIABLES {
                    return Err(NotTaken::TooMany { count: variables.len() });
                }
                variables.iter().try_for_each(OutputVariable::check)?;
                let (bytes, most) =
                    (variables.iter().map(OutputVariable::recorded_bytes).sum(), limits::REPORT_BYTES);
                if bytes > most { Err(NotTaken::TooLarge { bytes, most }) } else { Ok(()) }
            }
            ReportKind::Refused(_) | ReportKind::Fetched { .. } | ReportKind::Started => Ok(()),
        }
    }

    /// The report as it can be taken: itself, or without what is too much. A step that went well has failed by that: what
    /// comes after it would miss what it set; any other end says more than this reason would. Told again and again as it
    /// is, it would never be taken, and its deployment would wait until its deadline.
    pub fn taken(mut self) -> Self {
        let Err(why) = self.check() else { return self };
        let reason = why.to_string();
        match &mut self.kind {
            ReportKind::Ended { outcome, variables, lines } => {
                variables.clear();
                *lines = (*lines).min(limits::STEP_LINES);
                match outcome {
                    Outcome::Failed { reason } if reason_of(reason).is_ok() => {}
                    Outcome::TimedOut | Outcome::Stopped | Outcome::Unknown => {}
                    Outcome::Failed { .. } | Outcome::Succeeded => *outcome = Outcome::Failed { reason },
                }
            }
            kind => *kind = ReportKind::FetchFailed(reason),
        }
        self
    }

    /// Bytes that it takes as it is recorded, but for what any report takes; a little more where it is sealed anew.
    pub fn recorded_bytes(&self) -> usize {
        match &self.kind {
            ReportKind::FetchFailed(reason) => json_text_bytes(reason),
            ReportKind::Ended { outcome, variables, .. } => {
                let reason =
                    if let Outcome::Failed { reason } = outcome { json_text_bytes(reason) } else { 0 };
                reason + variables.iter().map(OutputVariable::recorded_bytes).sum::<usize>()
            }
            ReportKind::Refused(_) | ReportKind::Fetched { .. } | ReportKind::Started => 0,
        }
    }
}

fn reason_of(reason: &str) -> Result<(), NotTaken> {
    bounds::text_of(reason, limits::REASON_BYTES).map_err(|_| NotTaken::TooLong("the reason"))
}

impl OutputVariable {
    fn check(&self) -> Result<(), NotTaken> {
        bounds::name(&self.name).map_err(|_| NotTaken::TooLong("the name of an output variable"))?;
        let checked = match &self.value {
            OutputVariableValue::Plain(text) => bounds::text_of(text, limits::VARIABLE_BYTES),
            OutputVariableValue::Sealed(bytes) => bounds::list(bytes, limits::VARIABLE_BYTES + 128),
        };
        checked.map_err(|_| NotTaken::TooLong("the value of an output variable"))
    }

    /// Bytes that it takes as it is recorded: a sealed one in base64.
    fn recorded_bytes(&self) -> usize {
        const FRAME_BYTES: usize = 32;
        let value = match &self.value {
            OutputVariableValue::Plain(text) => json_text_bytes(text),
            OutputVariableValue::Sealed(bytes) => bytes.len().div_ceil(3) * 4,
        };
        json_text_bytes(&self.name) + value + FRAME_BYTES
    }
}

/// Bytes of a text in JSON, with its quotes: a control character has up to six.
pub fn json_text_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\x08' | b'\t' | b'\n' | b'\x0c' | b'\r' => 2,
        0..=0x1f => 6,
        _ => 1,
    });
    bytes.sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::message::Request;

    fn ended(variables: Vec<OutputVariable>) -> Report {
        let kind = ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines: 7 };
        Report { assignment: AssignmentId::from_bytes([1; 16]), kind }
    }

    fn plain(number: usize, text: String) -> OutputVariable {
        OutputVariable { name: format!("Output{number}"), value: OutputVariableValue::Plain(text) }
    }

    #[test]
    fn a_text_has_as_many_bytes_as_json_gives_it() {
        let controls: String = (0..0x20_u8).map(char::from).collect();
        for text in ["", "plain", "\u{7f}\"quoted\\", "größer \u{202e}", &controls] {
            assert_eq!(json_text_bytes(text), serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }

    #[test]
    fn the_largest_report_that_is_taken_is_no_larger_where_it_is_recorded_and_fits_a_message() {
        let sealed = |number: usize, bytes| OutputVariable {
            name: format!("{number}"),
            value: OutputVariableValue::Sealed(vec![1; bytes]),
        };
        let makers: [&dyn Fn(usize, usize) -> OutputVariable; 4] = [
            &|number, bytes| plain(number, "x".repeat(bytes)),
            &|number, bytes| plain(number, "\u{1}".repeat(bytes)),
            &|number, bytes| plain(number, "\"".repeat(bytes)),
            &sealed,
        ];
        for (which, make) in makers.iter().enumerate() {
            for bytes in [0, 1000, 60_000, limits::VARIABLE_BYTES] {
                let report = |count| ended((0..count).map(|number| make(number, bytes)).collect());
                let counts: Vec<_> = (0..=limits::OUTPUT_VARIABLES).collect();
                let report = report(counts.partition_point(|count| report(*count).check().is_ok()) - 1);
                assert!(report.recorded_bytes() <= limits::REPORT_BYTES, "{which}, {bytes}");
                assert!(codec::body(&Request::Report(vec![report])).is_ok(), "{which}, {bytes}");
            }
        }
    }

    #[test]
    fn a_report_that_cannot_be_taken_comes_to_the_failure_of_its_step() {
        let many =
            |count, text: &str| ended((0..count).map(|number| plain(number, text.to_owned())).collect());
        let mut lines = many(0, "");
        lines.kind =
            ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: u64::MAX };
        let fetch = |reason: String| Report { kind: ReportKind::FetchFailed(reason), ..many(0, "") };
        let large = "x".repeat(limits::VARIABLE_BYTES);
        let cases = [
            (
                many(32, &large),
                "the step set output variables of 2098550 bytes together, as they are recorded, and they may have \
                 2093056; put what is large in files",
            ),
            (
                many(6, &"\u{1}".repeat(limits::VARIABLE_BYTES)),
                "the step set output variables of 2359554 bytes together, as they are recorded, and they may have \
                 2093056; put what is large in files",
            ),
            (many(201, ""), "the step set 201 output variables, and it may set 200"),
            (many(1, &(large.clone() + "x")), "the value of an output variable is longer than it may be"),
            (
                lines,
                "the step is said to have printed 18446744073709551615 lines, and no step prints so many",
            ),
            (fetch(large.clone()), "the reason is longer than it may be"),
        ];
        for (report, expected) in cases {
            assert_eq!(report.check().expect_err("it is too much").to_string(), expected);
            let told = report.taken();
            let reason = match &told.kind {
                ReportKind::Ended { outcome: Outcome::Failed { reason }, variables, .. }
                    if variables.is_empty() =>
                {
                    reason
                }
                ReportKind::FetchFailed(reason) => reason,
                _ => panic!("another kind of report: {expected}"),
            };
            assert_eq!(reason, expected);
            assert!(told.check().is_ok(), "{expected}");
        }
        assert!(many(31, &large).taken() == many(31, &large), "what can be taken stays as it is");
    }
}
