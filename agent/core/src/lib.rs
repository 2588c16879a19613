//! The agent's decisions: when to reconnect, which assignments to admit, what a step does next, what is
//! still to be told.
//!
//! Pure: no clock, no randomness, no files, no sockets, no async (a lint says so).

pub mod admission;
pub mod backoff;
pub mod course;
pub mod telling;
