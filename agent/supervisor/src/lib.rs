//! Runs one step of a deployment under a small process of its own, which outlives the agent.
//!
//! What lives here: [`supervise()`], which is all that the supervisor process does, and what the agent uses to
//! [`start`] one, to see how its step stands ([`inspect`]), to [`stop`] it, to [`bury`] a step whose supervisor was
//! lost, and to read its [`output`] and [`output_variables`]. What does not: which steps run, when and with which
//! values; that is decided elsewhere and comes in as a [`Job`].
//!
//! A step runs at most once, whatever is killed whenever: see the README of this crate for why.

#![deny(unsafe_code)]

mod child;
mod clock;
mod course;
mod error;
mod job;
mod judge;
mod launch;
mod layout;
pub mod limits;
mod lines;
mod lock;
mod marks;
mod mask;
mod outlet;
mod output;
mod processes;
mod service_message;
mod signals;
mod start;
mod supervise;
mod variables;
mod watch;

pub use error::StepError;
pub use job::{Account, BadJob, Job, SCRIPT_PATH};
pub use judge::{StepStatus, bury, inspect, stop};
pub use lock::{Lock, is_held};
pub use marks::{Ended, Outcome, Started};
pub use outlet::note;
pub use output::{OutputLine, OutputLines, Stream, output};
pub use start::{StartError, start};
pub use supervise::{SuperviseError, hide_memory, supervise};
pub use variables::{OutputValue, OutputVariable, SealFunction, output_variables};
