//! Why things end as they do: rules, ids and values. Sentences are made for who reads them.

use serde::{Deserialize, Serialize};
use windlass_api::plan::{StepRule, TargetRule, TenantRule};
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Refusal;

/// Why a target gets nothing more of a deployment that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    NoPart,
    TargetDeleted,
    /// The target was enrolled again with another key: packages are fetched before the first step, and it has none
    /// (SEMANTICS 7).
    AnotherMachine,
    TenantDeleted,
    /// The tenant was disconnected.
    Disconnected,
    ReleaseDeleted,
    /// A step of it no longer runs for the tenant.
    Step {
        step: StepId,
        /// The rule that leaves it out.
        rule: StepRule,
    },
    /// The target no longer belongs to its step.
    Target {
        /// The rule that leaves it out.
        rule: TargetRule,
    },
}

/// Why a deployment ended as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Every step succeeded on every target.
    Done,
    /// No step had a target.
    NothingToDo,
    /// Somebody cancelled it.
    Cancelled,
    /// Its tenant was disabled while it waited.
    TenantDisabled,
    /// Its release or its project was deleted while it waited.
    Gone,
    /// It was no longer allowed when its turn came.
    Refused {
        /// All rules, the first one first.
        rules: Vec<TenantRule>,
    },
    /// What a step needs could not be made: a sentence that names the step and the variable, and no value.
    Unfit { problem: String },
    /// A target could not get its packages.
    FetchFailed { target: TargetId, outcome: RunOutcome },
    /// A step did not succeed on a target.
    StepFailed { step: StepId, target: TargetId, outcome: RunOutcome },
    /// All targets of a step were taken out.
    NoTargetLeft {
        step: StepId,
        /// The first of them, with why.
        removed: Vec<(TargetId, Removal)>,
        more: usize,
    },
}

/// How a run ended, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    pub outcome: RunOutcome,
    /// Lines of output.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lines: u64,
    /// Bytes that travelled to fetch packages.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moved: u64,
    /// Bytes that did not have to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub saved: u64,
}

// Serde hands over references.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl RunEnd {
    /// An end that cost nothing.
    pub const fn of(outcome: RunOutcome) -> Self {
        Self { outcome, lines: 0, moved: 0, saved: 0 }
    }

    /// The same without what travelled for it, which tells what the machine had from others.
    pub(crate) fn without_traffic(&self) -> Self {
        let Self { outcome, lines, moved: _, saved: _ } = self.clone();
        Self { outcome, lines, moved: 0, saved: 0 }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    Succeeded,
    /// Not well.
    Failed(Failure),
    TimedOut,
    /// It was stopped: cancelled, or the target no longer qualifies.
    Stopped,
    /// Nobody can know, and it was not written down why. No decision makes it any more.
    #[serde(rename = "unknown")]
    UnknownForWhatever,
    /// Nobody can know.
    #[serde(rename = "unknown-2")]
    Unknown(Unknown),
}

/// Why nobody can know how a run ended that had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// The agent said so: the step's supervisor was gone. What was left of the step was killed.
    SupervisorGone,
    /// The agent does not hold any more what it told that it began: its state was lost, or put back to an earlier one.
    StateLost,
    /// Its end was not told in time, and the target was offline.
    Offline,
    /// Its end was not told in time, and the target's certificate had expired.
    CertificateExpired,
    /// Its end was not told in time, though the target was connected.
    NotTold,
}

impl Unknown {
    /// Whether it may be running still, as far as anybody knows.
    pub const fn may_still_run(self) -> bool {
        match self {
            Self::SupervisorGone => false,
            Self::StateLost | Self::Offline | Self::CertificateExpired | Self::NotTold => true,
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The agent's own words, with what is not printable escaped.
    Said(String),
    /// The agent refused it.
    Refused(Refusal),
    /// The target was offline for longer than it is waited for.
    Offline,
    /// The target did not renew its certificate in time.
    CertificateExpired,
    /// It was not begun before it expired.
    Expired,
    /// It could not be made into an assignment: a sentence without a secret.
    Undeliverable(String),
}
