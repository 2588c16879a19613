//! The messages of the agent's conversation (ARCHITECTURE, "The agent's conversation").
//!
//! No message from an agent carries its identity: the TLS peer is the identity. Every enum is closed. The numbers of
//! variants are their order here, so a variant is only ever added at the end; the golden bytes of every message
//! (`tests/messages.rs`) say when that was forgotten.

mod assignment;
mod bounds;
mod enrolment;
mod report;
mod request;
mod session;

pub use assignment::{
    Action, Assignment, Body, FetchWork, Generation, InstallationPath, PackageReference, RunWork, Shell,
    SignedAssignment, Work,
};
pub use enrolment::{Enrol, EnrolAnswer, EnrolRefusal, Enrolled};
pub use report::{
    NotTaken, Outcome, OutputLine, OutputStream, OutputVariable, OutputVariableValue, Refusal, Report,
    ReportKind, json_text_bytes,
};
pub use request::{
    Answer, AssignmentPlace, Assignments, ClearVariable, ClearVariables, Denied, FileEncoding, Origin,
    PullFile, PullHeader, PullRequest, Request, SealedVariables,
};
pub use session::{
    Advertised, EffectiveScope, FromAgent, FromCoordinator, Goodbye, Hello, Isolation, Participation, Welcome,
};

pub const SESSION_ALPN: &[u8] = b"windlass/1";
/// The ALPN of an enrolment, which knows one message and its answer.
pub const ENROLMENT_ALPN: &[u8] = b"windlass-enrol/1";
/// The version of the session protocol that this code speaks, and the lowest that it accepts.
pub const VERSION: u16 = 1;
/// The name in the coordinators' certificates that agents and operators check, wherever the coordinator runs.
pub const COORDINATOR_NAME: &str = "coordinator.windlass.internal";
/// What HPKE is told that sensitive output variables are sealed for.
pub const OUTPUT_PURPOSE: &[u8] = b"windlass output variable 1\n";
