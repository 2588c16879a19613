//! The agent's decisions: when to reconnect, which assignments to admit, what a step does next.
//!
//! Pure: no clock, no randomness, no files, no sockets, no async (a lint says so).

pub mod admission;
pub mod backoff;
pub mod course;
