//! What agents report: admitted or refused, started, ended, and the output in between.

use serde::{Deserialize, Serialize};

use super::bounds;
use crate::codec::Malformed;
use crate::ids::AssignmentId;
use crate::limits;
use crate::time::Timestamp;

/// One thing that happened to one assignment. Reports are kept on the agent's disk until they are acknowledged, and
/// reporting the same again changes nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The assignment.
    pub assignment: AssignmentId,
    /// What happened.
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
        /// How.
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
    /// Its time is over.
    Expired,
    /// The machine's own configuration does not admit it.
    OutsideConfiguration,
    /// This agent serves one tenant, and this is another's.
    OtherTenant,
    /// The agent knows no such work.
    Unsupported,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// With an exit code other than 0, or before the process began.
    Failed {
        /// A sentence for people.
        reason: String,
    },
    /// Its time was over.
    TimedOut,
    /// It was stopped: cancelled, or the target no longer qualifies.
    Stopped,
    /// Nobody can know: the supervisor was gone.
    Unknown,
}

/// A variable that a step set for later steps of its deployment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputVariable {
    /// Its name.
    pub name: String,
    /// Its value.
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
    /// Where it came from.
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

impl Report {
    pub(super) fn check(&self) -> Result<(), Malformed> {
        match &self.kind {
            ReportKind::FetchFailed(reason) => bounds::text_of(reason, limits::REASON_BYTES),
            ReportKind::Ended { outcome, variables, .. } => {
                if let Outcome::Failed { reason } = outcome {
                    bounds::text_of(reason, limits::REASON_BYTES)?;
                }
                bounds::list(variables, limits::OUTPUT_VARIABLES)?;
                variables.iter().try_for_each(|variable| {
                    bounds::name(&variable.name)?;
                    match &variable.value {
                        OutputVariableValue::Plain(text) => bounds::text_of(text, limits::VARIABLE_BYTES),
                        OutputVariableValue::Sealed(bytes) => {
                            bounds::list(bytes, limits::VARIABLE_BYTES + 128)
                        }
                    }
                })
            }
            ReportKind::Refused(_) | ReportKind::Fetched { .. } | ReportKind::Started => Ok(()),
        }
    }
}
