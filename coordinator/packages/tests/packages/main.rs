//! The package store as the daemon uses it.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]
#![allow(clippy::print_stdout, reason = "a test that runs itself as a child tells its parent how it went")]

mod blocking;
mod failing;
mod full;
mod sending;
mod stream;
mod uploads;
mod workshop;
